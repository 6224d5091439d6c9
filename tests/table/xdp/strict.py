"""What a packet must be to be forwarded, stated anew and strictly, to hold the data plane against.

It shares nothing with the parsers of the project. It takes a frame apart by the standards (RFC 791, 792, 8200,
4302, 4443, 9293, 768, 9260, 802.1Q), and answers the key of the virtual service a valid packet is for. TCP's own header
length is, as with IPVS, a matter between client and real server. An ICMP error is for the service that the packet
it quotes came from.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from frames import checksum

TCP, UDP, SCTP = 6, 17, 132
_ICMP, _ICMPV6 = 1, 58
_EXTENSIONS = (0, 43, 44, 51, 60)
_FRAGMENT, _AUTHENTICATION = 44, 51


class Invalid(Exception):
    """The frame holds no valid packet for a virtual service."""


@dataclass(frozen=True)
class Seen:
    """What a valid packet says."""

    protocol: int
    client: IPv4Address | IPv6Address
    virtual: IPv4Address | IPv6Address
    port: int
    length: int
    fragment: bool = False
    """It is one, and if its port is 0 not the first."""
    quoted: bool = False


def seen(frame: bytes, mac: bytes) -> Seen:
    """Take apart a frame for the device with this MAC.

    Raises:
        Invalid: it is not a valid packet, or not one whose ports can be known.
    """
    _require(len(frame) >= 14, "no Ethernet header")
    _require(frame[:6] == mac, "for another host")
    at, kind = 14, frame[12:14]
    for _ in range(2):
        if kind in (b"\x81\x00", b"\x88\xa8"):
            _require(len(frame) >= at + 4, "no VLAN header")
            kind = frame[at + 2 : at + 4]
            at += 4
    if kind == b"\x08\x00":
        return _four(frame[at:])
    _require(kind == b"\x86\xdd", "not IP")
    return _six(frame[at:])


def transport_of(packet: bytes) -> tuple[int, int]:
    """The protocol that a packet, from its IP header on, carries, and where that begins."""
    if packet[0] >> 4 == 4:
        return packet[9], (packet[0] & 15) * 4
    following, at, _, _ = _behind(packet, packet[6])
    return following, at


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise Invalid(what)


def _four(data: bytes) -> Seen:
    _require(len(data) >= 20, "no IPv4 header")
    _require(data[0] >> 4 == 4, "not version 4")
    header = (data[0] & 15) * 4
    (length,) = struct.unpack_from(">H", data, 2)
    _require(20 <= header <= length <= len(data), "lengths contradict each other")
    _require(checksum(data[:header]) == 0, "wrong header checksum")
    (fragment,) = struct.unpack_from(">H", data, 6)
    client, virtual = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    if data[9] == _ICMP and not fragment & 0x3FFF:
        return _error4(data[header:length], length)
    if fragment & 0x3FFF:
        return _fragment(data[9], data[header:length], client, virtual, (fragment & 0x1FFF) * 8)
    first = data[12]
    _require(first not in (0, 127) and first < 224, "a source that can't be")
    return _ports(data[9], data[header:length], client, virtual, length)


def _fragment(
    protocol: int, data: bytes, client: IPv4Address | IPv6Address, virtual: IPv4Address | IPv6Address, offset: int
) -> Seen:
    _require(bool(data) and offset + len(data) <= 65535, "a fragment of no datagram")
    _require(protocol in (TCP, UDP, SCTP) or (offset and virtual.version == 6), "none of TCP, UDP and SCTP")
    _require(bool(offset) or len(data) >= 4, "no ports")
    return Seen(protocol, client, virtual, 0 if offset else struct.unpack_from(">H", data, 2)[0], len(data), True)


def _error4(data: bytes, length: int) -> Seen:
    _require(len(data) >= 28 and data[0] in (3, 4, 11), "no ICMP error")
    _require(checksum(data) == 0, "wrong ICMP checksum")
    quote = data[8:]
    header = (quote[0] & 15) * 4
    _require(quote[0] >> 4 == 4 and 20 <= header <= len(quote) - 4, "no quote")
    _require(not struct.unpack_from(">H", quote, 6)[0] & 0x1FFF, "a quoted fragment without ports")
    source, target = IPv4Address(quote[12:16]), IPv4Address(quote[16:20])
    return Seen(quote[9], target, source, struct.unpack_from(">H", quote, header)[0], length, quoted=True)


def _six(data: bytes) -> Seen:
    _require(len(data) >= 40, "no IPv6 header")
    _require(data[0] >> 4 == 6, "not version 6")
    length = 40 + struct.unpack_from(">H", data, 4)[0]
    _require(length <= len(data), "longer than the frame")
    client, virtual = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    following, at, offset, fragmented = _behind(data[:length], data[6])
    if following == _ICMPV6:
        _require(not fragmented, "a fragment of ICMP")
        return _error6(data[at:length], length)
    if fragmented:
        return _fragment(following, data[at:length], client, virtual, offset)
    _require(not (client.is_multicast or client.is_loopback or client.is_unspecified), "a source that can't be")
    return _ports(following, data[at:length], client, virtual, length)


def _behind(data: bytes, following: int) -> tuple[int, int, int, bool]:
    """What follows the extension headers, where, and of a fragment its offset."""
    at = 40
    fragmented = False
    while following in _EXTENSIONS:
        _require(at + 8 <= len(data), "an extension header cut off")
        kind, following = following, data[at]
        if kind == _FRAGMENT:
            (place,) = struct.unpack_from(">H", data, at + 2)
            at += 8
            if place & 0xFFF9:
                fragmented = True
                if place & 0xFFF8:
                    return following, at, place & 0xFFF8, True
        elif kind == _AUTHENTICATION:
            at += 8 + 4 * data[at + 1]
        else:
            at += 8 + 8 * data[at + 1]
    _require(at <= len(data), "extension headers longer than the packet")
    return following, at, 0, fragmented


def _error6(data: bytes, length: int) -> Seen:
    _require(len(data) >= 48 and data[0] < 128 and data[8] >> 4 == 6, "no ICMPv6 error")
    quote = data[8:]
    following, at, offset, _ = _behind(quote, quote[6])
    _require(not offset and len(quote) >= at + 4, "a quote without ports")
    source, target = IPv6Address(quote[8:24]), IPv6Address(quote[24:40])
    return Seen(following, target, source, struct.unpack_from(">H", quote, at)[0], length, quoted=True)


def _ports(
    protocol: int, data: bytes, client: IPv4Address | IPv6Address, virtual: IPv4Address | IPv6Address, length: int
) -> Seen:
    if protocol == TCP:
        _require(len(data) >= 20, "no TCP header")
    elif protocol == SCTP:
        _require(len(data) >= 16, "no header or no chunk of SCTP")
    else:
        _require(protocol == UDP, "none of TCP, UDP and SCTP")
        _require(len(data) >= 8, "no UDP header")
    return Seen(protocol, client, virtual, struct.unpack_from(">H", data, 2)[0], length)
