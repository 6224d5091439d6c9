"""Which addresses are this host's own."""

from __future__ import annotations

import os
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from directrix.system import namespaces
from directrix.system.local_address import is_here


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.1", False), ("2001:db8::1", False)],
)
def test_an_address_is_here_if_one_can_listen_on_it(address: str, here: bool) -> None:
    assert is_here(ip_address(address)) is here


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"])
def test_an_address_of_several_hosts_or_of_none_is_not_here(address: str) -> None:
    assert not is_here(ip_address(address))


@pytest.mark.root
def test_what_may_only_be_bound_is_not_here() -> None:
    name = f"test-{os.getpid()}-nonlocal"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with namespaces.inside(name):
            for version in (4, 6):
                Path(f"/proc/sys/net/ipv{version}/ip_nonlocal_bind").write_text("1")
            batch = "link set lo up\naddr add 10.0.0.1/32 dev lo\naddr add fd00::1/128 dev lo nodad\n"
            batch += "route add default dev lo\n"
            subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
            here = ("127.9.9.9", "10.0.0.1", "::1", "fd00::1")
            assert [is_here(ip_address(one)) for one in (*here, "192.0.2.1", "fd00::2")] == [True] * 4 + [False] * 2
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
