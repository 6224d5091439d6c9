"""Adverts and datagrams as bytes, held against what keepalived sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vrrp_recorded import AH, AH_UNICAST, INET6, VERSION_3, Recorded, named, received

from directrix.lvs.addresses import Family
from directrix.system.checksum import checksum
from directrix.vrrp.bad_packet import BadPacket, Cause
from directrix.vrrp.datagram import Sequence, build_inet, build_inet6, parse_inet, sign
from directrix.vrrp.packet import Advertisement, decode, encode, is_intact, vrid_of
from directrix.vrrp.router import VirtualRouter
from directrix.vrrp.speaker import Port
from directrix.vrrp.values import Peer


@named
def test_what_keepalived_sends_is_understood(recorded: Recorded) -> None:
    datagram = received(recorded)
    assert (datagram.source, datagram.destination, datagram.ttl) == (recorded.source, recorded.destination, 255)
    advertisement = decode(datagram.message, recorded.instance.family)
    instance = recorded.instance
    assert (advertisement.version, advertisement.vrid, advertisement.priority) == (instance.version, instance.vrid, 255)
    assert advertisement.interval == instance.interval
    assert advertisement.addresses == instance.advertised
    assert advertisement.auth_type == instance.authentication_type
    assert is_intact(datagram.message, datagram.source, datagram.destination)


@named
def test_we_send_byte_for_byte_what_keepalived_sends(recorded: Recorded) -> None:
    port = Port(VirtualRouter(recorded.instance))
    port.source = recorded.source
    if recorded.instance.peers:  # it is told of its peer, the instance at the other end of its own
        port.router.instance = replace(recorded.instance, peers=(Peer(recorded.destination),))
    port.datagrams(255)
    ((data, destination),) = port.datagrams(255)
    assert destination == recorded.destination
    if recorded.instance.family is Family.INET:
        assert data[10:12] == bytes(2), "the kernel fills in the checksum of the IP header"
        data = data[:10] + recorded.raw[10:12] + data[12:]
    assert data.hex() == recorded.raw.hex()


def test_ah_signs_the_ttl_between_multicast_routers_and_not_between_unicast_peers() -> None:
    for recorded, unicast in ((AH, False), (AH_UNICAST, True)):
        datagram = parse_inet(recorded.raw)
        assert datagram.signature is not None
        assert datagram.signature.sequence == recorded.sequence
        assert datagram.signature.index == recorded.source.packed
        assert sign(recorded.raw, b"secret", unicast=unicast) == datagram.signature.value
        routed = recorded.raw[:8] + b"\x40" + recorded.raw[9:]
        assert (sign(routed, b"secret", unicast=unicast) == datagram.signature.value) == unicast
        assert sign(recorded.raw, b"another", unicast=unicast) != datagram.signature.value


def test_a_datagram_with_ip_options_is_understood() -> None:
    raw = bytearray(VERSION_3.raw[:20] + bytes(4) + VERSION_3.raw[20:])
    raw[0], raw[3] = 0x46, len(raw)
    assert parse_inet(bytes(raw)).message == VERSION_3.message


@pytest.mark.parametrize(
    ("message", "family", "cause"),
    [
        (b"", Family.INET, Cause.LENGTH),
        (VERSION_3.message[:7], Family.INET, Cause.LENGTH),
        (VERSION_3.message[:-1], Family.INET, Cause.LENGTH),
        (VERSION_3.message + b"\0", Family.INET, Cause.LENGTH),
        (VERSION_3.message, Family.INET6, Cause.LENGTH),
        (b"\x41" + VERSION_3.message[1:], Family.INET, Cause.VERSION),
        (b"\x32" + VERSION_3.message[1:], Family.INET, Cause.TYPE),
    ],
)
def test_a_message_that_is_none_is_refused_by_its_cause(message: bytes, family: Family, cause: Cause) -> None:
    with pytest.raises(BadPacket) as refused:
        decode(message, family)
    assert refused.value.cause is cause


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", Cause.LENGTH),
        (AH.raw[:19], Cause.LENGTH),
        (AH.raw[:-1], Cause.LENGTH),
        (AH.raw + b"\0", Cause.LENGTH),
        (b"\x44" + AH.raw[1:], Cause.LENGTH),
        (b"\x4f" + AH.raw[1:36], Cause.LENGTH),
        (AH.raw[:2] + b"\0\x1e" + AH.raw[4:30], Cause.LENGTH),
        (AH.raw[:20] + b"\x06" + AH.raw[21:], Cause.AUTH_HEADER),
        (AH.raw[:21] + b"\x05" + AH.raw[22:], Cause.AUTH_HEADER),
    ],
)
def test_a_datagram_that_is_none_is_refused_by_its_cause(raw: bytes, cause: Cause) -> None:
    with pytest.raises(BadPacket) as refused:
        parse_inet(raw)
    assert refused.value.cause is cause


@given(st.binary(max_size=120))
def test_garbage_is_refused_and_nothing_worse(garbage: bytes) -> None:
    for read in (parse_inet, lambda data: decode(data, Family.INET), lambda data: decode(data, Family.INET6)):
        with suppress(BadPacket):
            read(garbage)
    assert vrid_of(garbage) is None or len(garbage) >= 8


@given(st.integers(0, len(AH.raw) - 1), st.integers(1, 255))
def test_a_datagram_with_one_byte_changed_never_crashes_the_parser(place: int, change: int) -> None:
    data = bytearray(AH.raw)
    data[place] ^= change
    try:
        parse_inet(bytes(data))
    except BadPacket:
        return
    assert len(data) == len(AH.raw)


versions = st.sampled_from([2, 3])


@st.composite
def adverts(draw: st.DrawFn) -> tuple[Advertisement, IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    version = draw(versions)
    family = draw(st.sampled_from(list(Family)))
    addresses = st.ip_addresses(v=4 if family is Family.INET else 6)
    own = version == 2 and family is Family.INET
    advert = Advertisement(
        version=version,
        vrid=draw(st.integers(1, 255)),
        priority=draw(st.integers(0, 255)),
        interval=draw(st.integers(1, 255)) * 100 if version == 2 else draw(st.integers(1, 4095)),
        addresses=tuple(draw(st.lists(addresses, max_size=20))),
        auth_type=draw(st.integers(0, 255)) if version == 2 else 0,
        auth_data=draw(st.binary(min_size=8, max_size=8)) if own else b"",
    )
    return advert, draw(addresses), draw(addresses)


@given(adverts())
def test_what_is_encoded_is_decoded_the_same_and_intact(
    case: tuple[Advertisement, IPv4Address | IPv6Address, IPv4Address | IPv6Address],
) -> None:
    advert, source, destination = case
    message = encode(advert, source, destination)
    assert decode(message, Family.INET if source.version == 4 else Family.INET6) == advert
    assert is_intact(message, source, destination)


@given(adverts(), st.data())
def test_a_changed_bit_is_noticed(
    case: tuple[Advertisement, IPv4Address | IPv6Address, IPv4Address | IPv6Address], data: st.DataObject
) -> None:
    advert, source, destination = case
    message = bytearray(encode(advert, source, destination))
    bit = data.draw(st.integers(8, len(message) * 8 - 1))  # the version decides how it is summed
    message[bit // 8] ^= 1 << bit % 8
    assert not is_intact(bytes(message), source, destination)


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert checksum(b"\x01") == checksum(b"\x01\x00")


def test_an_ipv6_datagram_has_traffic_class_and_hop_limit_of_routing_protocols() -> None:
    data = build_inet6(INET6.message, IPv6Address("fe80::1"), IPv6Address("ff02::12"))
    assert data[:8].hex() == "6c000000002870ff"
    assert data[40:] == INET6.message


def test_an_unsigned_datagram_carries_the_message_behind_its_header() -> None:
    source, destination = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
    data = build_inet(b"message!", source, destination, identification=7, ttl=64)
    datagram = parse_inet(data)
    assert (datagram.message, datagram.ttl, datagram.signature) == (b"message!", 64, None)
    assert ip_address("10.0.0.2") == datagram.destination


def test_sequence_numbers_go_on_where_the_other_router_stopped_and_begin_anew_after_the_last() -> None:
    sequence = Sequence()
    assert sequence.next() == 1
    assert sequence.accept(500)
    assert not sequence.accept(500)
    assert not sequence.accept(499)
    assert sequence.next() == 501
    sequence.last = 0xFFFF_FFFD
    assert sequence.next() == 1
