"""Questions to the kernel over rtnetlink: by what interface is a host reached, from which addresses, at which MAC?

Asked and answered in microseconds, so that a program with thousands of things to do can ask each time; `ip` would be a
process for each question (rtnetlink(7)).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from directrix.system.netlink import Flag, Kind, attribute, attributes, message, messages, number, read_number

_GETADDR, _GETROUTE, _NEWNEIGH, _GETNEIGH = 22, 26, 28, 30
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ADDRESS = struct.Struct("=BBBBi")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_MARK = 1, 4, 5, 7, 16
_NDA_DST, _NDA_LLADDR = 1, 2
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_UNFIT = 0x08 | 0x40
"""Flags of addresses that can't be used: duplicate, or not known not to be."""
_NTF_USE = 0x01
_USABLE = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
"""Neighbour states in which the address may be used: reachable, stale, delay, probe, noarp, permanent."""
_FAILED = 0x20
_LOCAL = 2
_LARGEST = 1 << 20


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
    gateway: IPv4Address | IPv6Address | None
    source: IPv4Address | IPv6Address | None
    local: bool


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What the kernel knows of a neighbour. `mac` is empty while it doesn't know; `failed`: it asked in vain."""

    mac: bytes
    failed: bool


def route_to(address: IPv4Address | IPv6Address, interface: str = "", mark: int = 0) -> Route:
    """The route packets to an address take now.

    Raises:
        OSError: there is none, or no such interface.
    """
    family = _family(address)
    wanted = attribute(_RTA_DST, address.packed)
    if interface:
        wanted += number(_RTA_OIF, socket.if_nametoindex(interface), 4)
    if mark:
        wanted += number(_RTA_MARK, mark, 4)
    head = _ROUTE.pack(family, len(address.packed) * 8, 0, 0, 0, 0, 0, 0, 0)
    for answer in _ask(_GETROUTE, Flag(0), head + wanted):
        kind = _ROUTE.unpack_from(answer)[7]
        told = attributes(answer[_ROUTE.size :])
        gateway, source = told.get(_RTA_GATEWAY), told.get(_RTA_PREFSRC)
        return Route(
            read_number(told.get(_RTA_OIF, b"")),
            ip_address(gateway) if gateway else None,
            ip_address(source) if source else None,
            kind == _LOCAL,
        )
    raise OSError(101, os.strerror(101), str(address))


def addresses_of(interface: int, version: int) -> list[IPv4Interface | IPv6Interface]:
    """The addresses of an interface, of IP version 4 or 6, that can be used, with their prefixes."""
    head = _ADDRESS.pack(socket.AF_INET if version == 4 else socket.AF_INET6, 0, 0, 0, 0)
    found = []
    for answer in _ask(_GETADDR, Flag.DUMP, head):
        _, prefix, flags, _, index = _ADDRESS.unpack_from(answer)
        told = attributes(answer[_ADDRESS.size :])
        own = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
        if index == interface and own and not flags & _UNFIT:
            found.append(ip_interface((own, prefix)))
    return found


def neighbour(address: IPv4Address | IPv6Address, interface: int) -> Neighbour:
    """What the kernel knows of a neighbour at an interface."""
    head = _NEIGHBOUR.pack(_family(address), interface, 0, 0, 0)
    try:
        for answer in _ask(_GETNEIGH, Flag(0), head + attribute(_NDA_DST, address.packed)):
            state = _NEIGHBOUR.unpack_from(answer)[2]
            mac = attributes(answer[_NEIGHBOUR.size :]).get(_NDA_LLADDR, b"")
            return Neighbour(mac if state & _USABLE else b"", bool(state & _FAILED))
    except FileNotFoundError:
        pass
    return Neighbour(b"", False)


def look_for(address: IPv4Address | IPv6Address, interface: int) -> None:
    """Have the kernel find a neighbour out, or assure itself of it, as if a packet were to be sent there.

    Raises:
        OSError: no privilege (CAP_NET_ADMIN), or the interface is gone.
    """
    head = _NEIGHBOUR.pack(_family(address), interface, 0, _NTF_USE, 0)
    for _ in _ask(_NEWNEIGH, Flag.CREATE | Flag.ACK, head + attribute(_NDA_DST, address.packed)):
        pass


def _ask(kind: int, flags: Flag, content: bytes) -> Iterator[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))
        kernel.send(message(kind, flags, 1, content))
        more = True
        while more:
            for answer in messages(kernel.recv(_LARGEST)):
                if answer.type in (Kind.ERROR, Kind.DONE):
                    if answer.error:
                        raise OSError(answer.error, os.strerror(answer.error))
                    return
                yield answer.payload
            more = bool(flags & Flag.DUMP)


def _family(address: IPv4Address | IPv6Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
