"""Packets of a trace as a capture file that tcpdump and Wireshark read.

The format is pcapng (draft-ietf-opsawg-pcapng): a section header, a block for each interface when its
first packet comes, and a block for each packet, with what became of it as its comment. Frames are as
they came in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from directrix.table.trace import Traced
from directrix.trace.lines import explained

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET, _RAW = 1, 101
_END, _COMMENT = 0, 1
_IF_NAME, _IF_RESOLUTION = 2, 9
_SHB_APPLICATION = 4
_EPB_FLAGS = 2
_INBOUND = 1
_NANOSECONDS = 9


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + length + body + length


def header(application: str) -> bytes:
    """The section header, which the file begins with."""
    options = _option(_SHB_APPLICATION, application.encode()) + _option(_END, b"")
    return _block(_SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


@dataclass(slots=True)
class Capture:
    """Makes the blocks behind the header. `snap` is how many bytes of a frame are kept at most."""

    snap: int
    _interfaces: dict[tuple[str, bool], int] = field(default_factory=dict)

    def packet(self, packet: Traced) -> bytes:
        """The block of a packet, and before it that of its interface if it is the first one from there."""
        known = (packet.interface, packet.raw)
        number = self._interfaces.get(known)
        before = b""
        if number is None:
            number = self._interfaces[known] = len(self._interfaces)
            before = self._interface(packet.interface, _RAW if packet.raw else _ETHERNET)
        head = struct.pack(
            "=IIIII", number, packet.time >> 32, packet.time & 0xFFFFFFFF, len(packet.frame), packet.frame_length
        )
        options = _option(_COMMENT, f"{packet.verdict} {explained(packet)}".strip().encode())
        options += _option(_EPB_FLAGS, struct.pack("=I", _INBOUND)) + _option(_END, b"")
        return before + _block(_PACKET, head + _padded(packet.frame) + options)

    def _interface(self, name: str, link_type: int) -> bytes:
        options = _option(_IF_NAME, name.encode()) + _option(_IF_RESOLUTION, bytes([_NANOSECONDS])) + _option(_END, b"")
        return _block(_INTERFACE, struct.pack("=HHI", link_type, 0, self.snap) + options)
