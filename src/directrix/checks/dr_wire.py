"""The wire that DR_CHECK's frames go over: a packet socket at an interface, shared by all its checks there.

It hears three kinds of frames and no others, by a filter in the kernel: TCP to the one port that is ours, ARP replies,
neighbour advertisements. The socket is bound to its protocols, not to all: so it stands behind the hooks of tc, and
packets that a director forwards never come by. The port is held by a TCP socket that is bound and does nothing else, so
that nobody on this host uses it.

Whom a frame is for is told by the MAC it comes from, and by the address and port: many checks to many servers share it.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from directrix.checks.frames import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, Claim, FromTcp, Segment, read, tcp
from directrix.checks.sockets import CheckFailed, CheckNotMade
from directrix.lvs.addresses import Address, family_of
from directrix.system.frames import Route

_SO_ATTACH_FILTER = 26
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER = 1

Conversation = tuple[bytes, Address, int]
"""Whom a conversation is with: MAC, address, port."""

Heard = Callable[[Segment], None]
Claimed = Callable[[], None]


class Wire:
    """An interface, as DR_CHECK uses it with one source address.

    Raises:
        CheckNotMade: it isn't Ethernet, is gone, or packet sockets aren't allowed (CAP_NET_RAW).
    """

    def __init__(self, interface: int, source: Address) -> None:
        self.source = source
        self.usable = True
        self._conversations: dict[Conversation, Heard] = {}
        self._claims: defaultdict[tuple[bytes, Address], list[Claimed]] = defaultdict(list)
        self._sockets: list[socket.socket] = []
        try:
            name = socket.if_indextoname(interface)
            self.mac = _mac_of(name)
            self._hold = socket.socket(family_of(source), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            self._sockets.append(self._hold)
            self._hold.bind((str(source), 0))
            self.port: int = self._hold.getsockname()[1]
            if source.version == 4:
                self._out = self._listen(name, ETH_P_IP, _ipv4_tcp(self.port))
                self._listen(name, ETH_P_ARP, _ARP_REPLY)
            else:
                self._out = self._listen(name, ETH_P_IPV6, _ipv6_tcp_or_advertisement(self.port))
        except OSError as error:
            self.close()
            raise CheckNotMade(f"no frames can be sent from {source}: {error.strerror}") from None

    def send(self, frame: bytes) -> None:
        """Send a frame.

        Raises:
            CheckFailed: the interface is down or gone.
        """
        if not self.usable:
            raise CheckFailed("the interface is down or gone")
        # That the interface was down for a while is told once, by the first call after it.
        for last in (False, True):
            try:
                self._out.send(frame)
                return
            except BlockingIOError:
                return  # lost, as on any wire; it is sent again
            except OSError as error:
                if last:
                    self.usable = False
                    raise CheckFailed(f"sending failed: {error.strerror}") from None

    def send_tcp(self, to: Conversation, segments: list[Segment]) -> None:
        """Send segments.

        Raises:
            CheckFailed: the interface is down or gone.
        """
        mac, address, _ = to
        for segment in segments:
            self.send(tcp(Route(self.mac, mac, self.source, address), segment))

    def is_busy(self, with_: Conversation) -> bool:
        """Whether somebody talks to this server already, about the same service."""
        return with_ in self._conversations

    @contextmanager
    def conversation(self, with_: Conversation, heard: Heard) -> Iterator[None]:
        """Be called with every segment that comes from there."""
        self._conversations[with_] = heard
        try:
            yield
        finally:
            del self._conversations[with_]

    @contextmanager
    def claim(self, mac: bytes, address: Address, claimed: Claimed) -> Iterator[None]:
        """Be called when this host says that it has this address."""
        listening = self._claims[mac, address]
        listening.append(claimed)
        try:
            yield
        finally:
            listening.remove(claimed)
            if not listening:
                self._claims.pop((mac, address), None)

    def close(self) -> None:
        """Give up the sockets."""
        self.usable = False
        for made in self._sockets:
            if made.family == socket.AF_PACKET:
                asyncio.get_running_loop().remove_reader(made.fileno())
            made.close()
        self._sockets.clear()

    def _listen(self, name: str, kind: int, program: list[tuple[int, int, int, int]]) -> socket.socket:
        flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        made = socket.socket(socket.AF_PACKET, flags, 0)  # no protocol yet: nothing is heard before there is a filter
        self._sockets.append(made)
        _attach(made, program)
        made.bind((name, kind))
        asyncio.get_running_loop().add_reader(made.fileno(), self._hear, made)
        return made

    def _hear(self, made: socket.socket) -> None:
        for _ in range(64):
            try:
                frame = made.recv(65536 + 64)
            except OSError:
                return  # nothing more; or the interface went down, and the socket hears again when it is up
            self._hand_on(read(frame))

    def _hand_on(self, found: FromTcp | Claim | None) -> None:
        if isinstance(found, Claim):
            for claimed in tuple(self._claims.get((found.mac, found.address), ())):
                claimed()
        elif isinstance(found, FromTcp) and found.destination == self.source:
            heard = self._conversations.get((found.mac, found.source, found.segment.source_port))
            if heard is not None:
                heard(found.segment)


class Wires:
    """All wires of a director's checks, each opened when it is first needed."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, Address], Wire] = {}

    def wire(self, interface: int, source: Address) -> Wire:
        """The wire at an interface.

        Raises:
            CheckNotMade: it can't be had.
        """
        known = self._open.get((interface, source))
        if known is not None and not known.usable:
            known.close()
            known = None
        if known is None:
            known = self._open[interface, source] = Wire(interface, source)
        return known

    def close(self) -> None:
        """Give up all of them."""
        for wire in self._open.values():
            wire.close()
        self._open.clear()


def _mac_of(name: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        told = fcntl.ioctl(asking, _SIOCGIFHWADDR, struct.pack("=16s24x", name.encode()))
    kind, mac = struct.unpack_from("=H6s", told, 16)
    if kind != _ARPHRD_ETHER:
        raise CheckNotMade(f"{name} is no Ethernet interface: direct routing needs MAC addresses")
    return bytes(mac)


# Filters are programs of the classic kind (Documentation/networking/filter.rst): code, jump if true, jump if false,
# value.
_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_X, _LOAD_HEADER = 0x30, 0x28, 0x48, 0xB1
_IF_EQUAL, _IF_SET, _RETURN = 0x15, 0x45, 0x06
_TAKE, _DROP = (_RETURN, 0, 0, 0x40000), (_RETURN, 0, 0, 0)

_ARP_REPLY = [(_LOAD_HALF, 0, 0, 20), (_IF_EQUAL, 0, 1, 2), _TAKE, _DROP]


def _ipv4_tcp(port: int) -> list[tuple[int, int, int, int]]:
    """TCP to a port, whatever the length of the IP header, and no fragments but the first."""
    return [
        (_LOAD_BYTE, 0, 0, 23),
        (_IF_EQUAL, 0, 6, 6),
        (_LOAD_HALF, 0, 0, 20),
        (_IF_SET, 4, 0, 0x1FFF),
        (_LOAD_HEADER, 0, 0, 14),
        (_LOAD_HALF_X, 0, 0, 16),
        (_IF_EQUAL, 0, 1, port),
        _TAKE,
        _DROP,
    ]


def _ipv6_tcp_or_advertisement(port: int) -> list[tuple[int, int, int, int]]:
    return [
        (_LOAD_BYTE, 0, 0, 20),
        (_IF_EQUAL, 2, 0, 6),
        (_IF_EQUAL, 3, 0, 58),
        _DROP,
        (_LOAD_HALF, 0, 0, 56),
        (_IF_EQUAL, 2, 3, port),
        (_LOAD_BYTE, 0, 0, 54),
        (_IF_EQUAL, 0, 1, 136),
        _TAKE,
        _DROP,
    ]


def _attach(made: socket.socket, program: list[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))
