"""What the kernel says of routes, addresses and neighbours, held against what `ip` says."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from os import getpid

import pytest

from directrix.system.interfaces import addresses_of
from directrix.system.namespaces import inside
from directrix.system.neighbours import look_for, neighbour, next_hop
from directrix.system.routes import route_to

NAME = f"dxn{getpid()}"


def test_the_host_itself_is_local() -> None:
    loopback = socket.if_nametoindex("lo")
    for address in ("127.0.0.1", "::1"):
        route = route_to(ip_address(address))
        assert (route.local, route.interface, route.gateway) == (True, loopback, None)
    assert ip_interface("127.0.0.1/8") in addresses_of(loopback, 4)


@pytest.fixture
def segment() -> Iterator[str]:
    """Two hosts; the first one is 10.0.0.1, the other 10.0.0.2, with a gateway to 192.0.2.0/24 and marks."""
    names = [f"{NAME}a", f"{NAME}b"]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        batch = f"""
            link add eth0 type veth peer name eth0 netns {names[1]}
            link set eth0 up
            addr add 10.0.0.1/24 dev eth0
            addr add fd00::1/64 dev eth0 nodad
            route add 192.0.2.0/24 via 10.0.0.2
            route add 198.51.100.0/24 via 10.0.0.2 table 7
            rule add fwmark 7 lookup 7
        """
        subprocess.run(["ip", "-netns", names[0], "-batch", "-"], input=batch, text=True, check=True)
        batch = "link set eth0 up\naddr add 10.0.0.2/24 dev eth0\naddr add fd00::2/64 dev eth0 nodad\n"
        subprocess.run(["ip", "-netns", names[1], "-batch", "-"], input=batch, text=True, check=True)
        yield names[0]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.root
def test_routes_addresses_and_neighbours_are_told(segment: str) -> None:
    with inside(segment):
        index = socket.if_nametoindex("eth0")
        near = route_to(ip_address("10.0.0.2"))
        assert (near.interface, near.gateway, near.source, near.local) == (index, None, ip_address("10.0.0.1"), False)
        assert route_to(ip_address("192.0.2.9")).gateway == ip_address("10.0.0.2")
        assert route_to(ip_address("198.51.100.9"), mark=7).gateway == ip_address("10.0.0.2")
        with pytest.raises(OSError, match="unreachable"):
            route_to(ip_address("198.51.100.9"))
        with pytest.raises(OSError, match="interface"):
            route_to(ip_address("10.0.0.2"), "nosuchif0")
        assert addresses_of(index, 4) == [ip_interface("10.0.0.1/24")]
        assert ip_interface("fd00::1/64") in addresses_of(index, 6)
        for address in (ip_address("10.0.0.2"), ip_address("fd00::2")):
            assert neighbour(address, index).mac == b""
            look_for(address, index)
            deadline = time.monotonic() + 20
            while not neighbour(address, index).mac:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            told = subprocess.run(["ip", "neigh", "show", str(address)], capture_output=True, text=True, check=True)
            assert neighbour(address, index).mac.hex(":") in told.stdout
            assert (hop := next_hop(str(address))) is not None
            assert (hop.interface, hop.gateway, hop.mac) == ("eth0", "", neighbour(address, index).mac.hex(":"))
            assert f" {hop.state}" in told.stdout or hop.state == "REACHABLE"
        far = next_hop("192.0.2.9")
        assert far is not None
        assert (far.gateway, far.resolved) == ("10.0.0.2", True)
        assert next_hop("198.51.100.9") is next_hop("10.0.0.1") is None
        nobody = ip_address("10.0.0.99")
        look_for(nobody, index)
        deadline = time.monotonic() + 20
        while not neighbour(nobody, index).failed:
            assert time.monotonic() < deadline
            time.sleep(0.05)
