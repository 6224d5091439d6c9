"""Which addresses are this host's own."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from directrix.system.local_address import is_here


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.1", False), ("2001:db8::1", False)],
)
def test_an_address_is_here_if_one_can_listen_on_it(address: str, here: bool) -> None:
    assert is_here(ip_address(address)) is here
