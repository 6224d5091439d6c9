"""Hosts as values, for tests without a host."""

from __future__ import annotations

from ipaddress import ip_interface

from directrix.system.addresses import AddressHere
from directrix.system.links import Link
from directrix.system.whereabouts import Whereabouts

LINKS = (Link(1, "lo", "loopback", up=True), Link(2, "eth0", "ether", up=True), Link(3, "eth1", "ether", up=True))


def host(*addresses: str, links: tuple[Link, ...] = LINKS, without_ipv6: frozenset[str] = frozenset()) -> Whereabouts:
    """A host with some addresses, each written as `eth0 10.0.0.11/24`."""
    pairs = (address.split() for address in addresses)
    here = tuple(AddressHere(name, ip_interface(address), "global") for name, address in pairs)
    return Whereabouts(links, here, {4: (), 6: ()}, without_ipv6)


RS = host("eth0 10.0.0.11/24", "eth0 fd00::11/64", "eth1 10.0.1.11/24")
"""A real server with two interfaces."""
