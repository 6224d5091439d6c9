"""ICMP errors about a connection reach the real server that has it; all others are the host's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from data_plane import DIAMETER, DNS, DNS6, HTTP, HTTP6, VIP, VIP6, DataPlane, real, real_mac
from frames import (
    CLIENT,
    CLIENT6,
    SCTP,
    SYN,
    TCP,
    UDP,
    association,
    checksum,
    ethernet,
    ipv4,
    ipv6,
    packet,
    routed,
    tcp,
    udp,
)
from hooks import HOOKS

from directrix.lvs import Address

pytestmark = pytest.mark.root

ROUTER, ROUTER6 = ip_address("198.51.100.1"), ip_address("2001:db8:9::1")
UNREACHABLE, QUENCH, REDIRECT, ECHO, TIME_EXCEEDED, PARAMETER = 3, 4, 5, 8, 11, 12
UNREACHABLE6, TOO_BIG6, TIME_EXCEEDED6, PARAMETER6, ECHO6 = 1, 2, 3, 4, 128
REPLY = tcp(80, 1024, SYN)


def icmp4(kind: int, code: int, quote: bytes, *, options: bytes = b"", spoilt: int = 0, to: Address = VIP) -> bytes:
    """A frame with an ICMP message to a virtual address."""
    message = struct.pack(">BBHI", kind, code, 0, 1400) + quote
    message = message[:2] + struct.pack(">H", checksum(message) ^ spoilt) + message[4:]
    return ethernet(ipv4(message, 1, ROUTER, to, options=options), 4)


def icmp6(kind: int, code: int, quote: bytes, before: bytes = b"", to: Address = VIP6) -> bytes:
    """The same of ICMPv6, perhaps behind a hop-by-hop header."""
    message = struct.pack(">BBHI", kind, code, 0, 1400) + quote
    return ethernet(ipv6(before + message, 0 if before else 58, ROUTER6, to), 6)


def from_vip(payload: bytes = REPLY, protocol: int = TCP, **values: object) -> bytes:
    """What a real server sent to the client."""
    return ipv4(payload, protocol, VIP, CLIENT, **values)  # type: ignore[arg-type]


def from_vip6(payload: bytes = REPLY, protocol: int = TCP) -> bytes:
    """The same over IPv6."""
    return ipv6(payload, protocol, VIP6, CLIENT6)


def connected(plane: DataPlane) -> None:
    """The client has connections to real server 2 of each service: 1 has more to do already."""
    for key in (HTTP, HTTP6, DNS, DNS6, DIAMETER):
        plane.serve(key, 1, 1)
    for opening in (
        packet(TCP, VIP, 80),
        packet(TCP, VIP6, 80),
        packet(UDP, VIP, 53),
        packet(UDP, VIP6, 53),
        association(VIP, 3868, 1),
    ):
        assert plane.tc(opening)[1][:6] == real_mac(2)


def alone(plane: DataPlane) -> None:
    """Services without connections."""
    plane.serve(HTTP, 1)
    plane.serve(HTTP6, 1)


def server_removed(plane: DataPlane) -> None:
    """The connection's real server is gone since."""
    connected(plane)
    plane.table.delete_server(HTTP, real(2), 80)


@dataclass(frozen=True)
class Case:
    """An ICMP message and the verdict it gets."""

    description: str
    frame: bytes
    verdict: str
    prepare: Callable[[DataPlane], None] = field(default=connected)


PADDING = bytes([TCP, 0, 1, 4, 0, 0, 0, 0])
FIRST_PART = bytes([TCP, 0, 0, 1, 0, 0, 0, 9])
AUTHENTICATION = bytes([TCP, 4]) + bytes(22)
LATER_PART = bytes([TCP, 0, 0, 9, 0, 0, 0, 9])

FOLLOWED = [
    Case("fragmentation needed", icmp4(UNREACHABLE, 4, from_vip()), "forwarded"),
    Case("port unreachable", icmp4(UNREACHABLE, 3, from_vip()), "forwarded"),
    Case("time exceeded", icmp4(TIME_EXCEEDED, 0, from_vip()), "forwarded"),
    Case("source quench", icmp4(QUENCH, 0, from_vip()), "forwarded"),
    Case("eight bytes of TCP", icmp4(UNREACHABLE, 4, from_vip()[:28]), "forwarded"),
    Case("the ports and no more", icmp4(UNREACHABLE, 4, from_vip()[:24]), "forwarded"),
    Case("a quoted datagram", icmp4(UNREACHABLE, 3, from_vip(udp(53, 1024), UDP)), "forwarded"),
    Case("a quoted association", icmp4(UNREACHABLE, 4, from_vip(struct.pack(">HHII", 3868, 1024, 1, 0), SCTP)),
         "forwarded"),
    Case("options in the quote", icmp4(UNREACHABLE, 4, from_vip(options=b"\1" * 40)), "forwarded"),
    Case("options before the error", icmp4(UNREACHABLE, 4, from_vip(), options=b"\1" * 40), "forwarded"),
    Case("a quoted first fragment", icmp4(TIME_EXCEEDED, 1, from_vip(fragment=0x2000)), "forwarded"),
    Case("a quote that says it is longer", icmp4(UNREACHABLE, 4, from_vip(REPLY + bytes(1400))[:60]), "forwarded"),
    Case("a quote that says it has no length", icmp4(UNREACHABLE, 4, b"\x45\0\0\0" + from_vip()[4:]), "forwarded"),
    Case("a long quote", icmp4(UNREACHABLE, 4, from_vip(REPLY + bytes(range(250)) * 4 + b"!")), "forwarded"),
    Case("packet too big", icmp6(TOO_BIG6, 0, from_vip6()), "forwarded"),
    Case("port unreachable over IPv6", icmp6(UNREACHABLE6, 4, from_vip6(udp(53, 1024), UDP)), "forwarded"),
    Case("hop limit exceeded", icmp6(TIME_EXCEEDED6, 0, from_vip6()[:48]), "forwarded"),
    Case("parameter problem of IPv6", icmp6(PARAMETER6, 1, from_vip6()), "forwarded"),
    Case("an error of no known type", icmp6(99, 0, from_vip6()), "forwarded"),
    Case("an extension header in the quote", icmp6(TOO_BIG6, 0, from_vip6(PADDING + REPLY, 0)), "forwarded"),
    Case("a first fragment in the quote", icmp6(TOO_BIG6, 0, from_vip6(FIRST_PART + REPLY, 44)), "forwarded"),
    Case("an authentication header in the quote", icmp6(TOO_BIG6, 0, from_vip6(AUTHENTICATION + REPLY, 51)),
         "forwarded"),
    Case("an error behind a header", icmp6(TOO_BIG6, 0, from_vip6(), bytes([58, 0, 1, 4, 0, 0, 0, 0])), "forwarded"),
    Case("about a real server that is gone", icmp4(UNREACHABLE, 4, from_vip()), "forwarded", server_removed),
]  # fmt: skip

PASSED = [
    Case("echo", icmp4(ECHO, 0, bytes(40)), "not_ours"),
    Case("echo of IPv6", icmp6(ECHO6, 0, bytes(40)), "not_ours"),
    Case("a redirect", icmp4(REDIRECT, 1, from_vip()), "not_ours"),
    Case("parameter problem of IPv4", icmp4(PARAMETER, 0, from_vip()), "not_ours"),
    Case("to an address that is not virtual", icmp4(UNREACHABLE, 4, from_vip(), to=ip_address("10.0.0.9")), "not_ours"),
    Case("no connection", icmp4(UNREACHABLE, 4, from_vip()), "unknown_quote", alone),
    Case("no connection over IPv6", icmp6(TOO_BIG6, 0, from_vip6()), "unknown_quote", alone),
    Case("another port of the client's", icmp4(UNREACHABLE, 4, from_vip(tcp(80, 1025))), "unknown_quote"),
    Case("a packet to the virtual address", icmp4(UNREACHABLE, 3, ipv4(tcp(1024, 80), TCP, CLIENT, VIP)),
         "unknown_quote"),
    Case("a quoted echo", icmp4(UNREACHABLE, 1, from_vip(bytes(8), 1)), "unknown_quote"),
    Case("a quoted tunnel", icmp4(UNREACHABLE, 4, from_vip(from_vip(), 4)), "unknown_quote"),
    Case("a quoted later fragment", icmp4(TIME_EXCEEDED, 1, from_vip(fragment=0x0009)), "unknown_quote"),
    Case("a later fragment in the quote", icmp6(TOO_BIG6, 0, from_vip6(LATER_PART + REPLY, 44)), "unknown_quote"),
    Case("nine headers in the quote", icmp6(TOO_BIG6, 0, from_vip6(bytes([60, 0, *bytes(6)]) * 9 + REPLY, 60)),
         "unknown_quote"),
    Case("no quote", icmp4(UNREACHABLE, 4, b""), "bad_quote"),
    Case("half an IP header", icmp4(UNREACHABLE, 4, from_vip()[:16]), "bad_quote"),
    Case("half the ports", icmp4(UNREACHABLE, 4, from_vip()[:22]), "bad_quote"),
    Case("options cut off", icmp4(UNREACHABLE, 4, from_vip(options=b"\1" * 40)[:40]), "bad_quote"),
    Case("a header length below five", icmp4(UNREACHABLE, 4, b"\x44" + from_vip()[1:]), "bad_quote"),
    Case("a quote of another version", icmp4(UNREACHABLE, 4, from_vip6()), "bad_quote"),
    Case("half an IPv6 header", icmp6(TOO_BIG6, 0, from_vip6()[:39]), "bad_quote"),
    Case("an extension header past the quote", icmp6(TOO_BIG6, 0, from_vip6(bytes([TCP, 200, *bytes(30)]), 60)),
         "bad_quote"),
    Case("a wrong checksum", icmp4(UNREACHABLE, 4, from_vip(), spoilt=1), "malformed"),
    Case("seven bytes of ICMP", ethernet(ipv4(b"\3\4" + bytes(5), 1, ROUTER, VIP), 4), "malformed"),
    Case("another host's", real_mac(9) + icmp4(UNREACHABLE, 4, from_vip())[6:], "other_host"),
]  # fmt: skip


@HOOKS
@pytest.mark.parametrize("case", FOLLOWED, ids=lambda case: case.description)
def test_an_error_about_a_connection_goes_to_its_real_server_as_it_is(plane: DataPlane, case: Case, hook: str) -> None:
    case.prepare(plane)
    before = plane.table.totals()[0], sorted(plane.slots())
    name, _, after = plane.verdict_of(getattr(plane, hook), case.frame)
    assert name == case.verdict
    assert after == routed(case.frame, 2)
    counters = plane.table.totals()[0]
    assert counters.connections == before[0].connections
    if case.prepare is connected:
        length = len(case.frame) - 14
        assert (counters.in_packets, counters.in_bytes) == (before[0].in_packets + 1, before[0].in_bytes + length)
        assert sorted(plane.slots()) == before[1]  # nothing is refreshed


@HOOKS
def test_an_error_about_a_removed_real_server_is_not_counted_when_it_returns(plane: DataPlane, hook: str) -> None:
    server_removed(plane)
    plane.verdict_of(getattr(plane, hook), icmp4(UNREACHABLE, 4, from_vip()))
    plane.add(HTTP, 2)
    assert plane.state(HTTP, 2).counters.in_packets == 1


@HOOKS
@pytest.mark.parametrize("case", PASSED, ids=lambda case: case.description)
def test_any_other_message_is_passed_as_it_is(plane: DataPlane, case: Case, hook: str) -> None:
    case.prepare(plane)
    before = plane.table.totals()[0]
    name, _, after = plane.verdict_of(getattr(plane, hook), case.frame)
    if not (case.verdict == "other_host" and hook == "tc"):
        assert name == case.verdict
        assert after == case.frame
        assert plane.table.totals()[0] == before


@pytest.mark.parametrize("case", FOLLOWED, ids=lambda case: case.description)
def test_an_error_that_xdp_hands_up_is_finished_by_tc(plane: DataPlane, case: Case) -> None:
    case.prepare(plane)
    name, _, after = plane.verdict_of(plane.behind, plane.handed_up(case.frame))
    assert (name, after) == ("forwarded", routed(case.frame, 2))
