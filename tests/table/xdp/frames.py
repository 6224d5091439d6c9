"""Frames as clients send them, made by hand so that thousands a second can be made."""

from __future__ import annotations

import struct
from functools import cache
from ipaddress import ip_address

from data_plane import GATEWAY_MAC, WIRE_MAC, real_mac

from directrix.lvs import Address
from directrix.lvs.tcp import TcpFlags

CLIENT = ip_address("192.0.2.10")
CLIENT6 = ip_address("2001:db8::10")
TCP, UDP, SCTP = 6, 17, 132
FIN, SYN, RST, ACK = TcpFlags.FIN, TcpFlags.SYN, TcpFlags.RST, TcpFlags.ACK
_ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@cache
def _crc32c_of_bytes() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


def crc32c(data: bytes) -> int:
    """SCTP's checksum (RFC 9260, appendix A), sent with its lowest byte first."""
    of_bytes = _crc32c_of_bytes()
    register = 0xFFFFFFFF
    for byte in data:
        register = register >> 8 ^ of_bytes[(register ^ byte) & 0xFF]
    return register ^ 0xFFFFFFFF


def ethernet(payload: bytes, version: int, tags: tuple[int, ...] = (), to: bytes = WIRE_MAC) -> bytes:
    """An Ethernet frame from the gateway; of two tags the outer one is 802.1ad."""
    head = to + GATEWAY_MAC
    for place, tag in enumerate(tags):
        head += (b"\x88\xa8" if len(tags) > 1 and place == 0 else b"\x81\x00") + struct.pack(">H", tag)
    return head + _ETHERTYPE[version] + payload


def time_left(frame: bytes) -> int:
    """The TTL or hop limit of a frame's packet, behind any tags."""
    network = _network(frame)
    return frame[network + (8 if frame[network - 2 : network] == _ETHERTYPE[4] else 7)]


def routed(frame: bytes, number: int = 1, source: bytes = WIRE_MAC) -> bytes:
    """A client's frame on its way to a real server: with its MAC, and the time counted down."""
    network = _network(frame)
    packet = bytearray(frame[network:])
    if frame[network - 2 : network] == _ETHERTYPE[4]:
        packet[8] -= 1
        packet[10:12] = bytes(2)
        packet[10:12] = struct.pack(">H", checksum(bytes(packet[: (packet[0] & 15) * 4])))
    else:
        packet[7] -= 1
    return real_mac(number) + source + frame[12:network] + packet


def _network(frame: bytes) -> int:
    at = 14
    while frame[at - 2 : at] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return at


def ipv4(
    payload: bytes,
    protocol: int,
    source: Address,
    target: Address,
    *,
    options: bytes = b"",
    fragment: int = 0,
    ttl: int = 64,
) -> bytes:
    """An IPv4 packet."""
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x45 + len(options) // 4,
        0,
        20 + len(options) + len(payload),
        1,
        fragment,
        ttl,
        protocol,
        0,
        source.packed,
        target.packed,
    )
    head += options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(payload: bytes, next_header: int, source: Address, target: Address, *, hops: int = 64) -> bytes:
    """An IPv6 packet."""
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), next_header, hops, source.packed, target.packed) + payload


def tcp(source: int, target: int, flags: int = SYN, data: bytes = b"") -> bytes:
    """A TCP segment; the data plane does not look at its checksum."""
    return struct.pack(">HHIIBBHHH", source, target, 1, 0, 0x50, flags, 1000, 0, 0) + data


def udp(source: int, target: int, data: bytes = b"data") -> bytes:
    """A UDP datagram."""
    return struct.pack(">HHHH", source, target, 8 + len(data), 0) + data


def chunk(kind: int, data: bytes = b"", length: int | None = None) -> bytes:
    """A chunk of SCTP with its padding; `length` is what it says of itself if that isn't true."""
    size = 4 + len(data) if length is None else length
    return struct.pack(">BBH", kind, 0, size) + data + bytes(-len(data) % 4)


def sctp(source: int, target: int, *chunks: bytes) -> bytes:
    """A packet of SCTP; the data plane does not look at its checksum."""
    return struct.pack(">HHII", source, target, 1, 0) + b"".join(chunks)


def association(
    target: Address, port: int, *kinds: int, client_port: int = 1024, client: Address | None = None
) -> bytes:
    """A frame with a packet of SCTP, of chunks of these kinds, from a client to a virtual address."""
    version = target.version
    if client is None:
        client = CLIENT if version == 4 else CLIENT6
    payload = sctp(client_port, port, *(chunk(kind, bytes(16)) for kind in kinds))
    return ethernet((ipv4 if version == 4 else ipv6)(payload, SCTP, client, target), version)


def packet(
    protocol: int, target: Address, port: int, client_port: int = 1024, flags: int = SYN, client: Address | None = None
) -> bytes:
    """A frame with a packet of a client to a virtual address."""
    version = target.version
    if client is None:
        client = CLIENT if version == 4 else CLIENT6
    payload = tcp(client_port, port, flags) if protocol == TCP else udp(client_port, port)
    return ethernet((ipv4 if version == 4 else ipv6)(payload, protocol, client, target), version)
