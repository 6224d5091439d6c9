"""What a frame that was received says. Pure: bytes in; `frames.py` makes those it answers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from directrix.system.address import Address
from directrix.system.frames import ADVERTISEMENT, ARP, ICMP, ICMPV6, IPV4, IPV6, SOLICITATION, TCP, Flag

_ECHO_REPLY = {4: 0, 6: 129}
_TIMESTAMP_REPLY = 14
_ERRORS = {4: {3: "unreachable", 11: "exceeded"}, 6: {1: "unreachable", 3: "exceeded"}}
_ARP_KINDS = {1: "arp-request", 2: "arp-reply"}
_FLAGS = sum(Flag)
_NO_FLAGS = Flag(0)
_FRAGMENT = 0x3FFF
"""More fragments, or an offset: only whole packets are read."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame that was received, as far as a packet inside it can be told.

    Attributes:
        mac: who sent the frame.
        to: the MAC it was sent to.
        source, destination: of the IP header; of ARP and neighbour discovery, the address of who
            speaks, and the one that is asked for or told of.
        kind: one of `arp-request`, `arp-reply`, `solicitation`, `advertisement`, `tcp`,
            `echo-reply`, `timestamp-reply`, `unreachable`, `exceeded` (its TTL).
        link: the link-layer address told of, in ARP and neighbour discovery.
        source_port, port, sequence, acknowledged, flags, payload: of TCP.
        mss: the maximum segment size of a TCP header that tells one, else 0.
        identifier: of ICMP's echo and timestamp.
        code: of the last two; `source_port` and `port` are then those of the packet they are about.
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
    flags: Flag = _NO_FLAGS
    payload: bytes = b""
    mss: int = 0
    identifier: int = 0
    code: int = 0
    time: int | None = None


def parse(frame: bytes) -> Heard | None:
    """What a frame says; None if it is nothing that answers a question asked here, or is cut off."""
    try:
        return _parse(frame)
    except (struct.error, ValueError, IndexError):
        return None


def _parse(frame: bytes) -> Heard | None:
    to, mac, kind = frame[:6], frame[6:12], int.from_bytes(frame[12:14], "big")
    body = frame[14:]
    if kind == ARP:
        _, protocol, _, _, operation, link, sender, _, target = struct.unpack_from(">HHBBH6s4s6s4s", body)
        if protocol != IPV4 or operation not in _ARP_KINDS:
            return None
        return Heard(mac, to, IPv4Address(sender), IPv4Address(target), _ARP_KINDS[operation], link)
    if kind == IPV4:
        first, _, total, _, fragment, _, protocol = struct.unpack_from(">BBHHHBB", body)
        length = (first & 15) * 4
        if first >> 4 != 4 or fragment & _FRAGMENT or not 20 <= length <= total <= len(body):
            return None
        source, destination, rest = ip_address(body[12:16]), ip_address(body[16:20]), body[length:total]
    elif kind == IPV6:
        first, length, protocol = struct.unpack_from(">IHB", body)
        if first >> 28 != 6 or len(body) < 40 + length:
            return None
        source, destination, rest = ip_address(body[8:24]), ip_address(body[24:40]), body[40 : 40 + length]
    else:
        return None
    if protocol == TCP:
        return _tcp(mac, to, source, destination, rest)
    if protocol in (ICMP, ICMPV6):
        return _icmp(mac, to, source, destination, rest)
    return None


def _tcp(mac: bytes, to: bytes, source: Address, destination: Address, rest: bytes) -> Heard | None:
    source_port, port, sequence, acknowledged, word, *_ = struct.unpack_from(">HHIIHHHH", rest)
    start = (word >> 12) * 4
    if not 20 <= start <= len(rest):
        return None
    return Heard(
        mac, to, source, destination, "tcp",
        source_port=source_port, port=port, sequence=sequence, acknowledged=acknowledged,
        flags=Flag(word & _FLAGS), payload=rest[start:], mss=_mss(rest[20:start]),
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


def _icmp(mac: bytes, to: bytes, source: Address, destination: Address, rest: bytes) -> Heard | None:
    kind, code, _, identifier = struct.unpack_from(">BBHH", rest)
    version = source.version
    if kind == _ECHO_REPLY[version]:
        return Heard(mac, to, source, destination, "echo-reply", identifier=identifier)
    if version == 4 and kind == _TIMESTAMP_REPLY:
        received = struct.unpack_from(">I", rest, 12)[0]
        # The highest bit set means: not milliseconds since midnight UTC (RFC 792).
        return Heard(
            mac, to, source, destination, "timestamp-reply",
            identifier=identifier, time=None if received >> 31 else received,
        )  # fmt: skip
    if version == 6 and kind in (SOLICITATION, ADVERTISEMENT):
        name = "solicitation" if kind == SOLICITATION else "advertisement"
        link = rest[26:32] if len(rest) >= 32 and rest[24] in (1, 2) else mac
        return Heard(mac, to, source, IPv6Address(rest[8:24]), name, link)
    if kind in _ERRORS[version]:
        quoted = rest[8:]
        length = (quoted[0] & 15) * 4 if version == 4 else 40
        source_port, port = struct.unpack_from(">HH", quoted, length)
        name = _ERRORS[version][kind]
        return Heard(mac, to, source, destination, name, source_port=source_port, port=port, code=code)
    return None
