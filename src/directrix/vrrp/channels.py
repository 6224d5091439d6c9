"""The sockets adverts come and go by: one `Listener` for each interface, family and protocol, one `Sender` for all.

Whole datagrams are sent, IP headers included, so that an advert is the same bytes whatever the kernel would choose.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address

from directrix.lvs.addresses import Address, Family
from directrix.vrrp.bad_packet import BadPacket
from directrix.vrrp.datagram import Datagram, parse_inet

_LARGEST = 1 << 16
_BATCH = 64
"""So many datagrams at a time, so that a flood leaves room for timers."""

_IP_PKTINFO = 8
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29
_IPV6_HDRINCL = 36
_PRIORITY_CONTROL = 7
_CONTROL = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(4)
_PKTINFO = struct.Struct("=16sI")


class Listener:
    """Hears what arrives at one interface: `fileno` becomes readable, then `read`."""

    def __init__(self, index: int, name: str, family: Family, protocol: int) -> None:
        """Listen; at all interfaces, if the name is empty.

        Raises:
            OSError: no privilege (CAP_NET_RAW), or the interface is gone.
        """
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(family, kind, protocol)
        self._family = family
        self._index = index
        self._joined: set[Address] = set()
        try:
            if name:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
            if family is Family.INET:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            else:
                self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """What becomes readable."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def join(self, group: Address) -> None:
        """Hear what is sent to a multicast group.

        Raises:
            OSError: the interface is gone or refuses.
        """
        if group in self._joined:
            return
        if self._family is Family.INET:
            request = struct.pack("=4s4si", group.packed, bytes(4), self._index)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = struct.pack("=16si", group.packed, self._index)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
        self._joined.add(group)

    def read(self) -> Iterator[Datagram | BadPacket]:
        """What has arrived, as far as it is a datagram."""
        for _ in range(_BATCH):
            try:
                data, control, _, address = self._socket.recvmsg(_LARGEST, _CONTROL)
            except (BlockingIOError, OSError):  # nothing more, or the interface has gone down
                return
            try:
                yield parse_inet(data) if self._family is Family.INET else _parse_inet6(data, control, address[0])
            except BadPacket as bad:
                yield bad


class Sender:
    """Sends whole datagrams of both families by any interface."""

    def __init__(self) -> None:
        """Open the sockets.

        Raises:
            OSError: no privilege (CAP_NET_RAW).
        """
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._sockets: dict[Family, socket.socket] = {}
        opened = self._sockets[Family.INET] = socket.socket(socket.AF_INET, kind, socket.IPPROTO_RAW)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        with suppress(OSError):  # a kernel without IPv6
            opened = self._sockets[Family.INET6] = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_RAW)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)

    def close(self) -> None:
        """Give the sockets back."""
        for opened in self._sockets.values():
            opened.close()

    def send(self, datagram: bytes, destination: Address, index: int) -> None:
        """Send a datagram by the interface of that index; by the one the routes lead to, if it is 0.

        Raises:
            OSError: it can't be sent: no route, interface down, no room, no IPv6 here.
        """
        if destination.version == 4:
            # ipi_ifindex says where to; the source is the header's.
            control = [(socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", index, bytes(4), bytes(4)))]
            self._sockets[Family.INET].sendmsg([datagram], control, 0, (str(destination), 0))
            return
        if Family.INET6 not in self._sockets:
            raise OSError("this machine has no IPv6")
        control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO.pack(bytes(16), index))]
        scope = index if destination.is_multicast or destination.is_link_local else 0
        self._sockets[Family.INET6].sendmsg([datagram], control, 0, (str(destination), 0, 0, scope))


class Ethernet:
    """Sends Ethernet frames."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def send(self, frame: bytes, name: str) -> None:
        """Send a frame by the interface of that name.

        Raises:
            OSError: the interface is gone or down.
        """
        self._socket.sendto(frame, (name, int.from_bytes(frame[12:14], "big")))


def _parse_inet6(message: bytes, control: list[tuple[int, int, bytes]], source: str) -> Datagram:
    destination, ttl = IPv6Address(0), 0
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            destination = IPv6Address(value[:16])
        elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
            ttl = int.from_bytes(value[:4], "little" if struct.pack("=H", 1)[0] else "big")
    return Datagram(IPv6Address(source.partition("%")[0]), destination, ttl, message)
