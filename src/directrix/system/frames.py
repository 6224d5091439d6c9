"""Ethernet frames that ask a host something or tell everybody something. Pure: bytes out; `heard.py` reads.

What can be asked: who has an address (ARP, RFC 826; neighbour discovery, RFC 4861), whether a TCP
port takes connections (RFC 9293), whether an address answers echo, what time it is there (ICMP
timestamp, RFC 792). A frame goes to the MAC it is given, whatever its IP destination says: that is
how a director sends in direct routing.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from directrix.system.address import Address
from directrix.system.checksum import pseudo_header, with_checksum

BROADCAST = b"\xff" * 6

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_IPIP, _IPV6_IN_IP, _GRE = 4, 41, 47
_ETHERNET = 14
ECHO_REQUEST = {4: 8, 6: 128}
TIMESTAMP = 13
SOLICITATION, ADVERTISEMENT = 135, 136

_HOP_LIMIT = 64
_ND_HOP_LIMIT = 255  # RFC 4861, section 7.1: what came through a router is not believed
_ALL_NODES = IPv6Address("ff02::1")
_OVERRIDE, _ROUTER = 0x20000000, 0x80000000
_SOURCE_LINK, _TARGET_LINK = b"\x01\x01", b"\x02\x01"


class Flag(enum.IntFlag):
    """Flags of a TCP segment (RFC 9293)."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


SYN, RST, ACK = Flag.SYN, Flag.RST, Flag.ACK


@dataclass(frozen=True, slots=True)
class Route:
    """How a frame goes: the MACs, and the addresses in the IP header."""

    source_mac: bytes
    mac: bytes
    source: Address
    destination: Address


def who_has(source_mac: bytes, source: Address, target: Address, mac: bytes = BROADCAST) -> bytes:
    """An ARP request or a neighbour solicitation for an address, to everybody or to one MAC.

    From an unspecified source it is a probe, which changes nobody's cache: of ARP (RFC 5227), or of duplicate address
    detection (RFC 4862).
    """
    if isinstance(target, IPv4Address):
        return _arp(mac, source_mac, source_mac + source.packed, bytes(6) + target.packed)
    group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | (int(target) & 0xFFFFFF))
    to = multicast(group) if mac == BROADCAST else mac
    told = b"" if source.is_unspecified else _SOURCE_LINK + source_mac
    body = struct.pack(">BBHI", SOLICITATION, 0, 0, 0) + target.packed + told
    return _icmpv6(Route(source_mac, to, source, group), body, _ND_HOP_LIMIT)


def announcement(address: Address, mac: bytes, *, router: bool = False) -> bytes:
    """What tells everybody on a wire that an address is at a MAC now; `router`: of a host that forwards (IPv6).

    For IPv4 a gratuitous ARP request (RFC 5227 section 3), to the byte as keepalived sends it; for IPv6 an unsolicited
    neighbour advertisement with the override flag to all nodes (RFC 4861 section 7.2.6).
    """
    if isinstance(address, IPv4Address):
        return _arp(BROADCAST, mac, mac + address.packed, BROADCAST + address.packed)
    flags = _OVERRIDE | (_ROUTER if router else 0)
    body = struct.pack(">BBHI", ADVERTISEMENT, 0, 0, flags) + address.packed + _TARGET_LINK + mac
    return _icmpv6(Route(mac, multicast(_ALL_NODES), address, _ALL_NODES), body, _ND_HOP_LIMIT)


def tcp(
    route: Route,
    source_port: int,
    port: int,
    flags: Flag = SYN,
    *,
    sequence: int = 0,
    acknowledged: int = 0,
    mss: int = 1460,
    payload: bytes = b"",
    hop_limit: int = _HOP_LIMIT,
) -> bytes:
    """A TCP segment; a SYN tells the maximum segment size."""
    options = struct.pack(">BBH", 2, 4, mss) if flags & SYN else b""
    offset = (20 + len(options)) // 4 << 12
    head = struct.pack(">HHIIHHHH", source_port, port, sequence, acknowledged, offset | flags, 65535, 0, 0)
    body = head + options + payload
    before = pseudo_header(route.source, route.destination, len(body), TCP)
    return in_ip(route, TCP, with_checksum(body, 16, before), hop_limit)


def udp(route: Route, source_port: int, port: int) -> bytes:
    """An empty UDP datagram."""
    head = struct.pack(">HHHH", source_port, port, 8, 0)
    summed = with_checksum(head, 6, pseudo_header(route.source, route.destination, 8, UDP))
    # A checksum of 0 stands for none at all (RFC 768).
    return in_ip(route, UDP, summed if summed[6:] != b"\0\0" else summed[:6] + b"\xff\xff")


def echo(route: Route, identifier: int, length: int = 64, *, hop_limit: int = _HOP_LIMIT) -> bytes:
    """An ICMP echo request that makes an IP packet of `length` bytes, not to be fragmented."""
    version = route.destination.version
    head = struct.pack(">BBHHH", ECHO_REQUEST[version], 0, 0, identifier, 1)
    body = head + bytes(max(0, length - (20 if version == 4 else 40) - len(head)))
    if version == 6:
        return _icmpv6(route, body, hop_limit)
    return in_ip(route, ICMP, with_checksum(body, 2), hop_limit)


def timestamp(route: Route, identifier: int, now: int) -> bytes:
    """An ICMP timestamp request (IPv4 only); `now` is in milliseconds since midnight UTC."""
    body = struct.pack(">BBHHHIII", TIMESTAMP, 0, 0, identifier, 1, now, 0, 0)
    return in_ip(route, ICMP, with_checksum(body, 2))


def tunnelled(route: Route, inner: bytes, kind: str, port: int = 0) -> bytes:
    """A frame with another frame's packet in a tunnel: `ipip`, `gre`, or `gue` to a UDP port; without checksums."""
    packet = inner[_ETHERNET:]
    ipv4 = packet[0] >> 4 == 4
    if kind == "ipip":
        return in_ip(route, _IPIP if ipv4 else _IPV6_IN_IP, packet)
    if kind == "gre":
        return in_ip(route, _GRE, struct.pack(">HH", 0, IPV4 if ipv4 else IPV6) + packet)
    gue = struct.pack(">BBH", 0, _IPIP if ipv4 else _IPV6_IN_IP, 0) + packet
    return in_ip(route, UDP, struct.pack(">HHHH", port, port, 8 + len(gue), 0) + gue)


def multicast(group: IPv6Address) -> bytes:
    """The MAC that frames for a group go to (RFC 2464)."""
    return b"\x33\x33" + group.packed[12:]


def _arp(mac: bytes, source_mac: bytes, sender: bytes, target: bytes) -> bytes:
    return _ethernet(mac, source_mac, ARP, struct.pack(">HHBBH", 1, IPV4, 6, 4, 1) + sender + target)


def _ethernet(mac: bytes, source_mac: bytes, kind: int, body: bytes) -> bytes:
    return mac + source_mac + struct.pack(">H", kind) + body


def _icmpv6(route: Route, body: bytes, hop_limit: int = _HOP_LIMIT) -> bytes:
    before = pseudo_header(route.source, route.destination, len(body), ICMPV6)
    return in_ip(route, ICMPV6, with_checksum(body, 2, before), hop_limit)


def in_ip(route: Route, protocol: int, body: bytes, hop_limit: int = _HOP_LIMIT) -> bytes:
    """A frame with an IP packet of any protocol, in IPv4 not to be fragmented."""
    addresses = route.source.packed + route.destination.packed
    if route.destination.version == 6:
        header = struct.pack(">IHBB", 6 << 28, len(body), protocol, hop_limit) + addresses
        return _ethernet(route.mac, route.source_mac, IPV6, header + body)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, hop_limit, protocol, 0)
    return _ethernet(route.mac, route.source_mac, IPV4, with_checksum(head + addresses, 10) + body)
