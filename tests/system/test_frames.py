"""Frames that ask, against scapy, which builds and reads the same by its own code."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, TCPerror
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6TimeExceeded,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether

from directrix.system import frames
from directrix.system.frames import ACK, RST, SYN, Route
from directrix.system.heard import Heard, parse

OURS, THEIRS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ROUTES = [
    Route(OURS, THEIRS, ip_address(source), ip_address(destination))
    for source, destination in (("10.0.0.1", "10.0.0.100"), ("fd00::1", "fd00::100"))
]
BOTH = pytest.mark.parametrize("route", ROUTES, ids=["IPv4", "IPv6"])


def read(frame: bytes) -> Ether:
    """What scapy reads, checksums worked out anew: they must be those that are there."""
    packet = Ether(frame)
    again = Ether(frame)
    for layer in (IP, TCP, UDP, ICMP, ICMPv6EchoRequest, ICMPv6ND_NS):
        if layer in again:
            for name in ("chksum", "cksum"):
                if name in again[layer].fields:
                    delattr(again[layer], name)
    assert bytes(again) == frame
    assert (packet.src, packet.dst) == (OURS.hex(":"), packet.dst)
    return packet


def test_an_arp_request_asks_everybody() -> None:
    packet = read(frames.who_has(OURS, IPv4Address("10.0.0.1"), IPv4Address("10.0.0.100")))
    assert packet.dst == "ff:ff:ff:ff:ff:ff"
    asked = packet[ARP]
    assert (asked.op, asked.hwsrc, asked.psrc, asked.pdst) == (1, OURS.hex(":"), "10.0.0.1", "10.0.0.100")


def test_a_solicitation_asks_the_group_of_its_target() -> None:
    packet = read(frames.who_has(OURS, IPv6Address("fd00::1"), IPv6Address("fd00::12:3456")))
    assert packet.dst == "33:33:ff:12:34:56"
    assert (packet[IPv6].dst, packet[IPv6].hlim) == ("ff02::1:ff12:3456", 255)
    assert packet[ICMPv6ND_NS].tgt == "fd00::12:3456"
    assert packet[ICMPv6NDOptSrcLLAddr].lladdr == OURS.hex(":")


def test_a_probe_tells_nobody_an_address_of_ours() -> None:
    packet = read(frames.who_has(OURS, IPv6Address("::"), IPv6Address("fd00::100")))
    assert (packet[IPv6].src, packet[ICMPv6ND_NS].tgt) == ("::", "fd00::100")
    assert ICMPv6NDOptSrcLLAddr not in packet
    assert read(frames.who_has(OURS, IPv4Address(0), IPv4Address("10.0.0.100")))[ARP].psrc == "0.0.0.0"


@BOTH
def test_a_syn_goes_to_the_mac_it_is_given_and_tells_its_segment_size(route: Route) -> None:
    packet = read(frames.tcp(route, 42000, 80, SYN, sequence=7, mss=1400))
    assert packet.dst == THEIRS.hex(":")
    layer = packet[TCP]
    assert (layer.sport, layer.dport, layer.seq, layer.flags, layer.options) == (42000, 80, 7, "S", [("MSS", 1400)])
    assert (packet.payload.src, packet.payload.dst) == (str(route.source), str(route.destination))


@BOTH
def test_a_reset_has_no_options(route: Route) -> None:
    layer = read(frames.tcp(route, 42000, 80, RST, sequence=8))[TCP]
    assert (layer.flags, layer.options, layer.dataofs) == ("R", [], 5)


@BOTH
def test_a_datagram_is_empty(route: Route) -> None:
    layer = read(frames.udp(route, 42000, 53))[UDP]
    assert (layer.sport, layer.dport, layer.len) == (42000, 53, 8)


@BOTH
def test_an_echo_request_is_as_long_as_asked_and_not_to_be_fragmented(route: Route) -> None:
    frame = frames.echo(route, 9, 1500)
    packet = read(frame)
    assert len(frame) == 14 + 1500
    assert packet[ICMP if route.source.version == 4 else ICMPv6EchoRequest].id == 9
    if route.source.version == 4:
        assert packet[IP].flags == "DF"


def heard(packet: Ether) -> Heard:
    found = parse(bytes(packet))
    assert found is not None
    return found


def between(version: int) -> Ether:
    ether = Ether(src=THEIRS.hex(":"), dst=OURS.hex(":"))
    return ether / (IP(src="10.0.0.100", dst="10.0.0.1") if version == 4 else IPv6(src="fd00::100", dst="fd00::1"))


def test_an_arp_reply_tells_whose_address_it_is() -> None:
    packet = Ether(src=THEIRS.hex(":")) / ARP(op=2, hwsrc="02:00:00:00:00:09", psrc="10.0.0.100", pdst="10.0.0.1")
    found = heard(packet)
    assert (found.kind, found.mac, found.link) == ("arp-reply", THEIRS, bytes.fromhex("020000000009"))
    assert (found.source, found.destination) == (IPv4Address("10.0.0.100"), IPv4Address("10.0.0.1"))


def test_an_advertisement_tells_its_target() -> None:
    packet = between(6) / ICMPv6ND_NA(tgt="fd00::77") / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:09")
    found = heard(packet)
    assert (found.kind, found.destination, found.link) == (
        "advertisement",
        IPv6Address("fd00::77"),
        bytes.fromhex("020000000009"),
    )


@pytest.mark.parametrize("version", [4, 6])
def test_the_answer_to_a_syn_is_read_with_its_segment_size(version: int) -> None:
    options = [("NOP", None), ("WScale", 7), ("MSS", 1360), ("SAckOK", b"")]
    found = heard(between(version) / TCP(sport=80, dport=42000, seq=5, ack=8, flags="SA", options=options))
    assert (found.kind, found.source_port, found.port, found.flags) == ("tcp", 80, 42000, SYN | ACK)
    assert (found.sequence, found.acknowledged, found.mss) == (5, 8, 1360)


def test_an_echo_reply_is_told_by_its_identifier() -> None:
    assert heard(between(4) / ICMP(type=0, id=77)).identifier == 77
    assert heard(between(6) / ICMPv6EchoReply(id=77)).kind == "echo-reply"


def test_an_unreachable_tells_the_ports_it_is_about() -> None:
    quoted = IPerror(src="10.0.0.1", dst="10.0.0.100") / TCPerror(sport=42000, dport=80)
    found = heard(between(4) / ICMP(type=3, code=13) / quoted)
    assert (found.kind, found.source_port, found.port, found.code) == ("unreachable", 42000, 80, 13)
    quoted6 = IPv6(src="fd00::1", dst="fd00::100") / TCP(sport=42000, dport=80)
    found = heard(between(6) / ICMPv6DestUnreach(code=1) / quoted6)
    assert (found.kind, found.source_port, found.port) == ("unreachable", 42000, 80)


def test_a_router_says_that_a_packet_may_not_pass_it() -> None:
    asked = read(frames.tcp(ROUTES[0], 42000, 80, hop_limit=1))
    assert asked[IP].ttl == 1
    found = heard(between(4) / ICMP(type=11) / IPerror(bytes(asked[IP])))
    assert (found.kind, found.source_port, found.port) == ("exceeded", 42000, 80)
    quoted6 = IPv6(src="fd00::1", dst="fd00::100") / TCP(sport=42000, dport=80)
    assert heard(between(6) / ICMPv6TimeExceeded() / quoted6).kind == "exceeded"


def test_a_timestamp_is_asked_for_and_told() -> None:
    asked = read(frames.timestamp(ROUTES[0], 5, 1234))[ICMP]
    assert (asked.type, asked.id, asked.ts_ori) == (13, 5, 1234)
    reply = between(4) / ICMP(type=14, id=5, ts_ori=1234, ts_rx=86_399_999, ts_tx=0)
    assert heard(reply).time == 86_399_999
    unknown = between(4) / ICMP(type=14, id=5, ts_ori=1234, ts_rx=1 << 31, ts_tx=0)
    assert heard(unknown).time is None


def test_what_is_cut_off_or_foreign_says_nothing() -> None:
    whole = bytes(between(4) / TCP(sport=80, dport=42000, flags="SA"))
    assert all(parse(whole[:length]) is None for length in range(14 + 20 + 13))
    assert parse(b"\xff" * 12 + b"\x88\xcc" + bytes(40)) is None
    assert parse(bytes(between(4) / UDP(sport=1, dport=2))) is None
    fragment = Ether(src=THEIRS.hex(":")) / IP(src="10.0.0.1", dst="10.0.0.2", frag=5) / bytes(40)
    assert parse(bytes(fragment)) is None
