"""Frames with packets in tunnels for a real server, made by hand."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from directrix.lvs import Address

VIPS: dict[int, Address] = {4: ip_address("192.0.2.80"), 6: ip_address("2001:db8::80")}
HERE: dict[int, Address] = {4: ip_address("10.3.0.11"), 6: ip_address("fd03::11")}
DIRECTOR: dict[int, Address] = {4: ip_address("10.0.0.2"), 6: ip_address("fd00::2")}
CLIENT: dict[int, Address] = {4: ip_address("198.51.100.7"), 6: ip_address("2001:db8:7::7")}
ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
INSIDE = {4: 4, 6: 41}
UDP, GRE = 17, 47


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(protocol: int, source: Address, target: Address, payload: bytes, tos: int = 0, fragment: int = 0) -> bytes:
    """An IP packet."""
    if target.version == 6:
        return (
            struct.pack(">IHBB", 6 << 28 | tos << 20, len(payload), protocol, 9)
            + source.packed
            + target.packed
            + payload
        )
    head = struct.pack(">BBHHHBBH", 0x45, tos, 20 + len(payload), 7, fragment, 9, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def inner(version: int, tos: int = 0, target: Address | None = None, data: bytes = b"hello") -> bytes:
    """A client's datagram."""
    addresses = CLIENT[version].packed + (target or VIPS[version]).packed
    segment = struct.pack(">HHHH", 1024, 53, 8 + len(data), 0) + data
    covered = addresses + struct.pack(">HH", UDP, len(segment)) + segment
    segment = segment[:6] + struct.pack(">H", checksum(covered + bytes(len(covered) % 2))) + segment[8:]
    return ip(UDP, CLIENT[version], target or VIPS[version], segment, tos)


def between(kind: str, packet: bytes) -> tuple[int, bytes]:
    """The outer packet's protocol, and what stands before the inner one."""
    version = packet[0] >> 4
    if kind == "ipip":
        return INSIDE[version], b""
    if kind == "gre":
        return GRE, bytes(2) + ETHERTYPE[version]
    if kind == "gre with checksum":
        shim = b"\x80\0" + ETHERTYPE[version] + bytes(4)
        total = checksum(shim + packet + bytes(len(packet) % 2))
        return GRE, shim[:4] + struct.pack(">HH", total, 0)
    return UDP, struct.pack(">HHHHBBH", 40000, 6080, 12 + len(packet), 0, 0, INSIDE[version], 0)


KINDS = ("ipip", "gre", "gre with checksum", "gue")


def wrapped(kind: str, outer: int, packet: bytes, tos: int = 0) -> bytes:
    """A frame for this host, with a packet in a tunnel."""
    protocol, shim = between(kind, packet)
    return frame(ip(protocol, DIRECTOR[outer], HERE[outer], shim + packet, tos))


def frame(packet: bytes) -> bytes:
    """The MAC is that of the device that test runs have: lo."""
    return bytes(6) + b"\x02\0\0\0\0\x01" + ETHERTYPE[packet[0] >> 4] + packet
