"""Which addresses are this host's own."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from directrix.system import sysctl

_DISCARD = 9
"""Any port would do: nothing is sent."""

_EVERYBODY = IPv4Address("255.255.255.255")


def is_here(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of this network namespace's own.

    One can be bound to those; but with ip_nonlocal_bind, usual beside keepalived, to any. Then they are told by this:
    the kernel goes to them from themselves. Of those that stand for several hosts, or for none, none is.
    """
    if address.is_multicast or address.is_unspecified or address == _EVERYBODY:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            if not _any_can_be_bound(address.version):
                probe.bind((str(address), 0))
                return True
            probe.connect((str(address), _DISCARD))
        except OSError:
            return False
        return address.is_loopback or ip_address(probe.getsockname()[0]) == address


def _any_can_be_bound(version: int) -> bool:
    return sysctl.read(f"net.ipv{version}.ip_nonlocal_bind") == "1"
