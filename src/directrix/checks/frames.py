"""Ethernet frames as DR_CHECK sends and reads them: TCP over IPv4 and IPv6, and the question who has an address.

Pure: bytes in, values out. What is sent has a TTL of 1, so that no host but its neighbour ever sees it.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from directrix.checks.ping_check import checksum
from directrix.lvs.addresses import Address

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_TCP, _ICMP6 = 6, 58
_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP_HEAD = struct.Struct("!HHIIBBHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_SOLICITATION, _ADVERTISEMENT = 135, 136
_MSS = b"\x02\x04" + (1220).to_bytes(2, "big")
"""A segment size that fits any link IPv6 may use."""


class Flag(enum.IntFlag):
    """Flags of a TCP segment (RFC 9293)."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment, without what this checker has no use for."""

    source_port: int
    port: int
    sequence: int
    acknowledged: int
    flags: Flag
    payload: bytes = b""

    @property
    def length(self) -> int:
        """How many sequence numbers it takes."""
        return len(self.payload) + bool(self.flags & Flag.SYN) + bool(self.flags & Flag.FIN)


@dataclass(frozen=True, slots=True)
class FromTcp:
    """A TCP segment that came in."""

    mac: bytes
    source: Address
    destination: Address
    segment: Segment


@dataclass(frozen=True, slots=True)
class Claim:
    """A host said that it has an address: an ARP reply or a neighbour advertisement."""

    mac: bytes
    address: Address


def tcp(source_mac: bytes, mac: bytes, source: Address, destination: Address, segment: Segment) -> bytes:
    """A frame with a TCP segment."""
    options = _MSS if segment.flags & Flag.SYN else b""
    head = _TCP_HEAD.pack(
        segment.source_port,
        segment.port,
        segment.sequence,
        segment.acknowledged,
        (_TCP_HEAD.size + len(options)) // 4 << 4,
        segment.flags,
        65535,
        0,
        0,
    )
    body = head + options + segment.payload
    body = _with_sum(body, 16, source, destination, _TCP)
    return _ip(source_mac, mac, source, destination, _TCP, body, ttl=1)


def who_has(source_mac: bytes, mac: bytes, source: Address, address: Address) -> bytes:
    """A frame that asks one host, by its MAC, whether it has an address: ARP (RFC 826) or a solicitation (RFC 4861)."""
    if isinstance(source, IPv4Address):
        asked = _ARP.pack(1, ETH_P_IP, 6, 4, 1, source_mac, source.packed, bytes(6), address.packed)
        return _ETHERNET.pack(mac, source_mac, ETH_P_ARP) + asked
    # Who has the address listens to this group; the frame still goes to one host alone.
    group = IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])
    body = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + address.packed + b"\x01\x01" + source_mac
    body = _with_sum(body, 2, source, group, _ICMP6)
    return _ip(source_mac, mac, source, group, _ICMP6, body, ttl=255)


def read(frame: bytes) -> FromTcp | Claim | None:
    """What a frame says; None if it is nothing of these, or broken."""
    try:
        _, mac, kind = _ETHERNET.unpack_from(frame)
        packet = frame[_ETHERNET.size :]
        if kind == ETH_P_IP:
            return _read_ipv4(mac, packet)
        if kind == ETH_P_IPV6:
            return _read_ipv6(mac, packet)
        if kind == ETH_P_ARP:
            _, protocol, _, _, operation, sender, address, _, _ = _ARP.unpack_from(packet)
            return Claim(sender, IPv4Address(address)) if protocol == ETH_P_IP and operation == 2 else None
    except struct.error:
        pass
    return None


def _read_ipv4(mac: bytes, packet: bytes) -> FromTcp | None:
    first, _, total, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    start = (first & 0x0F) * 4
    if first >> 4 != 4 or protocol != _TCP or fragment & 0x3FFF or not start <= total <= len(packet):
        return None
    segment = _read_tcp(packet[start:total])
    return FromTcp(mac, IPv4Address(source), IPv4Address(destination), segment) if segment else None


def _read_ipv6(mac: bytes, packet: bytes) -> FromTcp | Claim | None:
    first, length, following, _, source, destination = _IPV6.unpack_from(packet)
    body = packet[_IPV6.size : _IPV6.size + length]
    if first >> 28 != 6 or len(body) < length:
        return None
    if following == _ICMP6:
        if len(body) < 24 or body[0] != _ADVERTISEMENT:
            return None
        return Claim(mac, IPv6Address(body[8:24]))
    segment = _read_tcp(body) if following == _TCP else None
    return FromTcp(mac, IPv6Address(source), IPv6Address(destination), segment) if segment else None


def _read_tcp(body: bytes) -> Segment | None:
    source_port, port, sequence, acknowledged, offset, flags, _, _, _ = _TCP_HEAD.unpack_from(body)
    start = (offset >> 4) * 4
    if not _TCP_HEAD.size <= start <= len(body):
        return None
    return Segment(source_port, port, sequence, acknowledged, Flag(flags & 0x1F), body[start:])


def _with_sum(body: bytes, place: int, source: Address, destination: Address, protocol: int) -> bytes:
    """The body with its checksum, which covers the addresses, too."""
    pseudo = source.packed + destination.packed + struct.pack("!II", len(body), protocol)
    return body[:place] + checksum(pseudo + body).to_bytes(2, "big") + body[place + 2 :]


def _ip(
    source_mac: bytes, mac: bytes, source: Address, destination: Address, protocol: int, body: bytes, ttl: int
) -> bytes:
    if isinstance(source, IPv4Address):
        total = _IPV4.size + len(body)
        blank = _IPV4.pack(0x45, 0, total, 0, 0x4000, ttl, protocol, 0, source.packed, destination.packed)
        head = blank[:10] + checksum(blank).to_bytes(2, "big") + blank[12:]
        return _ETHERNET.pack(mac, source_mac, ETH_P_IP) + head + body
    head = _IPV6.pack(6 << 28, len(body), protocol, ttl, source.packed, destination.packed)
    return _ETHERNET.pack(mac, source_mac, ETH_P_IPV6) + head + body
