"""Ethernet frames that ask a host something, and reading what comes back. Pure: bytes in, bytes out.

What can be asked: who has an address (ARP, RFC 826; neighbour discovery, RFC 4861), whether a TCP
port takes connections (RFC 9293), whether an address answers echo, what time it is there (ICMP
timestamp, RFC 792). A frame goes to the MAC it is given, whatever its IP destination says: that is
how a director sends in direct routing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

BROADCAST = b"\xff" * 6

_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_IPIP, _IPV6_IN_IP, _GRE = 4, 41, 47
_ETHERNET = 14
_HOP_LIMIT = 64
_ND_HOP_LIMIT = 255  # RFC 4861, section 7.1: what came through a router is not believed

SYN, RST, ACK = 0x02, 0x04, 0x10

ECHO_REPLY = {4: 0, 6: 129}
_ECHO_REQUEST = {4: 8, 6: 128}
_TIMESTAMP, _TIMESTAMP_REPLY = 13, 14
_UNREACHABLE = {4: 3, 6: 1}
_SOLICITATION, _ADVERTISEMENT = 135, 136


@dataclass(frozen=True, slots=True)
class Route:
    """How a frame goes: the MACs, and the addresses in the IP header."""

    source_mac: bytes
    mac: bytes
    source: Address
    destination: Address


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame that was received, as far as a packet inside it can be told.

    Attributes:
        mac: who sent the frame.
        to: the MAC it was sent to.
        source, destination: of the IP header; of ARP and neighbour discovery, the address of who
            speaks, and the one that is asked for or told of.
        kind: one of `arp-request`, `arp-reply`, `solicitation`, `advertisement`, `tcp`,
            `echo-reply`, `timestamp-reply`, `unreachable`.
        link: the link-layer address told of, in ARP and neighbour discovery.
        source_port, port, sequence, acknowledged, flags: of TCP. `flags` holds SYN, RST, ACK.
        mss: the maximum segment size of a TCP header that tells one, else 0.
        identifier: of ICMP's echo and timestamp.
        code: of an unreachable; `source_port` and `port` are then those of the packet it is about.
        time: milliseconds since midnight UTC at who answers; None if it does not know.
    """

    mac: bytes
    to: bytes
    source: Address
    destination: Address
    kind: str
    link: bytes = b""
    source_port: int = 0
    port: int = 0
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0
    mss: int = 0
    identifier: int = 0
    code: int = 0
    time: int | None = None


def who_has(source_mac: bytes, source: Address, target: Address, mac: bytes = BROADCAST) -> bytes:
    """An ARP request or a neighbour solicitation for an address, to everybody or to one MAC.

    The source 0.0.0.0 makes it an ARP probe, which changes nobody's cache (RFC 5227).
    """
    if isinstance(target, IPv4Address):
        body = struct.pack(">HHBBH", 1, _IPV4, 6, 4, 1) + source_mac + source.packed + bytes(6) + target.packed
        return _ethernet(mac, source_mac, _ARP, body)
    group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | (int(target) & 0xFFFFFF))
    to = b"\x33\x33" + group.packed[12:] if mac == BROADCAST else mac
    body = struct.pack(">BBHI", _SOLICITATION, 0, 0, 0) + target.packed + b"\x01\x01" + source_mac
    return in_ip(Route(source_mac, to, source, group), _ICMPV6, _icmpv6(source, group, body), _ND_HOP_LIMIT)


def tcp(
    route: Route,
    source_port: int,
    port: int,
    flags: int = SYN,
    *,
    sequence: int = 0,
    acknowledged: int = 0,
    mss: int = 1460,
) -> bytes:
    """A TCP segment without data; a SYN tells the maximum segment size."""
    options = struct.pack(">BBH", 2, 4, mss) if flags & SYN else b""
    offset = (20 + len(options)) // 4 << 12
    head = struct.pack(">HHIIHHHH", source_port, port, sequence, acknowledged, offset | flags, 64240, 0, 0)
    body = head + options
    total = _checksum(_pseudo(route, _TCP, len(body)) + body)
    return in_ip(route, _TCP, body[:16] + struct.pack(">H", total) + body[18:])


def udp(route: Route, source_port: int, port: int) -> bytes:
    """An empty UDP datagram."""
    head = struct.pack(">HHHH", source_port, port, 8, 0)
    total = _checksum(_pseudo(route, _UDP, 8) + head) or 0xFFFF
    return in_ip(route, _UDP, head[:6] + struct.pack(">H", total))


def echo(route: Route, identifier: int, length: int = 64) -> bytes:
    """An ICMP echo request that makes an IP packet of `length` bytes, not to be fragmented."""
    header = 20 if route.destination.version == 4 else 40
    head = struct.pack(">BBHHH", _ECHO_REQUEST[route.destination.version], 0, 0, identifier, 1)
    body = head + bytes(max(0, length - header - len(head)))
    if route.destination.version == 6:
        return in_ip(route, _ICMPV6, _icmpv6(route.source, route.destination, body))
    return in_ip(route, _ICMP, _icmp(body))


def timestamp(route: Route, identifier: int, now: int) -> bytes:
    """An ICMP timestamp request (IPv4 only); `now` is in milliseconds since midnight UTC."""
    return in_ip(route, _ICMP, _icmp(struct.pack(">BBHHHIII", _TIMESTAMP, 0, 0, identifier, 1, now, 0, 0)))


def tunnelled(route: Route, inner: bytes, kind: str, port: int = 0) -> bytes:
    """A frame with another frame's packet in a tunnel: `ipip`, `gre`, or `gue` to a UDP port; without checksums."""
    packet = inner[_ETHERNET:]
    ipv4 = packet[0] >> 4 == 4
    if kind == "ipip":
        return in_ip(route, _IPIP if ipv4 else _IPV6_IN_IP, packet)
    if kind == "gre":
        return in_ip(route, _GRE, struct.pack(">HH", 0, _IPV4 if ipv4 else _IPV6) + packet)
    gue = struct.pack(">BBH", 0, _IPIP if ipv4 else _IPV6_IN_IP, 0) + packet
    return in_ip(route, _UDP, struct.pack(">HHHH", port, port, 8 + len(gue), 0) + gue)


def parse(frame: bytes) -> Heard | None:
    """What a frame says; None if it is nothing that answers a question asked here, or is cut off."""
    try:
        return _parse(frame)
    except (struct.error, ValueError, IndexError):
        return None


def _parse(frame: bytes) -> Heard | None:
    to, mac, kind = frame[:6], frame[6:12], int.from_bytes(frame[12:14], "big")
    body = frame[14:]
    if kind == _ARP:
        operation = struct.unpack_from(">HHBBH", body)[4]
        sender, target = IPv4Address(body[14:18]), IPv4Address(body[24:28])
        names = {1: "arp-request", 2: "arp-reply"}
        return Heard(mac, to, sender, target, names[operation], body[8:14]) if operation in names else None
    if kind == _IPV4:
        length, protocol = (body[0] & 15) * 4, body[9]
        if int.from_bytes(body[6:8], "big") & 0x1FFF:
            return None
        source, destination, rest = ip_address(body[12:16]), ip_address(body[16:20]), body[length:]
    elif kind == _IPV6:
        protocol, source, destination, rest = body[6], ip_address(body[8:24]), ip_address(body[24:40]), body[40:]
    else:
        return None
    if protocol == _TCP:
        return _tcp_heard(mac, to, source, destination, rest)
    if protocol in (_ICMP, _ICMPV6):
        return _icmp_heard(mac, to, source, destination, rest)
    return None


def _tcp_heard(mac: bytes, to: bytes, source: Address, destination: Address, rest: bytes) -> Heard:
    ports = struct.unpack_from(">HHIIH", rest)
    source_port, port, sequence, acknowledged, word = ports
    return Heard(
        mac, to, source, destination, "tcp",
        source_port=source_port, port=port, sequence=sequence, acknowledged=acknowledged,
        flags=word & (SYN | RST | ACK), mss=_mss(rest[20 : (word >> 12) * 4]),
    )  # fmt: skip


def _mss(options: bytes) -> int:
    at = 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        if options[at] == 2:
            return int.from_bytes(options[at + 2 : at + 4], "big")
        at += max(2, options[at + 1])
    return 0


def _icmp_heard(mac: bytes, to: bytes, source: Address, destination: Address, rest: bytes) -> Heard | None:
    kind, code, _, identifier = struct.unpack_from(">BBHH", rest)
    version = source.version
    if kind == ECHO_REPLY[version]:
        return Heard(mac, to, source, destination, "echo-reply", identifier=identifier)
    if version == 4 and kind == _TIMESTAMP_REPLY:
        received = struct.unpack_from(">I", rest, 12)[0]
        # The highest bit set means: not milliseconds since midnight UTC (RFC 792).
        return Heard(
            mac, to, source, destination, "timestamp-reply",
            identifier=identifier, time=None if received >> 31 else received,
        )  # fmt: skip
    if version == 6 and kind in (_SOLICITATION, _ADVERTISEMENT):
        name = "solicitation" if kind == _SOLICITATION else "advertisement"
        link = rest[26:32] if len(rest) >= 32 and rest[24] in (1, 2) else mac
        return Heard(mac, to, source, IPv6Address(rest[8:24]), name, link)
    if kind == _UNREACHABLE[version]:
        quoted = rest[8:]
        length = (quoted[0] & 15) * 4 if version == 4 else 40
        source_port, port = struct.unpack_from(">HH", quoted, length)
        return Heard(mac, to, source, destination, "unreachable", source_port=source_port, port=port, code=code)
    return None


def _ethernet(mac: bytes, source_mac: bytes, kind: int, body: bytes) -> bytes:
    return mac + source_mac + struct.pack(">H", kind) + body


def in_ip(route: Route, protocol: int, body: bytes, hop_limit: int = _HOP_LIMIT) -> bytes:
    """A frame with an IP packet of any protocol, in IPv4 not to be fragmented."""
    if route.destination.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(body), protocol, hop_limit)
        kind, header = _IPV6, head + route.source.packed + route.destination.packed
    else:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, hop_limit, protocol, 0)
        header = head + route.source.packed + route.destination.packed
        kind, header = _IPV4, header[:10] + struct.pack(">H", _checksum(header)) + header[12:]
    return _ethernet(route.mac, route.source_mac, kind, header + body)


def _icmp(body: bytes) -> bytes:
    return body[:2] + struct.pack(">H", _checksum(body)) + body[4:]


def _icmpv6(source: Address, destination: Address, body: bytes) -> bytes:
    pseudo = source.packed + destination.packed + struct.pack(">II", len(body), _ICMPV6)
    return body[:2] + struct.pack(">H", _checksum(pseudo + body)) + body[4:]


def _pseudo(route: Route, protocol: int, length: int) -> bytes:
    """What TCP and UDP checksums cover beside the segment."""
    numbers = (
        struct.pack(">HH", protocol, length) if route.source.version == 4 else struct.pack(">II", length, protocol)
    )
    return route.source.packed + route.destination.packed + numbers


def _checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
