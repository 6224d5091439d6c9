"""Devices and addresses of this network namespace over rtnetlink(7): ask, change, and hear of every change.

Events come over a socket of their own, for an event loop to read.
"""

from __future__ import annotations

import enum
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

from directrix.system.address import Address
from directrix.system.netlink import Flag, Message, attribute, attributes, messages, nest, number, text
from directrix.system.rtnetlink import LARGEST, Requests, family_of

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22

_EVENT_BUFFER = 1 << 21
_GROUPS = 1 << 0 | 1 << 4 | 1 << 8
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_CACHE = struct.Struct("=IIII")
_FOREVER = 0xFFFF_FFFF

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO, _IFLA_AF_SPEC = 1, 3, 4, 5, 18, 26
_INFO_KIND, _INFO_DATA = 1, 2
_MACVLAN_MODE = 1
_INET6_ADDR_GEN_MODE = 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_BROADCAST, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 3, 4, 6, 8

_UP, _RUNNING = 0x1, 0x40
_DEPRECATED, _TENTATIVE, _DAD_FAILED = 0x20, 0x40, 0x8


class AddressFlag(enum.IntFlag):
    """Flags an address is put on a device with, as `ip address add` has them."""

    NODAD = 0x002
    HOMEADDRESS = 0x010
    MANAGETEMPADDR = 0x100
    NOPREFIXROUTE = 0x200
    MCAUTOJOIN = 0x400


_NO_FLAGS = AddressFlag(0)


@dataclass(frozen=True, slots=True)
class LinkState:
    """A network device.

    Attributes:
        index, name, mac, kind: as in `ip link`; kind is empty for hardware.
        up: it is set up.
        running: it is set up and has a carrier.
        parent: ifindex of the device below, 0 if there is none.
    """

    index: int
    name: str
    mac: bytes = b""
    kind: str = ""
    up: bool = False
    running: bool = False
    parent: int = 0


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address on a device.

    Attributes:
        index: of the device.
        address, prefix_length, scope: as in `ip address`.
        usable: duplicate address detection is over and found no other (IPv6).
        deprecated: not to be chosen as a source address.
    """

    index: int
    address: Address
    prefix_length: int
    scope: int = 0
    usable: bool = True
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something is new or different, or gone."""

    thing: LinkState | InterfaceAddress
    gone: bool


class Line(Requests):
    """A line to the kernel for requests about devices and addresses."""

    def links(self) -> list[LinkState]:
        """All devices."""
        found = [_change(answer) for answer in self.ask(GETLINK, Flag.DUMP, _LINK.pack(0, 0, 0, 0, 0))]
        return [change.thing for change in found if change is not None and isinstance(change.thing, LinkState)]

    def addresses(self) -> list[InterfaceAddress]:
        """All addresses, of each device in the order the kernel chooses source addresses by."""
        found = [_change(answer) for answer in self.ask(GETADDR, Flag.DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))]
        return [change.thing for change in found if change is not None and isinstance(change.thing, InterfaceAddress)]

    def add_address(
        self,
        index: int,
        address: Address,
        prefix_length: int,
        *,
        broadcast: IPv4Address | None = None,
        label: str = "",
        scope: int = 0,
        peer: Address | None = None,
        flags: AddressFlag = _NO_FLAGS,
        deprecated: bool = False,
    ) -> bool:
        """Put an address on a device; False if it is there already. `prefix_length` is that of `peer` if there is one.

        Raises:
            OSError: the kernel refuses it.
        """
        content = attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, (peer or address).packed)
        if broadcast is not None:
            content += attribute(_IFA_BROADCAST, broadcast.packed)
        if label:
            content += text(_IFA_LABEL, label)
        if flags:
            content += number(_IFA_FLAGS, flags, 4)
        if deprecated:
            content += attribute(_IFA_CACHEINFO, _CACHE.pack(0, _FOREVER, 0, 0))
        head = _ADDRESS.pack(family_of(address), prefix_length, 0, scope, index)
        try:
            self.ask(NEWADDR, Flag.ACK | Flag.CREATE | Flag.EXCLUSIVE, head + content)
        except FileExistsError:
            return False
        return True

    def remove_address(self, index: int, address: Address, prefix_length: int) -> bool:
        """Take an address off a device; False if it wasn't there.

        Raises:
            OSError: the kernel refuses it.
        """
        head = _ADDRESS.pack(family_of(address), prefix_length, 0, 0, index)
        try:
            self.ask(DELADDR, Flag.ACK, head + attribute(_IFA_LOCAL, address.packed))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
                return False
            raise
        return True

    def add_macvlan(self, name: str, parent: int, mac: bytes, *, link_local: bool) -> None:
        """Make a macvlan device in private mode, down. Without `link_local` it gets no IPv6 address by itself.

        Raises:
            OSError: the kernel refuses it; FileExistsError if there is a device of that name.
        """
        data = nest(_INFO_DATA, number(_MACVLAN_MODE, 1, 4))
        content = text(_IFLA_IFNAME, name) + number(_IFLA_LINK, parent, 4) + attribute(_IFLA_ADDRESS, mac)
        content += nest(_IFLA_LINKINFO, attribute(_INFO_KIND, b"macvlan") + data)
        head = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        self.ask(NEWLINK, Flag.ACK | Flag.CREATE | Flag.EXCLUSIVE, head + content)
        if not link_local:
            none = nest(socket.AF_INET6, number(_INET6_ADDR_GEN_MODE, 1, 1))
            index = socket.if_nametoindex(name)
            head = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
            self.ask(NEWLINK, Flag.ACK, head + nest(_IFLA_AF_SPEC, none))

    def set_up(self, index: int) -> None:
        """Set a device up.

        Raises:
            OSError: the kernel refuses it.
        """
        self.ask(NEWLINK, Flag.ACK, _LINK.pack(socket.AF_UNSPEC, 0, index, _UP, _UP))

    def remove_link(self, index: int) -> bool:
        """Remove a device; False if there is none.

        Raises:
            OSError: the kernel refuses it.
        """
        try:
            self.ask(DELLINK, Flag.ACK, _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            raise
        return True


class Events:
    """The kernel's news of links and addresses, for an event loop: `fileno` becomes readable, then `read`."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_BUFFER)
        self._socket.bind((0, _GROUPS))

    def fileno(self) -> int:
        """What becomes readable."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def read(self) -> Iterator[Change]:
        """What has happened since the last call.

        Raises:
            OSError: ENOBUFS if news were lost; ask for everything anew.
        """
        while True:
            try:
                data = self._socket.recv(LARGEST)
            except BlockingIOError:
                return
            for news in messages(data):
                change = _change(news)
                if change is not None:
                    yield change


def _change(told: Message) -> Change | None:
    if told.type in (NEWLINK, DELLINK):
        return _link(told)
    if told.type in (NEWADDR, DELADDR):
        return _address(told)
    return None


def _link(told: Message) -> Change | None:
    family, _, index, flags, _ = _LINK.unpack_from(told.payload)
    if family != socket.AF_UNSPEC:  # a bridge telling of its ports
        return None
    found = attributes(told.payload[_LINK.size :])
    info = attributes(found.get(_IFLA_LINKINFO, b""))
    up = bool(flags & _UP)
    link = LinkState(
        index=index,
        name=found.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="surrogateescape"),
        mac=found.get(_IFLA_ADDRESS, b""),
        kind=info.get(_INFO_KIND, b"").rstrip(b"\0").decode(errors="surrogateescape"),
        up=up,
        running=up and bool(flags & _RUNNING),
        parent=int.from_bytes(found.get(_IFLA_LINK, b""), sys.byteorder),
    )
    return Change(link, told.type == DELLINK)


def _address(told: Message) -> Change | None:
    family, prefix_length, short_flags, scope, index = _ADDRESS.unpack_from(told.payload)
    found = attributes(told.payload[_ADDRESS.size :])
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    if packed is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    flags = int.from_bytes(found[_IFA_FLAGS], sys.byteorder) if _IFA_FLAGS in found else short_flags
    address = InterfaceAddress(
        index=index,
        address=IPv4Address(packed) if family == socket.AF_INET else IPv6Address(packed),
        prefix_length=prefix_length,
        scope=scope,
        usable=family == socket.AF_INET or not flags & (_TENTATIVE | _DAD_FAILED),
        deprecated=bool(flags & _DEPRECATED),
    )
    return Change(address, told.type == DELADDR)


def addresses_of(interface: int, version: int) -> list[IPv4Interface | IPv6Interface]:
    """The addresses of an interface, of IP version 4 or 6, that can be used, with their prefixes."""
    with Line() as line:
        return [
            ip_interface((each.address, each.prefix_length))
            for each in line.addresses()
            if each.index == interface and each.address.version == version and each.usable
        ]
