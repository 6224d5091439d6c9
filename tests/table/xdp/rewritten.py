"""What masquerading may change in a packet, stated anew, to hold the data plane against.

It shares nothing with the data plane. Address, port and TTL have new values, and checksums follow by the standards
(RFC 791, 793, 768, 9260, 792, 4443): one that was right is right, and one that was wrong stays wrong by as
much, for the receiver to find out. Not one other byte differs.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from frames import crc32c
from strict import TCP, UDP, transport_of

ICMP, ICMPV6 = 1, 58
_CHECK = {TCP: 16, UDP: 6, 132: 8}
_MODULUS = 0xFFFF


def held(
    before: bytes, after: bytes, address: IPv4Address | IPv6Address, port: int, *, source: bool, later: bool = False
) -> None:
    """See that a packet became another one, whose source, or destination, is this address and port.

    Both from the IP header on. Of a `later` fragment the port isn't there. An ICMP error has it in what it quotes,
    where source and destination are the other way round.

    Raises:
        AssertionError: that is not so.
    """
    assert len(after) == len(before)
    wanted = bytearray(before)
    protocol, at = transport_of(before)
    length = _length(before)
    _at_the_head(wanted, address, source=source)
    wanted[8 if before[0] >> 4 == 4 else 7] -= 1
    if protocol in (ICMP, ICMPV6) and not later:
        check = at + 2
        quote = at + 8
        inner = bytes(wanted[quote:length])
        _, inside = transport_of(inner)
        changed = bytearray(inner)
        _at_the_head(changed, address, source=not source)
        _port(changed, inside, port, source=not source)
        _head_sum(changed, inner)
        wanted[quote:length] = changed
    elif not later:
        check = at + _CHECK[protocol]
        _port(wanted, at, port, source=source)
    _head_sum(wanted, before)
    if later:
        assert after == bytes(wanted)
        return
    size = 4 if protocol == 132 else 2
    was, found = before[check : check + size], after[check : check + size]
    wanted[check : check + size] = found
    assert after == bytes(wanted)
    if protocol == 132:
        assert found == was == bytes(4) or _sctp(after[at:length]) == _sctp(before[at:length])
    elif protocol == UDP and was == bytes(2):
        assert found == was
    else:
        assert protocol != UDP or found != bytes(2)
        assert _sum(after, at, length, protocol) == _sum(before, at, length, protocol)


def _length(packet: bytes) -> int:
    total: int = struct.unpack_from(">H", packet, 2)[0]
    return total if packet[0] >> 4 == 4 else 40 + int(struct.unpack_from(">H", packet, 4)[0])


def _at_the_head(packet: bytearray, address: IPv4Address | IPv6Address, *, source: bool) -> None:
    start = 12 if address.version == 4 else 8
    size = len(address.packed)
    at = start if source else start + size
    packet[at : at + size] = address.packed


def _port(packet: bytearray, transport: int, port: int, *, source: bool) -> None:
    at = transport + (0 if source else 2)
    packet[at : at + 2] = struct.pack(">H", port)


def _head_sum(packet: bytearray, before: bytes) -> None:
    """Let an IPv4 header's checksum be as right as it was."""
    if packet[0] >> 4 != 4:
        return
    header = (packet[0] & 15) * 4
    was = _words(before[:header])
    packet[10:12] = bytes(2)
    packet[10:12] = struct.pack(">H", (was - _words(bytes(packet[:header]))) % _MODULUS)


def _words(data: bytes) -> int:
    """The sum of its words of 16 bits by one's complement arithmetic, where 0xffff is 0."""
    data += b"\0" * (len(data) % 2)
    return sum(struct.unpack(f">{len(data) // 2}H", data)) % _MODULUS


def _sum(packet: bytes, at: int, length: int, protocol: int) -> int:
    """What transport and pseudo header add up to: the same before and after, 0 if the checksum is right."""
    addresses = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
    if protocol == ICMP:
        addresses = b""
    return _words(addresses + packet[at:length])


def _sctp(packet: bytes) -> int:
    """By how much SCTP's checksum is wrong."""
    return crc32c(packet[:8] + bytes(4) + packet[12:]) ^ int(struct.unpack_from("<I", packet, 8)[0])
