"""Packets for a tunnelling director, each with the real server it is for. Knows neither IPVS nor the data plane."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from directrix.lvs import Address

TCP, UDP = 6, 17
VIPS: dict[int, Address] = {4: ip_address("10.0.0.1"), 6: ip_address("fd00::1")}
SERVERS: dict[int, Address] = {4: ip_address("10.0.0.11"), 6: ip_address("fd00::11")}
CLIENTS: dict[int, Address] = {4: ip_address("192.0.2.10"), 6: ip_address("2001:db8::10")}
DIRECTORS: dict[int, Address] = {4: ip_address("10.0.0.2"), 6: ip_address("fd00::2")}
KINDS = {
    "ipip": "",
    "gre": "--tun-type gre",
    "gre-csum": "--tun-type gre --tun-csum",
    "gue": "--tun-type gue --tun-port 6080",
    "gue-csum": "--tun-type gue --tun-port 6080 --tun-csum",
    "gue-remcsum": "--tun-type gue --tun-port 6080 --tun-remcsum",
}
"""Tunnels, and ipvsadm's words for them."""

OVERHEAD = {"ipip": 0, "gre": 4, "gre-csum": 8, "gue": 12, "gue-csum": 12, "gue-remcsum": 12}
"""Bytes between the outer IP header and the inner."""


@dataclass(frozen=True, slots=True)
class Case:
    """A packet and the tunnel it meets.

    Attributes:
        kind: one of KINDS.
        outer: the family of the real server's address, 4 or 6.
        inner: the family of the service.
        what: what is special about the packet.
        protocol: TCP or UDP.
        packet: from its IP header on.
    """

    kind: str
    outer: int
    inner: int
    what: str
    protocol: int
    packet: bytes

    @property
    def name(self) -> str:
        """Names it in the transcript."""
        return f"{self.kind} {self.inner}-in-{self.outer} {self.what}"


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    """What a transport's checksum covers besides itself."""
    return source + target + struct.pack(">II", length, protocol)


def packet(
    version: int, protocol: int, port: int, size: int = 0, *, ttl: int = 64, tos: int = 0, df: bool = True
) -> bytes:
    """A SYN or a datagram of the client's `port` to the VIP; `size` is the whole packet's, 0 for the smallest."""
    source, target = CLIENTS[version].packed, VIPS[version].packed
    head = {4: 20, 6: 40}[version]
    data = bytes(max(0, size - head - {TCP: 20, UDP: 8}[protocol]))
    if protocol == TCP:
        segment, at = struct.pack(">HHIIBBHHH", port, 80, 1, 0, 0x50, 2, 1000, 0, 0) + data, 16
    else:
        segment, at = struct.pack(">HHHH", port, 53, 8 + len(data), 0) + data, 6
    total = checksum(pseudo(source, target, protocol, len(segment)) + segment)
    segment = segment[:at] + struct.pack(">H", total) + segment[at + 2 :]
    if version == 6:
        return struct.pack(">IHBB", 6 << 28 | tos << 20, len(segment), protocol, ttl) + source + target + segment
    flags = 0x4000 if df else 0
    ip = struct.pack(">BBHHHBBH", 0x45, tos, 20 + len(segment), 7, flags, ttl, protocol, 0) + source + target
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + segment


def cases() -> Iterator[Case]:
    """All there are. Every tunnel has a client's port of its own, for IPVS's connections outlive its services."""
    port = 1024
    for kind in KINDS:
        for outer in (4, 6):
            room = 1500 - OVERHEAD[kind] - {4: 20, 6: 40}[outer]
            for inner in (4, 6):
                port += 1
                for what, protocol, values in (
                    ("syn", TCP, {}),
                    ("datagram", UDP, {"size": 101}),
                    ("tos 0xb9", TCP, {"tos": 0xB9}),
                    ("congestion met", TCP, {"tos": 0x03}),
                    ("ttl 2", TCP, {"ttl": 2}),
                    ("ttl 1", TCP, {"ttl": 1}),
                    ("without df", UDP, {"df": False}),
                    ("fits", TCP, {"size": room}),
                    ("too big", TCP, {"size": room + 1}),
                ):
                    if inner == 4 or what != "without df":
                        yield Case(kind, outer, inner, what, protocol, packet(inner, protocol, port, **values))  # type: ignore[arg-type]


def large_cases() -> Iterator[tuple[Case, int]]:
    """Packets that IPVS cuts, each with the value of pmtu_disc that makes it."""
    port = 3000
    for kind in KINDS:
        for outer in (4, 6):
            for df in (False, True):
                port += 1
                what = "cut in spite of df" if df else "cut"
                yield Case(kind, outer, 4, what, UDP, packet(4, UDP, port, 1500, df=df)), 0 if df else 1


ERRORS = {"too big": (3, 4, 1400), "host unreachable": (3, 1, 0), "protocol unreachable": (3, 2, 0), "late": (11, 0, 0)}
"""What a router in a tunnel may say: type, code, value. IPVS tells the client, of IPv4 in IPv4 alone."""


def error_cases() -> Iterator[Case]:
    """SYNs about whose outer packet a router will say each of ERRORS."""
    port = 4000
    for kind in KINDS:
        for what in ERRORS:
            port += 1
            yield Case(kind, 4, 4, what, TCP, packet(4, TCP, port))


def error(outer: bytes, what: str) -> bytes:
    """What a router says to the director about an outer packet."""
    kind, code, value = ERRORS[what]
    message = struct.pack(">BBHI", kind, code, 0, value) + outer
    message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
    router = ip_address("10.0.0.50").packed
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(message), 7, 0, 64, 1, 0) + router + DIRECTORS[4].packed
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + message
