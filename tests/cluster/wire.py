"""Frames as they are on a wire, seen by a packet socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hosts import Host

_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_OUTGOING = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """`sent`: it left by the device watched; else it came in."""

    data: bytes
    sent: bool

    @property
    def to(self) -> str:
        return self.data[:6].hex(":")

    @property
    def source(self) -> str:
        return self.data[6:12].hex(":")

    @property
    def rest(self) -> bytes:
        """All but the MACs."""
        return self.data[12:]

    @property
    def routed(self) -> bytes:
        """The same one router further: with its time counted down."""
        if self.version == 6:
            return self.data[12:21] + bytes([self.ttl - 1]) + self.data[22:]
        check = int.from_bytes(self.data[24:26], "big") + 0x100
        check = check - 0xFFFF if check >= 0xFFFF else check
        return self.data[12:22] + bytes([self.ttl - 1, self.protocol]) + check.to_bytes(2, "big") + self.data[26:]

    @property
    def version(self) -> int:
        return {b"\x08\x00": 4, b"\x86\xdd": 6}.get(self.data[12:14], 0)

    @property
    def protocol(self) -> int:
        return {4: self.data[23], 6: self.data[20]}.get(self.version, 0) if len(self.data) > 23 else 0

    @property
    def ttl(self) -> int:
        return self.data[22] if self.version == 4 else self.data[21]

    @property
    def source_address(self) -> str:
        if self.version == 4:
            return socket.inet_ntop(socket.AF_INET, self.data[26:30])
        return socket.inet_ntop(socket.AF_INET6, self.data[22:38]) if self.version == 6 else ""

    @property
    def address(self) -> str:
        """Destination address."""
        if self.version == 4:
            return socket.inet_ntop(socket.AF_INET, self.data[30:34])
        return socket.inet_ntop(socket.AF_INET6, self.data[38:54]) if self.version == 6 else ""

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination."""
        at = 34 if self.version == 4 else 54
        return int.from_bytes(self.data[at : at + 2], "big"), int.from_bytes(self.data[at + 2 : at + 4], "big")


class Watch:
    """What was seen at one device so far."""

    def __init__(self, host: Host, device: str) -> None:
        with host.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((device, _ETH_P_ALL))
        self.socket.setblocking(False)
        self._seen: list[Frame] = []

    def frames(self, to: str = "") -> list[Frame]:
        """Frames so far; with `to`, those for this address with TCP or UDP in them."""
        while True:
            try:
                data, (_, _, kind, *_) = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                break
            self._seen.append(Frame(data, kind == _OUTGOING))
        return [frame for frame in self._seen if not to or (frame.address == to and frame.protocol in (6, 17))]


@contextmanager
def watching(*places: tuple[Host, str]) -> Iterator[list[Watch]]:
    watches = [Watch(host, device) for host, device in places]
    try:
        yield watches
    finally:
        for watch in watches:
            watch.socket.close()
