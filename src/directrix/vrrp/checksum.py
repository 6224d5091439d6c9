"""The Internet checksum (RFC 1071), and the pseudo headers it covers."""

from __future__ import annotations

import struct

from directrix.lvs.addresses import Address

VRRP = 112
"""VRRP's protocol number."""


def checksum(data: bytes) -> int:
    """The checksum of some bytes; 0 if they hold their own checksum and are unharmed."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: Address, destination: Address, length: int, protocol: int = VRRP) -> bytes:
    """What IPv6 (RFC 8200 section 8.1), and likewise VRRP version 3 over IPv4, sum before the packet."""
    rest = struct.pack("!xBH", protocol, length) if source.version == 4 else struct.pack("!I3xB", length, protocol)
    return source.packed + destination.packed + rest
