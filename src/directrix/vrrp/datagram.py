"""The IP datagrams adverts travel in, headers included: IPv4, IPv4 with an Authentication Header, IPv6.

keepalived's AH is that of RFC 2402 with HMAC-MD5-96 and rules of its own, which we keep so that both understand each
other: the security parameter index is the sender's IPv4 address; the fields of the IP header that routers change are
signed as zeros, but the TTL only between unicast peers; the identification and the total length are signed as sent;
and one counter of sequence numbers serves sending and receiving (`Sequence`).
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs.addresses import Address, Family
from directrix.vrrp.bad_packet import BadPacket, Cause
from directrix.vrrp.packet import VRRP

AH = 51
"""The protocol number of the Authentication Header."""

_INET = struct.Struct("!BBHHHBBH4s4s")
_INET6 = struct.Struct("!IHBB16s16s")
_AH = struct.Struct("!BBHII12s")
_AH_WORDS = _AH.size // 4 - 2
_NETWORK_CONTROL = 0xC0
"""The type of service, or traffic class, of routing protocols (RFC 791)."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What an Authentication Header says: who signed (their address), in which order, and the signature."""

    index: bytes
    sequence: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram that was received.

    Attributes:
        source, destination, ttl: of its IP header; the hop limit over IPv6.
        message: what it carries behind all headers.
        signature: of its Authentication Header, None without one.
        raw: all of it, IPv4 header first; without header over IPv6.
    """

    source: Address
    destination: Address
    ttl: int
    message: bytes
    signature: Signature | None = None
    raw: bytes = b""

    @property
    def family(self) -> Family:
        """Of its addresses."""
        return Family.INET if self.source.version == 4 else Family.INET6


def parse_inet(raw: bytes) -> Datagram:
    """A datagram as a raw IPv4 socket gives it.

    Raises:
        BadPacket: LENGTH.
    """
    if len(raw) < _INET.size:
        raise BadPacket(Cause.LENGTH, f"{len(raw)} bytes, and the IP header alone has {_INET.size}")
    first, _, total, _, _, ttl, protocol, _, source, destination = _INET.unpack_from(raw)
    head = (first & 0x0F) * 4
    if first >> 4 != 4 or not _INET.size <= head <= len(raw) or total != len(raw):
        raise BadPacket(Cause.LENGTH, f"an IP header of {head} bytes tells of {total} bytes, and there are {len(raw)}")
    message = raw[head:]
    signature = None
    if protocol == AH:
        signature, message = _parse_ah(message)
    return Datagram(IPv4Address(source), IPv4Address(destination), ttl, message, signature, raw)


def _parse_ah(payload: bytes) -> tuple[Signature, bytes]:
    if len(payload) < _AH.size:
        raise BadPacket(Cause.LENGTH, f"{len(payload)} bytes, and the authentication header alone has {_AH.size}")
    following, words, _, index, sequence, value = _AH.unpack_from(payload)
    if following != VRRP or words != _AH_WORDS:
        raise BadPacket(Cause.AUTH_HEADER, f"an authentication header of length {words} before protocol {following}")
    return Signature(index.to_bytes(4, "big"), sequence, value), payload[_AH.size :]


def build_inet(
    message: bytes,
    source: IPv4Address,
    destination: IPv4Address,
    *,
    identification: int,
    ttl: int = 255,
    key: bytes | None = None,
    sequence: int = 0,
) -> bytes:
    """A datagram with its IPv4 header (the kernel fills in the header's checksum), signed if there is a key."""
    protocol = VRRP if key is None else AH
    total = _INET.size + len(message) + (0 if key is None else _AH.size)
    head = _INET.pack(
        0x45, _NETWORK_CONTROL, total, identification, 0, ttl, protocol, 0, source.packed, destination.packed
    )
    if key is None:
        return head + message
    index = int(source)
    bare = head + _AH.pack(VRRP, _AH_WORDS, 0, index, sequence, bytes(12)) + message
    value = sign(bare, key, unicast=not destination.is_multicast)
    return head + _AH.pack(VRRP, _AH_WORDS, 0, index, sequence, value) + message


def sign(raw: bytes, key: bytes, *, unicast: bool) -> bytes:
    """The signature of an IPv4 datagram with an Authentication Header, whatever signature stands in it already."""
    data = bytearray(raw)
    head = (data[0] & 0x0F) * 4
    data[1] = 0
    data[6:8] = bytes(2)
    if unicast:
        data[8] = 0
    data[10:12] = bytes(2)
    data[head + 12 : head + _AH.size] = bytes(12)
    return hmac.digest(key, bytes(data), "md5")[:12]


def build_inet6(message: bytes, source: IPv6Address, destination: IPv6Address, *, ttl: int = 255) -> bytes:
    """A datagram with its IPv6 header."""
    first = 6 << 28 | _NETWORK_CONTROL << 20
    return _INET6.pack(first, len(message), VRRP, ttl, source.packed, destination.packed) + message


class Sequence:
    """AH's sequence numbers, one counter for both directions.

    Who becomes master goes on where the old one stopped, so that nobody takes its adverts for old ones replayed.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """The number of the next datagram we send; after the last one there is, they begin anew."""
        self.last = self.last + 1 if self.last < 0xFFFF_FFFD else 1
        return self.last

    def accept(self, number: int) -> bool:
        """Whether a number is new, and if so, remember it."""
        if number <= self.last:
            return False
        self.last = number
        return True
