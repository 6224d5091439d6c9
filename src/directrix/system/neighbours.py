"""At which MAC a host is by the kernel's neighbour table (rtnetlink(7)), and which next hop leads to a host."""

from __future__ import annotations

import enum
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from directrix.system.address import Address
from directrix.system.netlink import Flag, attribute, attributes
from directrix.system.routes import route_to
from directrix.system.rtnetlink import ask, family_of

_NEWNEIGH, _GETNEIGH = 28, 30
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_DST, _LLADDR = 1, 2
_NTF_USE = 0x01


class State(enum.IntFlag):
    """What the kernel thinks of an entry (neighbour(7), NUD_*)."""

    NONE = 0
    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


_USABLE = State.REACHABLE | State.STALE | State.DELAY | State.PROBE | State.NOARP | State.PERMANENT
"""States in which the kernel uses the MAC it has."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What the kernel knows of a neighbour. `mac` is empty while it doesn't know; `failed`: it asked in vain."""

    mac: bytes = b""
    state: State = State.NONE

    @property
    def failed(self) -> bool:
        """Whether it was asked for in vain."""
        return bool(self.state & State.FAILED)


@dataclass(frozen=True, slots=True)
class NextHop:
    """The way to an address.

    Attributes:
        interface: the device.
        gateway: address of the router there, empty if the address itself is on the link.
        mac: MAC of the next hop, empty if it is not known.
        state: the kernel's word on that: `REACHABLE`, `STALE`, `FAILED` …; empty if it never asked.
    """

    interface: str
    gateway: str = ""
    mac: str = ""
    state: str = ""

    @property
    def resolved(self) -> bool:
        """Whether the kernel would use this MAC."""
        return bool(self.mac)


def neighbour(address: Address, interface: int) -> Neighbour:
    """What the kernel knows of a neighbour at an interface."""
    head = _NEIGHBOUR.pack(family_of(address), interface, 0, 0, 0)
    try:
        for answer in ask(_GETNEIGH, Flag(0), head + attribute(_DST, address.packed)):
            state = State(_NEIGHBOUR.unpack_from(answer.payload)[2])
            mac = attributes(answer.payload[_NEIGHBOUR.size :]).get(_LLADDR, b"")
            return Neighbour(mac if state & _USABLE else b"", state)
    except FileNotFoundError:
        pass
    return Neighbour()


def look_for(address: Address, interface: int) -> None:
    """Have the kernel find a neighbour out, or assure itself of it, as if a packet were to be sent there.

    Raises:
        OSError: no privilege (CAP_NET_ADMIN), or the interface is gone.
    """
    head = _NEIGHBOUR.pack(family_of(address), interface, 0, _NTF_USE, 0)
    ask(_NEWNEIGH, Flag.CREATE | Flag.ACK, head + attribute(_DST, address.packed))


def next_hop(address: str) -> NextHop | None:
    """How this host reaches an address; None if there is no route, or it is its own address."""
    wanted = ip_address(address)
    try:
        route = route_to(wanted)
        interface = socket.if_indextoname(route.interface)
    except OSError:
        return None
    if route.local:
        return None
    known = neighbour(route.gateway or wanted, route.interface)
    gateway = str(route.gateway) if route.gateway is not None else ""
    return NextHop(interface, gateway, known.mac.hex(":"), (known.state.name or "") if known.state else "")
