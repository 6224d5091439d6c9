"""Named frames in; verdict, what the hook does, and the frame after it out: the same cases for XDP and tc.

A frame that is forwarded differs from the one that came in its two MAC addresses and nothing else;
one that is passed does not differ at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from data_plane import (
    ARM_MAC,
    DNS,
    DNS6,
    GATEWAY_MAC,
    HANDED_UP_MARK,
    HTTP,
    HTTP6,
    TC_REDIRECT,
    TC_SHOT,
    TC_UNSPEC,
    VIP,
    VIP6,
    WIRE_MAC,
    XDP_DROP,
    XDP_PASS,
    XDP_REDIRECT,
    XDP_TX,
    DataPlane,
    real,
    real_mac,
    service,
)
from frames import ACK, CLIENT, CLIENT6, FIN, RST, SYN, TCP, UDP, ethernet, ipv4, ipv6, packet, routed, tcp, udp
from hooks import HOOKS
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether

from directrix.lvs import Counters, Protocol, RealServer, ServiceKey
from directrix.table.xdp import layout, libbpf, loader
from directrix.table.xdp.verdicts import VERDICTS

pytestmark = pytest.mark.root

FATES = {verdict.name: verdict.fate for verdict in VERDICTS} | {"handed_up": "handed up"}
RESULTS = {
    ("xdp", "passed"): XDP_PASS,
    ("xdp", "forwarded"): XDP_TX,
    ("xdp", "dropped"): XDP_DROP,
    ("xdp", "handed up"): XDP_REDIRECT,
    ("tc", "passed"): TC_UNSPEC,
    ("tc", "forwarded"): TC_REDIRECT,
    ("tc", "dropped"): TC_SHOT,
}
BROADCAST = bytes(6 * [255])
VLAN_DEVICE = 99
"""Stands for a VLAN device: only its number matters."""
MULTICAST = bytes.fromhex("01005e000001")


def serve_all(plane: DataPlane) -> None:
    """The services the cases know, each with real server 1."""
    for key in (HTTP, HTTP6, DNS, DNS6):
        plane.serve(key, 1)


@dataclass(frozen=True)
class Case:
    """A frame, and the verdict it gets; `tc` is tc's where the hooks differ."""

    description: str
    frame: bytes
    verdict: str
    tc: str = ""
    prepare: Callable[[DataPlane], None] = field(default=serve_all)


def extension(next_header: int, units: int = 0) -> bytes:
    """An IPv6 extension header of 8 * (units + 1) bytes, all padding."""
    size = 8 * units + 6
    return bytes([next_header, units, 1, size - 2]) + bytes(size - 2)


def behind(headers: list[int], payload: bytes, last: int = TCP) -> bytes:
    """An IPv6 packet with this chain of extension headers before its payload."""
    chain = b""
    for following in reversed([*headers[1:], last]):
        chain = extension(following, len(chain) // 8 % 3) + chain
    return ethernet(ipv6(chain + payload, headers[0] if headers else last, CLIENT6, VIP6), 6)


def authentication(next_header: int) -> bytes:
    """An authentication header with the usual 96 bits, in words of four bytes less two (RFC 4302)."""
    return bytes([next_header, 4]) + bytes(22)


def changed(frame: bytes, offset: int, *values: int) -> bytes:
    """The frame with bytes written over."""
    return frame[:offset] + bytes(values) + frame[offset + len(values) :]


def fragment6(offset: int, more: bool, payload: bytes) -> bytes:
    """An IPv6 fragment."""
    header = struct.pack(">BBHI", TCP, 0, offset | more, 7)
    return ethernet(ipv6(header + payload, 44, CLIENT6, VIP6), 6)


SYN4, SYN6 = packet(TCP, VIP, 80), packet(TCP, VIP6, 80)
ASK4, ASK6 = packet(UDP, VIP, 53), packet(UDP, VIP6, 53)
HOP, ROUTING, FRAGMENT, ESP, AH, ICMP6, NO_NEXT, OPTIONS = 0, 43, 44, 50, 51, 58, 59, 60


def four(payload: bytes, protocol: int = TCP, **values: object) -> bytes:
    """A frame with an IPv4 packet from the client to the VIP."""
    return ethernet(ipv4(payload, protocol, CLIENT, VIP, **values), 4)  # type: ignore[arg-type]


def tagged(frame: bytes, *tags: int) -> bytes:
    """The frame with VLAN tags."""
    return ethernet(frame[14:], 4, tags)


def know_vlan(*tags: int) -> Callable[[DataPlane], None]:
    """A device of this host lies behind these tags, and the real servers too."""

    def prepare(plane: DataPlane) -> None:
        serve_all(plane)
        value = 0
        for tag in tags:
            value = value << 16 | tag
        key = layout.VLAN_KEY.whole.pack(plane.ifindex["wire"], value)
        libbpf.map_update(plane.maps.vlans, key, VLAN_DEVICE.to_bytes(4, "little"))
        for number in plane.numbers():
            plane.set_hop(number, tags=value)

    return prepare


def vlan_elsewhere(plane: DataPlane) -> None:
    """The host has VLAN 5; the real servers are on the wire without tags."""
    know_vlan(5)(plane)
    for number in plane.numbers():
        plane.set_hop(number, tags=0)


def servers_in_vlan(plane: DataPlane) -> None:
    """Clients come without tags, the real servers are in VLAN 5."""
    serve_all(plane)
    for number in plane.numbers():
        plane.set_hop(number, tags=5)


def any_port(*, persistence: int) -> Callable[[DataPlane], None]:
    """Only a service for every port of the address."""

    def prepare(plane: DataPlane) -> None:
        plane.serve(ServiceKey.of(Protocol.TCP, VIP, 0), 1, persistence=persistence)

    return prepare


def ftp(*, persistence: int, weight: int = 1) -> Callable[[DataPlane], None]:
    """Only FTP."""

    def prepare(plane: DataPlane) -> None:
        plane.serve(ServiceKey.of(Protocol.TCP, VIP, 21), weight, persistence=persistence)

    return prepare


def nothing(plane: DataPlane) -> None:
    """No service at all."""


def full(plane: DataPlane) -> None:
    """All connections are taken."""
    serve_all(plane)
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=plane.maps.parameter("max_connections"))


def full_since(plane: DataPlane) -> None:
    """The client has a connection; all others are taken too."""
    serve_all(plane)
    plane.tc(SYN4)
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=plane.maps.parameter("max_connections"))


def no_route(plane: DataPlane) -> None:
    """The real server can't be reached: known for the while before the next look."""
    plane.table.add_service(service(HTTP))
    plane.table.add_server(HTTP, RealServer(ip_address("203.0.113.7"), 80))
    plane.freeze_hops()


def here(plane: DataPlane) -> None:
    """The director is its own real server."""
    plane.table.add_service(service(HTTP))
    plane.table.add_service(service(HTTP6))
    plane.table.add_server(HTTP, RealServer(ip_address("10.0.0.2"), 80))
    plane.table.add_server(HTTP6, RealServer(ip_address("fd00::2"), 80))
    plane.freeze_hops()


def removed(plane: DataPlane) -> None:
    """The client's connection goes to a real server that was removed since."""
    serve_all(plane)
    plane.add(HTTP, 2)
    plane.tc(SYN4)
    plane.table.delete_server(HTTP, real(2), 80)


def returned(plane: DataPlane) -> None:
    """It was removed, and is back."""
    serve_all(plane)
    plane.tc(SYN4)
    plane.table.delete_server(HTTP, real(1), 80)
    plane.add(HTTP, 1)


def connected(plane: DataPlane) -> None:
    """The client has a connection."""
    serve_all(plane)
    plane.tc(SYN4)


FORWARDED = [
    Case("a SYN over IPv4", SYN4, "forwarded"),
    Case("a SYN over IPv6", SYN6, "forwarded"),
    Case("a datagram over IPv4", ASK4, "forwarded"),
    Case("a datagram over IPv6", ASK6, "forwarded"),
    Case("a SYN with ACK", packet(TCP, VIP, 80, flags=SYN | ACK), "forwarded"),
    Case("a SYN with FIN", packet(TCP, VIP, 80, flags=SYN | FIN), "forwarded"),
    Case("an ACK of a connection", packet(TCP, VIP, 80, flags=ACK), "forwarded", prepare=connected),
    Case("a reset of a connection", packet(TCP, VIP, 80, flags=RST), "forwarded", prepare=connected),
    Case("a segment without flags of a connection", packet(TCP, VIP, 80, flags=0), "forwarded", prepare=connected),
    Case("a segment with data", four(tcp(1024, 80, SYN, bytes(1000))), "forwarded"),
    Case("TCP options", four(struct.pack(">HHIIBBHHH", 1024, 80, 1, 0, 0xF0, 2, 9, 0, 0) + bytes(40)), "forwarded"),
    Case("a TCP header of four words", changed(SYN4, 46, 0x40), "forwarded"),
    Case("a TCP header of no words", changed(SYN6, 66, 0), "forwarded"),
    Case("a TCP header beyond the packet", changed(SYN4, 46, 0x60), "forwarded"),
    Case("an empty datagram", four(udp(1024, 53, b""), UDP), "forwarded"),
    Case("the largest datagram a frame takes", four(udp(1024, 53, bytes(1472)), UDP), "forwarded"),
    Case("padding behind the packet", SYN4 + bytes(6), "forwarded"),
    Case("padding behind an IPv6 packet", ASK6 + bytes(7), "forwarded"),
    Case("four bytes of IP options", four(tcp(1024, 80), options=b"\1" * 4), "forwarded"),
    Case("forty bytes of IP options", four(tcp(1024, 80), options=b"\1" * 40), "forwarded"),
    Case("IP options before UDP", four(udp(1024, 53), UDP, options=b"\1" * 8), "forwarded"),
    Case("TTL 2", four(tcp(1024, 80), ttl=2), "forwarded"),
    Case("don't fragment", four(tcp(1024, 80), fragment=0x4000), "forwarded"),
    Case("client port 0", packet(TCP, VIP, 80, client_port=0), "forwarded"),
    Case("client port 65535", packet(UDP, VIP, 53, client_port=65535), "forwarded"),
    Case("a hop-by-hop header", behind([HOP], tcp(1024, 80)), "forwarded"),
    Case("a routing header", behind([ROUTING], tcp(1024, 80)), "forwarded"),
    Case("destination options", behind([OPTIONS], udp(1024, 53), UDP), "forwarded"),
    Case("three extension headers", behind([HOP, OPTIONS, ROUTING], tcp(1024, 80)), "forwarded"),
    Case("five extension headers", behind([HOP] + [OPTIONS] * 4, tcp(1024, 80)), "forwarded"),
    Case("sixteen extension headers", behind([HOP] + [OPTIONS] * 15, tcp(1024, 80)), "forwarded"),
    Case("an authentication header", behind([HOP], authentication(TCP) + tcp(1024, 80), AH), "forwarded"),
    Case("a first fragment", four(tcp(1024, 80), fragment=0x2000), "forwarded"),
    Case("an atomic IPv6 fragment", fragment6(0, False, tcp(1024, 80)), "forwarded"),
    Case("a priority tag", tagged(SYN4, 0), "forwarded", tc="not_ours"),
    Case("a VLAN of this host", tagged(SYN4, 5), "forwarded", tc="not_ours", prepare=know_vlan(5)),
    Case("a VLAN and a priority", tagged(SYN4, 0xE005), "forwarded", tc="not_ours", prepare=know_vlan(5)),
    Case("two VLAN tags of this host", tagged(SYN4, 7, 8), "forwarded", tc="not_ours", prepare=know_vlan(7, 8)),
    Case("VLAN 5, which no device here has", tagged(SYN4, 5), "forwarded", tc="not_ours"),
    Case("any port of a persistent service", packet(TCP, VIP, 999), "forwarded", prepare=any_port(persistence=9)),
    Case("FTP itself", packet(TCP, VIP, 21), "forwarded", prepare=ftp(persistence=0)),
    Case("data of persistent FTP", packet(TCP, VIP, 1024), "forwarded", prepare=ftp(persistence=9)),
    Case("port 20 of persistent FTP", packet(TCP, VIP, 20), "forwarded", prepare=ftp(persistence=9)),
    Case("a real server that is back", packet(TCP, VIP, 80, flags=ACK), "forwarded", prepare=returned),
    Case("a table full, a connection that was there", packet(TCP, VIP, 80, flags=ACK), "forwarded", prepare=full_since),
]  # fmt: skip

PASSED = [
    Case("nothing is served", SYN4, "not_ours", prepare=nothing),
    Case("another address", packet(TCP, ip_address("10.0.0.9"), 80), "not_ours"),
    Case("another IPv6 address", packet(TCP, ip_address("fd00::9"), 80), "not_ours"),
    Case("another port", packet(TCP, VIP, 81), "not_ours"),
    Case("the port of the other protocol", packet(UDP, VIP, 80), "not_ours"),
    Case("a port below 1024 beside FTP", packet(TCP, VIP, 1023), "no_service", prepare=ftp(persistence=9)),
    Case("ARP", WIRE_MAC + GATEWAY_MAC + b"\x08\x06" + bytes(46), "not_ours"),
    Case("a frame of unknown type", WIRE_MAC + GATEWAY_MAC + b"\x88\xb5" + bytes(46), "not_ours"),
    Case("ICMP", four(b"\x08\x00\xf7\xff" + bytes(40), 1), "not_ours"),
    Case("SCTP", four(struct.pack(">HHII", 1024, 80, 0, 0) + bytes(20), 132), "not_ours"),
    Case("ICMPv6", ethernet(ipv6(b"\x80" + bytes(64), ICMP6, CLIENT6, VIP6), 6), "not_ours"),
    Case("IPv6 without a next header", ethernet(ipv6(bytes(64), NO_NEXT, CLIENT6, VIP6), 6), "not_ours"),
    Case("ESP", behind([HOP], bytes(64), ESP), "not_ours"),
    Case("ESP behind an authentication header", behind([HOP], authentication(ESP) + bytes(64), AH), "not_ours"),
    Case("ICMPv6 behind a header", behind([HOP], b"\x80" + bytes(64), ICMP6), "not_ours"),
    Case("seventeen extension headers", behind([HOP] + [OPTIONS] * 16, tcp(1024, 80)), "not_ours"),
    Case("an extension header past the end", changed(behind([HOP], tcp(1024, 80)), 55, 40), "not_ours"),
    Case("an extension header cut off", behind([HOP, OPTIONS], b"", TCP)[:-4], "malformed"),
    Case("another host's MAC", real_mac(9) + SYN4[6:], "other_host"),
    Case("a broadcast", BROADCAST + SYN4[6:], "other_host"),
    Case("a multicast", MULTICAST + SYN4[6:], "other_host"),
    Case("another device's MAC", ARM_MAC + SYN4[6:], "other_host"),
    Case("another host's MAC, IPv6", real_mac(9) + ASK6[6:], "other_host"),
    Case("an ACK without connection", packet(TCP, VIP, 80, flags=ACK), "no_connection"),
    Case("a FIN without connection", packet(TCP, VIP6, 80, flags=FIN | ACK), "no_connection"),
    Case("a reset without connection", packet(TCP, VIP, 80, flags=RST), "no_connection"),
    Case("a SYN with a reset", packet(TCP, VIP, 80, flags=SYN | RST), "no_connection"),
    Case("no flags and no connection", packet(TCP, VIP, 80, flags=0), "no_connection"),
    Case("a SYN from port 20", packet(TCP, VIP, 80, client_port=20), "no_connection"),
    Case("data of FTP that is not persistent", packet(TCP, VIP, 2000), "no_connection", prepare=ftp(persistence=0)),
    Case("data of FTP without server", packet(TCP, VIP, 2000), "no_connection",
         prepare=ftp(persistence=9, weight=0)),
    Case("a last fragment like a SYN", four(tcp(1024, 80), fragment=0x0010), "fragment"),
    Case("a later IPv6 fragment", fragment6(64, False, bytes(20)), "fragment"),
    Case("a wrong IP checksum", changed(SYN4, 24, 0xDE, 0xAD), "malformed"),
    Case("an IP checksum of zero", changed(SYN4, 24, 0, 0), "malformed"),
    Case("a TTL the checksum does not know", changed(SYN4, 22, 63), "malformed"),
    Case("wrong options", changed(four(tcp(1024, 80), options=b"\1" * 8), 36, 7), "malformed"),
    Case("an IP length beyond the frame", four(tcp(1024, 80))[:-1], "malformed"),
    Case("an IPv6 length beyond the frame", changed(SYN6, 18, 0, 21), "malformed"),
    Case("an IPv6 length below the TCP header", changed(SYN6, 18, 0, 19), "malformed"),
    Case("an IPv6 length of zero", changed(SYN6, 18, 0, 0), "malformed"),
    Case("an IPv6 packet of version 4", changed(SYN6, 14, 0x40), "malformed"),
    Case("a datagram of seven bytes", four(udp(1024, 53)[:7], UDP), "malformed"),
    Case("an IPv6 datagram of seven bytes", ethernet(ipv6(udp(1024, 53)[:7], UDP, CLIENT6, VIP6), 6), "malformed"),
    Case("three tags", tagged(SYN4, 1, 2, 3), "not_ours"),
    Case("a tag cut off", tagged(SYN4, 5)[:16] + b"\x81\x00", "not_ours"),
    *(
        Case(f"from {source}", ethernet(ipv4(tcp(1024, 80), TCP, ip_address(source), VIP), 4), "malformed")
        for source in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.9.9.9", "240.0.0.1", "255.255.255.255")
    ),
    *(
        Case(f"from {source}", ethernet(ipv6(tcp(1024, 80), TCP, ip_address(source), VIP6), 6), "malformed")
        for source in ("::", "::1", "ff02::1", "ff0e::1234")
    ),
]  # fmt: skip

DROPPED = [
    Case("a table full", SYN4, "table_full", prepare=full),
    Case("a table full, UDP over IPv6", ASK6, "table_full", prepare=full),
    Case("a real server that is gone", packet(TCP, VIP, 80, flags=ACK), "server_gone", prepare=removed),
]

HANDED_UP = [
    Case("no route", SYN4, "handed_up", tc="no_route", prepare=no_route),
    Case("for this host as a real server", SYN4, "local", prepare=here),
    Case("for this host over IPv6", SYN6, "local", prepare=here),
    Case("to real servers in a VLAN", SYN4, "handed_up", tc="forwarded", prepare=servers_in_vlan),
    Case("from a VLAN to real servers outside", tagged(SYN4, 5), "handed_up", tc="not_ours", prepare=vlan_elsewhere),
    Case("VLAN 6 of a host with VLAN 5", tagged(SYN4, 6), "handed_up", tc="not_ours", prepare=know_vlan(5)),
    Case("two tags where one is known", tagged(SYN4, 5, 6), "handed_up", tc="not_ours", prepare=know_vlan(5)),
]

CASES = pytest.mark.parametrize("case", [*FORWARDED, *PASSED, *DROPPED, *HANDED_UP], ids=lambda case: case.description)


@HOOKS
@CASES
def test_a_frame_gets_its_verdict_and_leaves_as_it_came(plane: DataPlane, case: Case, hook: str) -> None:
    case.prepare(plane)
    wanted = case.tc if hook == "tc" and case.tc else case.verdict
    name, result, after = plane.verdict_of(getattr(plane, hook), case.frame)
    assert name == wanted
    assert result == RESULTS[hook, FATES[wanted]]
    if FATES[wanted] == "forwarded":
        assert after == routed(case.frame)
    elif wanted == "handed_up":
        device = VLAN_DEVICE if case.frame[12:16] == b"\x81\x00\x00\x05" else plane.ifindex["wire"]
        assert after == struct.pack("=IH", device, HANDED_UP_MARK) + case.frame[6:]
    else:
        assert after == case.frame


@pytest.mark.parametrize(
    ("case", "hook"),
    [
        pytest.param(case, hook, id=f"{case.description}-{hook}")
        for case in FORWARDED
        for hook in ("xdp", "tc")
        if hook == "xdp" or not case.tc
    ],
)
def test_a_frame_forwarded_is_counted_at_its_real_server_by_its_ip_length(
    plane: DataPlane, case: Case, hook: str
) -> None:
    case.prepare(plane)
    before = plane.table.totals()[0]
    getattr(plane, hook)(case.frame)
    start = 14 + 4 * (case.frame[12:14] == b"\x81\x00") + 8 * (case.frame[12:14] == b"\x88\xa8")
    if case.frame[start] >> 4 == 4:
        (length,) = struct.unpack_from(">H", case.frame, start + 2)
    else:
        (length,) = struct.unpack_from(">H", case.frame, start + 4)
        length += 40
    after = plane.table.totals()[0]
    assert (after.in_packets - before.in_packets, after.in_bytes - before.in_bytes) == (1, length)


@HOOKS
@pytest.mark.parametrize("case", [*PASSED, *DROPPED], ids=lambda case: case.description)
def test_a_frame_not_forwarded_is_counted_nowhere_and_leaves_no_connection(
    plane: DataPlane, case: Case, hook: str
) -> None:
    case.prepare(plane)
    before = plane.table.totals()[0], len(list(plane.table.connections()))
    getattr(plane, hook)(case.frame)
    assert (plane.table.totals()[0], len(list(plane.table.connections()))) == before


UNTAGGED = [case for case in FORWARDED if case.frame[12:14] in (b"\x08\x00", b"\x86\xdd")]


@pytest.mark.parametrize("case", UNTAGGED, ids=lambda case: case.description)
def test_what_xdp_hands_up_is_finished_by_tc(plane: DataPlane, case: Case) -> None:
    case.prepare(plane)
    name, result, after = plane.verdict_of(plane.behind, plane.handed_up(case.frame))
    assert (name, result) == ("forwarded", TC_REDIRECT)
    assert after == routed(case.frame)


@pytest.mark.parametrize("case", [*FORWARDED, *PASSED], ids=lambda case: case.description)
def test_a_frame_that_xdp_did_not_hand_up_ends_where_it_hands_up_to(plane: DataPlane, case: Case) -> None:
    case.prepare(plane)
    before = plane.verdicts(), len(list(plane.table.connections()))
    assert plane.behind(case.frame)[0] == TC_SHOT
    assert (plane.verdicts(), len(list(plane.table.connections()))) == before


def test_a_frame_handed_up_from_a_device_that_is_gone_ends_there(plane: DataPlane) -> None:
    serve_all(plane)
    assert plane.behind(struct.pack("=IH", 4000, HANDED_UP_MARK) + SYN4[6:])[0] == TC_SHOT
    assert plane.verdicts() == {}


@HOOKS
@pytest.mark.parametrize(
    "frame",
    [SYN4, SYN6, ASK4, ASK6, four(tcp(1024, 80), options=b"\1" * 8), behind([HOP, OPTIONS], tcp(1024, 80))],
    ids=["TCP", "TCP over IPv6", "UDP", "UDP over IPv6", "IP options", "extension headers"],
)
def test_a_frame_cut_off_anywhere_is_passed_unchanged(plane: DataPlane, frame: bytes, hook: str) -> None:
    serve_all(plane)
    # the kernel's test run makes no skb with less than an IP header in it
    shortest = 14 if hook == "xdp" else 14 + (20 if frame[12:14] == b"\x08\x00" else 40)
    for size in range(shortest, len(frame)):
        name, result, after = plane.verdict_of(getattr(plane, hook), frame[:size])
        assert name in ("not_ours", "malformed"), size
        assert result == RESULTS[hook, "passed"]
        assert after == frame[:size]
    assert list(plane.table.connections()) == []


@HOOKS
@pytest.mark.parametrize("tags", [(5,), (7, 8)])
def test_a_tagged_frame_cut_off_anywhere_is_passed_unchanged(
    plane: DataPlane, tags: tuple[int, ...], hook: str
) -> None:
    know_vlan(*tags)(plane)
    frame = tagged(SYN4, *tags)
    for size in range(14 if hook == "xdp" else 15, len(frame)):
        _, result, after = plane.verdict_of(getattr(plane, hook), frame[:size])
        assert (result, after) == (RESULTS[hook, "passed"], frame[:size])


@HOOKS
def test_an_ip_header_is_checked_in_every_bit(plane: DataPlane, hook: str) -> None:
    """A flip of one bit in the IPv4 header is never forwarded: the checksum tells it."""
    serve_all(plane)
    plane.tc(SYN4)
    for bit in range(8 * 14, 8 * 34):
        frame = changed(SYN4, bit // 8, SYN4[bit // 8] ^ 1 << bit % 8)
        name, result, after = plane.verdict_of(getattr(plane, hook), frame)
        assert name in ("not_ours", "malformed"), bit
        assert (result, after) == (RESULTS[hook, "passed"], frame)


# -- more than one device


@pytest.fixture
def arm_takes_frames(plane: DataPlane) -> Iterator[None]:
    """The other arm takes frames that XDP redirects, as hardware with native XDP does."""
    base = plane.ifindex["arm"] % layout.MAX_DEVICES * layout.DEVICE.size
    flags = layout.DEVICE.get(plane.maps.devices.bytes, base, "flags")
    layout.DEVICE.pack_into(plane.maps.devices.bytes, base, flags=layout.DEVICE_REDIRECT)
    yield
    layout.DEVICE.pack_into(plane.maps.devices.bytes, base, flags=flags)


@pytest.mark.usefixtures("arm_takes_frames")
def test_xdp_sends_to_a_real_server_behind_another_device(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.add(HTTP, 10)
    name, result, after = plane.verdict_of(plane.xdp, SYN4)
    assert (name, result) == ("forwarded", XDP_REDIRECT)
    assert after == routed(SYN4, 10, ARM_MAC)


def test_what_leaves_by_a_device_that_takes_no_frames_of_xdp_is_handed_up(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.add(HTTP, 10)
    for frame in (SYN4, packet(TCP, VIP, 80, flags=ACK)):
        assert plane.verdict_of(plane.xdp, frame) == ("handed_up", XDP_REDIRECT, plane.handed_up(frame))
        name, result, after = plane.verdict_of(plane.behind, plane.handed_up(frame))
        assert (name, result) == ("forwarded", TC_REDIRECT)
        assert after == routed(frame, 10, ARM_MAC)


@HOOKS
def test_a_known_connection_is_no_way_in_for_frames_to_other_hosts(plane: DataPlane, hook: str) -> None:
    """Its server may be behind either device; a frame has to bear the MAC of the device it comes in by."""
    plane.serve(HTTP)
    plane.add(HTTP, 10)
    run = getattr(plane, hook)
    run(SYN4)
    plane.freeze_hops()
    before = plane.table.totals()[0], next(iter(plane.table.connections())).state
    for mac in (ARM_MAC, real_mac(10), real_mac(1), BROADCAST, MULTICAST, bytes(6)):
        frame = mac + packet(TCP, VIP, 80, flags=ACK)[6:]
        assert plane.verdict_of(run, frame) == ("other_host", RESULTS[hook, "passed"], frame)
    assert (plane.table.totals()[0], next(iter(plane.table.connections())).state) == before


# -- frames of several buffers

PAGE = 4096


@pytest.mark.parametrize("size", [1100, PAGE - 600, PAGE, 9000, 60000])
@pytest.mark.parametrize("kind", ["TCP", "UDP over IPv6", "options", "a VLAN", "a first fragment"])
def test_xdp_forwards_a_frame_of_any_size_whole(plane: DataPlane, size: int, kind: str) -> None:
    (know_vlan(5) if kind == "a VLAN" else serve_all)(plane)
    data = bytes(size)
    frame = {
        "TCP": four(tcp(1024, 80, data=data)),
        "UDP over IPv6": ethernet(ipv6(udp(1024, 53, data), UDP, CLIENT6, VIP6), 6),
        "options": four(tcp(1024, 80, data=data), options=bytes([1] * 8)),
        "a VLAN": tagged(four(tcp(1024, 80, data=data)), 5),
        "a first fragment": four(udp(1024, 53, data), UDP, fragment=0x2000),
    }[kind]
    assert plane.verdict_of(plane.xdp, frame) == ("forwarded", XDP_TX, routed(frame))


def test_a_length_that_says_more_than_all_buffers_hold_is_malformed(plane: DataPlane) -> None:
    serve_all(plane)
    frame = four(tcp(1024, 80, data=bytes(9000)))
    assert plane.verdict_of(plane.xdp, frame[:-1]) == ("malformed", XDP_PASS, frame[:-1])


# -- bonds


def test_xdp_at_a_port_of_a_bond_forwards_by_the_bond(plane: DataPlane) -> None:
    """The bond is `arm`; `wire` is its port, where the program runs."""
    wire, arm = plane.ifindex["wire"], plane.ifindex["arm"]
    devices = plane.maps.devices.bytes
    before = bytes(devices)
    port, bond = (index % layout.MAX_DEVICES * layout.DEVICE.size for index in (wire, arm))
    try:
        layout.DEVICE.pack_into(devices, port, mac=int.from_bytes(ARM_MAC, "little"), arrives=arm)
        layout.DEVICE.pack_into(devices, bond, flags=layout.DEVICE_REDIRECT)
        plane.serve(HTTP)
        plane.add(HTTP, 10)
        frame = ARM_MAC + SYN4[6:]
        assert plane.verdict_of(plane.xdp, frame) == ("forwarded", XDP_REDIRECT, routed(frame, 10, ARM_MAC))
        layout.DEVICE.pack_into(devices, bond, flags=0)
        name, _, handed = plane.verdict_of(plane.xdp, frame)
        assert (name, int.from_bytes(handed[:4], "little")) == ("handed_up", arm)
    finally:
        devices[:] = before


# -- next hops


def test_xdp_hands_one_packet_in_a_while_up_so_that_the_next_hop_is_looked_up(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.xdp(SYN4)
    (number,) = plane.numbers()
    plane.set_hop(number, asked=plane.tick() - plane.maps.parameter("hop_ticks") & 0xFFFFFFFF)
    assert [plane.verdict_of(plane.xdp, SYN4)[0] for _ in range(3)] == ["handed_up", "forwarded", "forwarded"]


def test_tc_sends_one_packet_in_a_while_through_the_kernels_neighbour_table(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.tc(SYN4)
    (number,) = plane.numbers()
    plane.set_hop(number, checked=plane.tick() - plane.maps.parameter("hop_ticks") & 0xFFFFFFFF, mac=1)
    # the kernel writes the MACs of this one; the copy is right again for the next
    assert plane.verdict_of(plane.tc, SYN4) == ("forwarded", TC_REDIRECT, SYN4[:12] + routed(SYN4)[12:])
    assert plane.verdict_of(plane.tc, SYN4) == ("forwarded", TC_REDIRECT, routed(SYN4))


def test_a_real_server_without_neighbour_is_left_to_the_kernel_and_never_sent_to_a_wrong_mac(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.table.add_server(HTTP, RealServer(ip_address("10.0.0.77"), 80))
    plane.freeze_hops()
    without_macs = SYN4[:12] + routed(SYN4)[12:]
    for _ in range(3):
        assert plane.verdict_of(plane.xdp, SYN4) == ("handed_up", XDP_REDIRECT, plane.handed_up(SYN4))
        assert plane.verdict_of(plane.behind, plane.handed_up(SYN4)) == ("no_neighbour", TC_REDIRECT, without_macs)
    assert plane.hop(plane.numbers()[0], "state") == layout.HOP_UNRESOLVED


def test_a_real_server_without_route_is_dropped_for_and_its_connection_goes_on_when_there_is_one(
    plane: DataPlane,
) -> None:
    no_route(plane)
    assert plane.verdict_of(plane.tc, SYN4)[:2] == ("no_route", TC_SHOT)
    assert plane.hop(plane.numbers()[0], "state") == layout.HOP_NO_ROUTE
    assert len(list(plane.table.connections())) == 1


@pytest.mark.parametrize("frame", [SYN4, SYN6], ids=["IPv4", "IPv6"])
def test_what_this_host_serves_itself_goes_to_its_own_stack_and_counts_as_forwarded(
    plane: DataPlane, frame: bytes
) -> None:
    here(plane)
    for _ in range(2):
        assert plane.verdict_of(plane.xdp, frame) == ("local", XDP_PASS, frame)
        assert plane.verdict_of(plane.behind, plane.handed_up(frame)) == ("local", TC_REDIRECT, frame)
        assert plane.verdict_of(plane.tc, frame) == ("local", TC_UNSPEC, frame)
    assert layout.HOP_LOCAL in {plane.hop(number, "state") for number in plane.numbers()}
    assert plane.table.totals()[0].in_packets == 6


# -- no server: the answer


def answer_to(plane: DataPlane, frame: bytes) -> bytes:
    """What tc answers."""
    name, result, after = plane.verdict_of(plane.tc, frame)
    assert (name, result) == ("no_server", TC_REDIRECT)
    return after


NOBODY = pytest.mark.parametrize("prepare", ["without servers", "all at weight 0"])


def serve_nobody(plane: DataPlane, how: str) -> None:
    """Services none of which has a real server to offer."""
    for key in (HTTP, HTTP6, DNS, DNS6):
        plane.serve(key, *([] if how == "without servers" else [0, 0]))


@NOBODY
@pytest.mark.parametrize("frame", [SYN4, ASK4], ids=["TCP", "UDP"])
def test_a_client_without_server_is_answered_port_unreachable(plane: DataPlane, frame: bytes, prepare: str) -> None:
    serve_nobody(plane, prepare)
    quoted = frame[14:]
    expected = (
        Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
        / IP(src=str(VIP), dst=str(CLIENT), tos=0xC0, ttl=64, id=0)
        / ICMP(type=3, code=3)
        / quoted
    )
    assert answer_to(plane, frame) == bytes(expected)


@NOBODY
@pytest.mark.parametrize("frame", [SYN6, ASK6], ids=["TCP", "UDP"])
def test_an_ipv6_client_without_server_is_answered_port_unreachable(
    plane: DataPlane, frame: bytes, prepare: str
) -> None:
    serve_nobody(plane, prepare)
    expected = (
        Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
        / IPv6(src=str(VIP6), dst=str(CLIENT6), hlim=64)
        / ICMPv6DestUnreach(code=4)
        / frame[14:]
    )
    assert answer_to(plane, frame) == bytes(expected)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 100, 467, 480, 483, 484, 485, 1000, 1472])
@pytest.mark.parametrize("version", [4, 6])
def test_an_answer_of_any_size_has_right_lengths_and_checksums(plane: DataPlane, size: int, version: int) -> None:
    serve_nobody(plane, "without servers")
    data = bytes(i * 7 & 255 for i in range(size))
    if version == 4:
        frame = four(udp(1024, 53, data), UDP)
        made = bytes(
            Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
            / IP(src=str(VIP), dst=str(CLIENT), tos=0xC0, ttl=64, id=0)
            / ICMP(type=3, code=3)
            / frame[14:][:512]
        )
    else:
        frame = ethernet(ipv6(udp(1024, 53, data), UDP, CLIENT6, VIP6), 6)
        made = bytes(
            Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
            / IPv6(src=str(VIP6), dst=str(CLIENT6), hlim=64)
            / ICMPv6DestUnreach(code=4)
            / frame[14:][:512]
        )
    assert answer_to(plane, frame) == made
    assert answer_to(plane, frame + bytes(3)) == made  # padding is not quoted


def test_ip_options_are_quoted_with_the_packet(plane: DataPlane) -> None:
    serve_nobody(plane, "without servers")
    frame = four(tcp(1024, 80), options=b"\1" * 12)
    assert answer_to(plane, frame)[14 + 28 :] == frame[14:]


def test_xdp_hands_a_client_without_server_up_for_the_answer(plane: DataPlane) -> None:
    serve_nobody(plane, "without servers")
    assert plane.verdict_of(plane.xdp, SYN4) == ("handed_up", XDP_REDIRECT, plane.handed_up(SYN4))
    name, _, answer = plane.verdict_of(plane.behind, plane.handed_up(SYN4))
    assert name == "no_server"
    assert answer == answer_to(plane, SYN4)


def test_answers_are_few_in_a_flood_and_the_rest_is_dropped(plane: DataPlane) -> None:
    serve_nobody(plane, "without servers")
    plane.next_tick()  # reckoned: the kernel's own may come one later
    start = plane.next_tick()
    results = [plane.tc(SYN4)[0] for _ in range(2000)]
    ticks = plane.tick() - start + 3
    assert set(results) == {TC_REDIRECT, TC_SHOT}
    assert 32 <= results.count(TC_REDIRECT) <= 32 * ticks
    assert plane.verdicts() == {"no_server": 2000}
    plane.next_tick()


def test_a_real_server_added_ends_the_refusals(plane: DataPlane) -> None:
    serve_nobody(plane, "without servers")
    plane.tc(SYN4)
    plane.add(HTTP, 1)
    assert plane.verdict_of(plane.tc, SYN4)[0] == "forwarded"


def test_a_service_for_all_ports_without_persistence_has_no_server_for_anybody(plane: DataPlane) -> None:
    any_port(persistence=0)(plane)
    assert answer_to(plane, packet(TCP, VIP, 999))[14 + 28 :] == packet(TCP, VIP, 999)[14:]


@pytest.mark.parametrize("frame", [SYN4, SYN6, ASK4, ASK6], ids=["TCP", "TCP over IPv6", "UDP", "UDP over IPv6"])
def test_where_there_is_no_service_every_frame_is_passed_by_every_program(plane: DataPlane, frame: bytes) -> None:
    for hook in ("xdp", "tc", "ip"):
        result, after = getattr(plane, hook)(frame)
        assert (result, after) == (XDP_PASS if hook == "xdp" else TC_UNSPEC, frame)


# -- counters


@HOOKS
def test_counters_of_service_and_servers_add_up(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    run = getattr(plane, hook)
    for port in range(1024, 1034):
        run(packet(TCP, VIP, 80, port))
        for _ in range(3):
            run(packet(TCP, VIP, 80, port, ACK))
    state = plane.table.service(HTTP)
    assert state.counters == Counters(10, 40, 0, 1600, 0)
    assert [server.counters for server in state.servers] == [Counters(5, 20, 0, 800, 0)] * 2
    assert [(server.active, server.inactive) for server in state.servers] == [(5, 0)] * 2
    assert plane.table.totals()[0] == state.counters
    assert plane.verdicts() == {"forwarded": 40}


def test_the_programs_can_be_loaded_again_over_a_table_in_use(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.xdp(SYN4)
    before = plane.state(HTTP, 1).counters, plane.counts(HTTP, 1), len(list(plane.table.connections()))
    with loader.loaded(plane.place):
        after = plane.state(HTTP, 1).counters, plane.counts(HTTP, 1), len(list(plane.table.connections()))
    assert after == before
    plane.freeze_hops()
    assert plane.verdict_of(plane.xdp, packet(TCP, VIP, 80, flags=ACK))[0] == "forwarded"
