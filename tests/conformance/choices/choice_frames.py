"""Segments as frames, and whom a forwarded frame is for.

Every real server has a hardware address that names it, so that a frame's new destination tells whom
the director chose.
"""

from __future__ import annotations

import struct

from choice_steps import Segment, label

from directrix.lvs import Address

_SERVER = b"\x02\x0a"


def hardware(server: Address) -> bytes:
    """The hardware address of a real server."""
    return _SERVER + (int(server) & 0xFFFF).to_bytes(4, "big")


def served(frame: bytes, segment: Segment) -> str:
    """The label of the real server that a frame with this segment is for; empty if for none."""
    if frame[:2] != _SERVER:
        return ""
    return label(type(segment.client)(int.from_bytes(frame[2:6], "big")))


def frame(segment: Segment, to: bytes, by: bytes) -> bytes:
    """An Ethernet frame with a segment."""
    packet = _packet(segment)
    return to + by + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


def _packet(segment: Segment) -> bytes:
    ends = segment.client.packed + segment.virtual.packed
    payload = struct.pack(
        "!HHIIBBHHH", segment.client_port, segment.virtual_port, 1000, 0, 0x50, segment.flags, 1000, 0, 0
    )
    pseudo = ends + struct.pack("!LL", len(payload), 6)
    payload = payload[:16] + _checksum(pseudo + payload) + payload[18:]
    if segment.client.version == 6:
        return struct.pack("!LHBB", 6 << 28, len(payload), 6, 64) + ends + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 6, 0) + ends
    return header[:10] + _checksum(header) + header[12:] + payload


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
