"""ICMP errors from inside a tunnel: the client is told about its own packet, and the way's size is remembered."""

from __future__ import annotations

import random
import struct
import subprocess
from ipaddress import ip_address

import pytest
from data_plane import DNS, DNS6, HTTP, HTTP6, TC_REDIRECT, VIP, VIP6, DataPlane, real
from frames import ACK, CLIENT, CLIENT6, TCP, UDP, checksum, ethernet, ipv4, ipv6, packet, tcp, udp
from hooks import HOOKS
from test_tunnels import tunnelled

from directrix.lvs import Address, ServiceKey, Tunnel, TunnelFlags, TunnelType
from directrix.table.xdp.clock import Ticks

pytestmark = pytest.mark.root

DF = 0x4000
HERE: dict[int, Address] = {4: ip_address("10.0.0.2"), 6: ip_address("fd00::2")}
ROUTER: dict[int, Address] = {4: ip_address("10.0.0.50"), 6: ip_address("fd00::50")}
CLIENTS: dict[int, Address] = {4: CLIENT, 6: CLIENT6}
ICMP = {4: 1, 6: 58}
TOO_BIG, UNREACHABLE, LATE = "too big", "unreachable", "late"
WORDS = {
    4: {TOO_BIG: (3, 4), UNREACHABLE: (3, 1), LATE: (11, 0)},
    6: {TOO_BIG: (2, 0), UNREACHABLE: (1, 3), LATE: (3, 0)},
}
KINDS = {
    "ipip": (Tunnel(), 0),
    "gre": (Tunnel(TunnelType.GRE), 4),
    "gre with checksum": (Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM), 8),
    "gue": (Tunnel(TunnelType.GUE, 6080), 12),
}


def serve(plane: DataPlane, inner: int, outer: int = 4, tunnel: Tunnel = Tunnel()) -> None:  # noqa: B008
    """HTTP and DNS, each with one real server behind a tunnel."""
    for key in (HTTP, DNS) if inner == 4 else (HTTP6, DNS6):
        plane.serve(key)
        plane.table.add_server(key, tunnelled(real(1, outer), key.port, tunnel))
    plane.freeze_hops()


def sent(plane: DataPlane, frame: bytes) -> bytes:
    """The outer packet that a frame's packet goes in."""
    name, after = plane.deliver("tc", frame)
    assert name == "forwarded"
    return after[14:]


def error(outer: bytes, what: str, mtu: int = 1400, to: Address | None = None) -> bytes:
    """A frame in which a router complains about an outer packet."""
    version = outer[0] >> 4
    kind, code = WORDS[version][what]
    message = struct.pack(">BBHI", kind, code, 0, mtu if what == TOO_BIG else 0) + outer[:500]
    target = to or HERE[version]
    pseudo = b"" if version == 4 else ROUTER[6].packed + target.packed + struct.pack(">II", len(message), 58)
    message = message[:2] + struct.pack(">H", checksum(pseudo + message)) + message[4:]
    make = ipv4 if version == 4 else ipv6
    return ethernet(make(message, ICMP[version], ROUTER[version], target), version)


def told(frame: bytes, inner: int) -> tuple[int, int, int, bytes]:
    """Type, code and value of the error that the client gets from the virtual address, and what it quotes."""
    assert frame[12:14] == {4: b"\x08\x00", 6: b"\x86\xdd"}[inner]
    ip, head = frame[14:], {4: 20, 6: 40}[inner]
    addresses = ip[12:20] if inner == 4 else ip[8:40]
    assert addresses == (VIP if inner == 4 else VIP6).packed + CLIENTS[inner].packed
    message = ip[head:]
    if inner == 4:
        assert checksum(ip[:20]) == 0
        assert struct.unpack_from(">H", ip, 2)[0] == len(ip)
        assert checksum(message) == 0
    else:
        assert struct.unpack_from(">H", ip, 4)[0] == len(message)
        assert checksum(addresses + struct.pack(">II", len(message), 58) + message) == 0
    kind, code, _, value = struct.unpack_from(">BBHI", message)
    return kind, code, value, message[8:]


@HOOKS
@pytest.mark.parametrize("what", [TOO_BIG, UNREACHABLE, LATE])
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_client_is_told_about_its_own_packet(
    plane: DataPlane, hook: str, kind: str, outer: int, inner: int, what: str
) -> None:
    tunnel, between = KINDS[kind]
    serve(plane, inner, outer, tunnel)
    wrapped = sent(plane, packet(TCP, VIP if inner == 4 else VIP6, 80))
    name, answer = plane.deliver(hook, error(wrapped, what))
    assert name == "tunnel_error"
    overhead = {4: 20, 6: 40}[outer] + between
    *words, value, quote = told(answer, inner)
    assert tuple(words) == WORDS[inner][what]
    assert value == (1400 - overhead if what == TOO_BIG else 0)
    assert quote == wrapped[overhead:]


def test_codes_of_the_same_family_are_told_as_they_are(plane: DataPlane) -> None:
    serve(plane, 4)
    wrapped = sent(plane, packet(TCP, VIP, 80))
    message = struct.pack(">BBHI", 3, 2, 0, 0) + wrapped
    message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
    name, answer = plane.deliver("tc", ethernet(ipv4(message, 1, real(1), HERE[4]), 4))
    assert (name, told(answer, 4)[:2]) == ("tunnel_error", (3, 2))


@HOOKS
def test_what_is_too_large_for_the_narrower_way_is_answered_from_then_on(plane: DataPlane, hook: str) -> None:
    serve(plane, 4)
    large = ethernet(ipv4(tcp(1024, 80, ACK, bytes(1400)), TCP, CLIENT, VIP, fragment=DF), 4)
    plane.deliver(hook, packet(TCP, VIP, 80))
    wrapped = sent(plane, large)
    plane.deliver(hook, error(wrapped, TOO_BIG, 1300))
    name, answer = plane.deliver(hook, large)
    assert (name, told(answer, 4)[:3]) == ("too_big", (3, 4, 1280))
    fits = ethernet(ipv4(tcp(1024, 80, ACK, bytes(1240)), TCP, CLIENT, VIP, fragment=DF), 4)
    assert plane.deliver(hook, fits)[0] == "forwarded"


def test_a_look_up_of_the_next_hop_does_not_forget_it_and_ten_minutes_do(plane: DataPlane) -> None:
    serve(plane, 4)
    wrapped = sent(plane, packet(TCP, VIP, 80))
    plane.deliver("tc", error(wrapped, TOO_BIG, 1300))
    number = next(number for number in plane.numbers() if plane.server(number, "path_mtu"))
    plane.freeze_hops()
    assert plane.hop(number, "mtu") == 1300
    passed = Ticks(plane.maps.parameter("hertz")).from_seconds(601)
    plane.set_server(number, path_told=plane.server(number, "path_told") - passed & 0xFFFFFFFF)
    plane.freeze_hops()
    assert plane.hop(number, "mtu") == 1500


@pytest.mark.parametrize(("outer", "least"), [(4, 552), (6, 1280)])
def test_nobody_can_make_the_way_narrower_than_linux_would(plane: DataPlane, outer: int, least: int) -> None:
    serve(plane, 4, outer)
    wrapped = sent(plane, packet(TCP, VIP, 80))
    plane.deliver("tc", error(wrapped, TOO_BIG, 68))
    assert [plane.hop(number, "mtu") for number in plane.numbers()].count(least) == 1


def changed(data: bytes, at: int, value: bytes) -> bytes:
    """Bytes with some of them replaced."""
    return data[:at] + value + data[at + len(value) :]


WRONG = {
    "another tunnel's end": lambda outer: changed(outer, 16, real(2).packed),
    "another source": lambda outer: changed(outer, 12, ip_address("10.0.1.2").packed),
    "a client without a connection": lambda outer: changed(outer, 32, CLIENT.packed[:3] + b"\x63"),
    "another port": lambda outer: changed(outer, 40, b"\x09"),
    "another protocol inside": lambda outer: changed(outer, 29, b"\x01"),
    "a later fragment": lambda outer: changed(outer, 6, b"\x00\x08"),
}


@HOOKS
@pytest.mark.parametrize("wrong", WRONG)
def test_errors_about_anything_else_are_the_hosts(plane: DataPlane, hook: str, wrong: str) -> None:
    serve(plane, 4)
    wrapped = sent(plane, packet(TCP, VIP, 80))
    frame = error(WRONG[wrong](wrapped), TOO_BIG)
    name, after = plane.deliver(hook, frame)
    assert (name, after) == ("unknown_quote", frame)


@HOOKS
@pytest.mark.parametrize("length", [27, 39, 43])
def test_a_quote_that_is_too_short_is_the_hosts(plane: DataPlane, hook: str, length: int) -> None:
    serve(plane, 4)
    frame = error(sent(plane, packet(TCP, VIP, 80))[:length], TOO_BIG)
    name, after = plane.deliver(hook, frame)
    assert (name, after) == ("bad_quote", frame)


@HOOKS
def test_the_ports_are_all_that_must_be_left_of_the_clients_packet(plane: DataPlane, hook: str) -> None:
    serve(plane, 4)
    wrapped = sent(plane, packet(TCP, VIP, 80))[:44]
    name, answer = plane.deliver(hook, error(wrapped, TOO_BIG))
    assert (name, told(answer, 4)[3]) == ("tunnel_error", wrapped[20:])


@HOOKS
def test_an_error_about_a_datagram_of_the_hosts_own_is_no_tunnels(plane: DataPlane, hook: str) -> None:
    serve(plane, 4, tunnel=Tunnel(TunnelType.GUE, 6080))
    own = ipv4(udp(1024, 53, bytes(40)), UDP, HERE[4], real(1))
    assert plane.deliver(hook, error(own, UNREACHABLE))[0] == "unknown_quote"


@HOOKS
def test_pings_of_a_tunnelling_director_are_its_own(plane: DataPlane, hook: str) -> None:
    serve(plane, 4)
    serve(plane, 6)
    for version in (4, 6):
        make = ipv4 if version == 4 else ipv6
        message = struct.pack(">BBHI", {4: 8, 6: 128}[version], 0, 0, 1) + bytes(56)
        frame = ethernet(make(message, ICMP[version], ROUTER[version], HERE[version]), version)
        assert plane.deliver(hook, frame) == ("not_ours", frame)


def test_without_a_route_to_the_client_nothing_is_said(plane: DataPlane) -> None:
    serve(plane, 4)
    key: ServiceKey = HTTP
    wrapped = sent(plane, packet(TCP, key.address or VIP, 80))
    frame = error(wrapped, TOO_BIG)
    assert plane.verdict_of(plane.tc, frame)[:2] == ("tunnel_error", TC_REDIRECT)
    subprocess.run(["ip", "route", "replace", "unreachable", "192.0.2.0/24"], check=True)
    assert plane.verdict_of(plane.tc, frame)[:2] == ("tunnel_error", 2)
    subprocess.run(["ip", "route", "del", "unreachable", "192.0.2.0/24"], check=True)
    subprocess.run(["ip", "route", "replace", "192.0.2.0/24", "via", "10.0.0.254"], check=True)


@HOOKS
def test_whatever_a_router_says_it_is_told_to_the_client_or_left_to_the_host(plane: DataPlane, hook: str) -> None:
    chance = random.Random(hook)
    serve(plane, 4)
    serve(plane, 6, 6, Tunnel(TunnelType.GUE, 6080))
    good = [
        error(sent(plane, packet(TCP, vip, 80)), what) for vip in (VIP, VIP6) for what in (TOO_BIG, UNREACHABLE, LATE)
    ]
    seen = set()
    for _ in range(600):
        frame = bytearray(chance.choice(good))
        for _ in range(chance.randint(0, 2)):
            frame[chance.randrange(14, len(frame))] = chance.choice((0, 1, 4, 41, 0x45, 0xFF))
        if chance.random() < 0.3:
            del frame[chance.randrange(62, len(frame)) :]
        whole = summed(bytes(frame))
        name, after = plane.deliver(hook, whole)
        seen.add(name)
        if name == "tunnel_error":
            headers = 14 + (20 if after[12:14] == b"\x08\x00" else 40) + 8
            assert after[headers:][-20:] in whole  # what is quoted may be shorter
        else:
            assert (name in PASSED, after) == (True, whole)
    assert {"tunnel_error", "unknown_quote", "bad_quote"} <= seen


PASSED = {"not_ours", "malformed", "bad_quote", "unknown_quote", "no_service", "other_host", "fragment"}


def summed(frame: bytes) -> bytes:
    """A frame with its ICMP message's checksum set anew, as far as there is one."""
    head = 34 if frame[12:14] == b"\x08\x00" else 54
    message = frame[head:]
    if len(message) < 8:
        return frame
    pseudo = b"" if head == 34 else frame[22:54] + struct.pack(">II", len(message), 58)
    message = message[:2] + bytes(2) + message[4:]
    return frame[:head] + message[:2] + struct.pack(">H", checksum(pseudo + message)) + message[4:]
