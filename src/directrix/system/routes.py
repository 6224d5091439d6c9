"""By what interface a host is reached, and from which address of ours: asked of the kernel (rtnetlink(7))."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from directrix.system.address import Address
from directrix.system.netlink import Flag, attribute, attributes, number, read_number
from directrix.system.rtnetlink import ask, family_of

_GETROUTE = 26
_ROUTE = struct.Struct("=BBBBBBBBI")
_DST, _OIF, _GATEWAY, _PREFSRC, _MARK, _VIA = 1, 4, 5, 7, 16, 18
_UNICAST, _LOCAL = 1, 2
_UNREACHABLE = 101


@dataclass(frozen=True, slots=True)
class Route:
    """How a host is reached.

    Attributes:
        interface: index of the interface.
        gateway: the next hop, if it is not the host itself.
        source: the address of ours the kernel would use; None if it has none there.
        local: the host is this one.
    """

    interface: int
    gateway: Address | None
    source: Address | None
    local: bool


def route_to(address: Address, interface: str = "", mark: int = 0) -> Route:
    """The route packets to an address take now.

    Raises:
        OSError: there is none, or no such interface.
    """
    wanted = attribute(_DST, address.packed)
    if interface:
        wanted += number(_OIF, socket.if_nametoindex(interface), 4)
    if mark:
        wanted += number(_MARK, mark, 4)
    head = _ROUTE.pack(family_of(address), len(address.packed) * 8, 0, 0, 0, 0, 0, 0, 0)
    for answer in ask(_GETROUTE, Flag(0), head + wanted):
        kind = _ROUTE.unpack_from(answer.payload)[7]
        told = attributes(answer.payload[_ROUTE.size :])
        if kind in (_UNICAST, _LOCAL):
            source = told.get(_PREFSRC)
            # A next hop of the other family stands behind its family's number (RTA_VIA).
            gateway = told.get(_GATEWAY) or told.get(_VIA, b"")[2:]
            return Route(
                read_number(told.get(_OIF, b"")),
                ip_address(gateway) if gateway else None,
                ip_address(source) if source else None,
                kind == _LOCAL,
            )
    raise OSError(_UNREACHABLE, os.strerror(_UNREACHABLE), str(address))
