"""The Internet checksum (RFC 1071), and the pseudo header that those of transports cover."""

from __future__ import annotations

import struct

from directrix.system.address import Address


def checksum(data: bytes) -> int:
    """The checksum of some bytes; 0 if they hold their own checksum and are unharmed."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: Address, destination: Address, length: int, protocol: int) -> bytes:
    """What is summed before a packet of so many bytes (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    rest = struct.pack("!xBH", protocol, length) if source.version == 4 else struct.pack("!I3xB", length, protocol)
    return source.packed + destination.packed + rest


def with_checksum(body: bytes, place: int, before: bytes = b"") -> bytes:
    """The body with its checksum at its place, over what stands `before` it too."""
    blank = body[:place] + b"\0\0" + body[place + 2 :]
    return blank[:place] + struct.pack("!H", checksum(before + blank)) + blank[place + 2 :]
