"""What a packet must be to be forwarded, stated anew and strictly, to hold the data plane against.

It shares nothing with the parsers of the project. It takes a frame apart by the standards (RFC 791, 8200,
9293, 768, 9260, 802.1Q), and answers the key of the virtual service a valid packet is for. TCP's own header length
is, as with IPVS, a matter between client and real server.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from frames import checksum

TCP, UDP, SCTP = 6, 17, 132
_EXTENSIONS = (0, 43, 60)


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
    _require(fragment & 0x3FFF == 0, "a fragment")
    client, virtual = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    first = data[12]
    _require(first not in (0, 127) and first < 224, "a source that can't be")
    return _ports(data[9], data[header:length], client, virtual, length)


def _six(data: bytes) -> Seen:
    _require(len(data) >= 40, "no IPv6 header")
    _require(data[0] >> 4 == 6, "not version 6")
    length = 40 + struct.unpack_from(">H", data, 4)[0]
    _require(length <= len(data), "longer than the frame")
    client, virtual = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    _require(not (client.is_multicast or client.is_loopback or client.is_unspecified), "a source that can't be")
    following, at = data[6], 40
    while following in _EXTENSIONS:
        _require(at + 8 <= length, "an extension header cut off")
        following, at = data[at], at + 8 + 8 * data[at + 1]
    _require(at <= length, "extension headers longer than the packet")
    return _ports(following, data[at:length], client, virtual, length)


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
