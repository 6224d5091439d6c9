"""Masquerading of what is no plain segment: SCTP, fragments in any order, ICMP errors; and their checksums."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from data_plane import DIAMETER, DIAMETER6, HTTP, VIP, VIP6, DataPlane, real
from frames import CLIENT, CLIENT6, SCTP, SYN, TCP, UDP, checksum, chunk, crc32c, ethernet, ipv4, ipv6, sctp
from hooks import HOOKS, VERSIONS
from masquerading import CLIENT_PORT, IP_AT, SERVER_PORT, key_of, masqueraded, reply, request, serve
from test_fragments import PIECE, piece, pieces
from test_quotes import ROUTER, ROUTER6

from directrix.lvs import Address

pytestmark = pytest.mark.root

INIT, INIT_ACK, DATA = 1, 2, 0


# -- SCTP


def of_sctp(
    source: Address, source_port: int, target: Address, target_port: int, *chunks: bytes, ttl: int = 64
) -> bytes:
    """A packet of SCTP with its checksum, from the IP header on."""
    bare = sctp(source_port, target_port, *chunks)
    payload = bare[:8] + struct.pack("<I", crc32c(bare)) + bare[12:]
    if source.version == 4:
        return ipv4(payload, SCTP, source, target, ttl=ttl)
    found = ipv6(payload, SCTP, source, target)
    return found[:7] + bytes([ttl]) + found[8:]


@HOOKS
@VERSIONS
@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 1000, 1400])
def test_sctps_checksum_follows_the_ports(plane: DataPlane, version: int, size: int, hook: str) -> None:
    key, client = (DIAMETER, CLIENT) if version == 4 else (DIAMETER6, CLIENT6)
    assert key.address is not None
    serve(plane, key)
    for kind in (INIT, DATA):
        chunks = chunk(kind, bytes(range(256)) * 6)[: 4 + size], b""
        sent = of_sctp(client, CLIENT_PORT, key.address, 3868, *chunks)
        name, after = plane.deliver(hook, ethernet(sent, version))
        assert name == "forwarded"
        assert after[IP_AT:] == of_sctp(client, CLIENT_PORT, real(1, version), SERVER_PORT, *chunks, ttl=63)
        back = of_sctp(real(1, version), SERVER_PORT, client, CLIENT_PORT, *chunks)
        name, after = plane.deliver(hook, ethernet(back, version))
        assert name == "replied"
        assert after[IP_AT:] == of_sctp(key.address, 3868, client, CLIENT_PORT, *chunks, ttl=63)


@HOOKS
def test_a_checksum_of_sctp_that_is_wrong_stays_wrong_and_one_the_device_fills_in_stays_empty(
    plane: DataPlane, hook: str
) -> None:
    serve(plane, DIAMETER)
    whole = of_sctp(CLIENT, CLIENT_PORT, VIP, 3868, chunk(INIT, bytes(16)))
    right = plane.deliver(hook, ethernet(whole, 4))[1][IP_AT:]
    wrong = whole[:28] + bytes([whole[28] ^ 0xFF]) + whole[29:]
    after = plane.deliver(hook, ethernet(wrong, 4))[1][IP_AT:]
    assert after == right[:28] + bytes([right[28] ^ 0xFF]) + right[29:]
    empty = plane.deliver(hook, ethernet(whole[:28] + bytes(4) + whole[32:], 4))[1][IP_AT:]
    assert empty == right[:28] + bytes(4) + right[32:]


@HOOKS
def test_without_another_port_sctps_checksum_stays_as_it_is(plane: DataPlane, hook: str) -> None:
    serve(plane, DIAMETER, port=3868)
    sent = of_sctp(CLIENT, CLIENT_PORT, VIP, 3868, chunk(INIT, bytes(16)))
    after = plane.deliver(hook, ethernet(sent, 4))[1][IP_AT:]
    assert after == of_sctp(CLIENT, CLIENT_PORT, real(1), 3868, chunk(INIT, bytes(16)), ttl=63)


# -- fragments


def payload_of(datagram: bytes, version: int) -> bytes:
    """What a packet of UDP carries from its own header on."""
    return datagram[20 if version == 4 else 40 :]


def rewritten(frame: bytes, version: int, address: Address, *, source: bool, payload: bytes) -> bytes:
    """A fragment with another address, a TTL that is less, and what it carries afterwards."""
    packet = bytearray(frame[IP_AT:])
    at = (12 if source else 16) if version == 4 else (8 if source else 24)
    packet[at : at + len(address.packed)] = address.packed
    packet[8 if version == 4 else 7] -= 1
    if version == 4:
        packet[10:12] = bytes(2)
        packet[10:12] = struct.pack(">H", checksum(bytes(packet[:20])))
    carried = 20 if version == 4 else 48
    return bytes(packet[:carried]) + payload


@HOOKS
@VERSIONS
@pytest.mark.parametrize("direction", ["request", "reply"])
def test_all_fragments_of_a_datagram_go_the_way_of_the_first(
    plane: DataPlane, version: int, direction: str, hook: str
) -> None:
    virtual = VIP if version == 4 else VIP6
    serve(plane, key_of(UDP, version))
    plane.deliver(hook, request(UDP, version).frame())
    data = bytes(range(250)) * 4
    if direction == "request":
        sent = request(UDP, version, data=data)
        wanted = replace(sent, target=real(1, version), target_port=SERVER_PORT)
        to, source = real(1, version), False
    else:
        sent = reply(UDP, version, data=data)
        wanted = replace(sent, source=virtual, source_port=80)
        to, source = virtual, True
    before, after = payload_of(sent.packet(), version), payload_of(wanted.packet(), version)
    frames = list(pieces(sent.target, before, 7, UDP, sent.source))
    for at, frame in enumerate(frames):
        name, found = plane.deliver(hook, frame)
        assert name == ("later_fragment" if at else {"request": "forwarded", "reply": "replied"}[direction])
        carried = after[at * PIECE : (at + 1) * PIECE]
        assert found[IP_AT:] == rewritten(frame, version, to, source=source, payload=carried)
    counters = plane.state(key_of(UDP, version), 1).counters
    packets, size = (
        (counters.in_packets - 1, counters.in_bytes - len(request(UDP, version).packet()))
        if direction == "request"
        else (counters.out_packets, counters.out_bytes)
    )
    assert (packets, size) == (1, len(sent.packet()))


@HOOKS
def test_a_later_fragment_of_a_reply_waits_for_the_first(plane: DataPlane, hook: str) -> None:
    serve(plane, key_of(UDP, 4))
    plane.deliver(hook, request(UDP).frame())
    first, second, *_ = pieces(CLIENT, payload_of(reply(UDP, data=bytes(700)).packet(), 4), 9, UDP, real(1))
    assert plane.deliver(hook, second) == ("fragment", second)
    assert plane.deliver(hook, first)[0] == "replied"
    assert plane.deliver(hook, second)[0] == "later_fragment"


@HOOKS
def test_a_fragment_over_the_first_of_a_reply_is_dropped(plane: DataPlane, hook: str) -> None:
    serve(plane, key_of(UDP, 4))
    plane.deliver(hook, request(UDP).frame())
    whole = payload_of(reply(UDP, data=bytes(700)).packet(), 4)
    assert plane.deliver(hook, piece(CLIENT, whole[:PIECE], 0, True, 9, UDP, real(1)))[0] == "replied"
    assert plane.deliver(hook, piece(CLIENT, whole[8:64], 8, True, 9, UDP, real(1)))[0] == "bad_fragment"


@HOOKS
def test_fragments_of_what_is_no_reply_are_the_hosts(plane: DataPlane, hook: str) -> None:
    serve(plane, key_of(UDP, 4))
    plane.deliver(hook, request(UDP).frame())
    other = payload_of(reply(UDP, source_port=9, data=bytes(700)).packet(), 4)
    for frame in pieces(CLIENT, other, 9, UDP, real(1)):
        assert plane.deliver(hook, frame) == ("no_service", frame)


@HOOKS
def test_sctp_in_fragments_goes_to_its_own_port_only(plane: DataPlane, hook: str) -> None:
    whole = sctp(CLIENT_PORT, 80, bytes([INIT, 0, 0, 20]) + bytes(16), bytes([DATA, 0, 2, 0]) + bytes(508))
    first, later, *_ = pieces(VIP, whole, 9, SCTP)
    serve(plane, key_of(SCTP, 4), port=80)
    assert [plane.deliver(hook, piece)[0] for piece in (first, later)] == ["forwarded", "later_fragment"]
    plane.reset()
    serve(plane, key_of(SCTP, 4))
    assert plane.deliver(hook, first)[0] == "bad_fragment"


# -- ICMP errors


def error(quoted: bytes, source: Address, target: Address, *, ttl: int = 64) -> bytes:
    """An ICMP error that quotes a packet, from the IP header on."""
    if source.version == 4:
        message = struct.pack(">BBHI", 3, 4, 0, 1400) + quoted
        message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
        return ipv4(message, 1, source, target, ttl=ttl)
    message = struct.pack(">BBHI", 2, 0, 0, 1400) + quoted
    pseudo = source.packed + target.packed + struct.pack(">II", len(message), 58)
    message = message[:2] + struct.pack(">H", checksum(pseudo + message)) + message[4:]
    found = ipv6(message, 58, source, target)
    return found[:7] + bytes([ttl]) + found[8:]


def quote(packet: bytes, size: int, transport_check_of: bytes = b"") -> bytes:
    """The first bytes of a packet, its transport's checksum perhaps that of another one: nobody rewrites it there."""
    if transport_check_of:
        at = (20 if packet[0] >> 4 == 4 else 40) + 16
        packet = packet[:at] + transport_check_of[at : at + 2] + packet[at + 2 :]
    return packet[:size]


SIZES = pytest.mark.parametrize("size", [8, 20, 400], ids=["ports and a number", "a header", "much"])


@HOOKS
@VERSIONS
@SIZES
def test_an_error_about_a_reply_reaches_the_real_server_as_if_it_had_sent_to_the_client(
    plane: DataPlane, version: int, size: int, hook: str
) -> None:
    virtual, router = (VIP, ROUTER) if version == 4 else (VIP6, ROUTER6)
    serve(plane, key_of(TCP, version))
    plane.deliver(hook, request(TCP, version, flags=SYN).frame())
    length = size + (20 if version == 4 else 40)
    own = reply(TCP, version, data=bytes(500), ttl=60)
    seen = replace(own, source=virtual, source_port=80)
    frame = ethernet(error(quote(seen.packet(), length), router, virtual), version)
    name, after = plane.deliver(hook, frame)
    assert name == "forwarded"
    told = quote(own.packet(), length, seen.packet())
    assert after[IP_AT:] == error(told, router, real(1, version), ttl=63)
    assert plane.state(key_of(TCP, version), 1).counters.in_packets == 2


@HOOKS
@VERSIONS
@SIZES
@pytest.mark.parametrize("who", ["server", "router"])
def test_an_error_about_a_request_comes_from_the_virtual_address(
    plane: DataPlane, version: int, size: int, who: str, hook: str
) -> None:
    virtual, router, client = (VIP, ROUTER, CLIENT) if version == 4 else (VIP6, ROUTER6, CLIENT6)
    serve(plane, key_of(TCP, version))
    plane.deliver(hook, request(TCP, version, flags=SYN).frame())
    length = size + (20 if version == 4 else 40)
    own = request(TCP, version, data=bytes(500), ttl=60)
    seen = replace(own, target=real(1, version), target_port=SERVER_PORT)
    teller = router if who == "router" else real(1, version)
    frame = ethernet(error(quote(seen.packet(), length), teller, client), version)
    for _ in range(2):
        name, after = plane.deliver(hook, frame)
        assert name == "replied"
        told = quote(own.packet(), length, seen.packet())
        assert after[IP_AT:] == error(told, virtual, client, ttl=63)
    assert plane.state(key_of(TCP, version), 1).counters.out_packets == 2


@HOOKS
@VERSIONS
def test_an_error_about_nothing_we_sent_is_the_hosts(plane: DataPlane, version: int, hook: str) -> None:
    router, client = (ROUTER, CLIENT) if version == 4 else (ROUTER6, CLIENT6)
    serve(plane, key_of(TCP, version))
    plane.deliver(hook, request(TCP, version, flags=SYN).frame())
    other = request(TCP, version, target=real(1, version), target_port=22)
    frame = ethernet(error(other.packet(), router, client), version)
    assert plane.deliver(hook, frame) == ("unknown_quote", frame)


@HOOKS
def test_an_error_neither_refreshes_nor_moves_its_connection(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP)
    plane.deliver(hook, request(flags=SYN).frame())
    at = plane.slot(CLIENT_PORT)
    plane.set_field(at, expires=plane.tick() + 500)
    before = plane.field(at, "expires"), plane.field(at, "status")
    seen = request(target=real(1), target_port=SERVER_PORT)
    plane.deliver(hook, ethernet(error(seen.packet(), real(1), CLIENT), 4))
    plane.deliver(hook, ethernet(error(reply(source=VIP, source_port=80).packet(), ROUTER, VIP), 4))
    assert (plane.field(at, "expires"), plane.field(at, "status")) == before


@HOOKS
def test_a_removed_server_gets_errors_and_is_not_counted(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP)
    plane.deliver(hook, request(flags=SYN).frame())
    plane.table.delete_server(HTTP, real(1), SERVER_PORT)
    about = reply(source=VIP, source_port=80)
    name, after = plane.deliver(hook, ethernet(error(about.packet(), ROUTER, VIP), 4))
    assert (name, after[IP_AT + 16 : IP_AT + 20]) == ("forwarded", real(1).packed)
    plane.table.add_server(HTTP, masqueraded(1))
    plane.freeze_hops()
    assert plane.state(HTTP, 1).counters.in_packets == 1
