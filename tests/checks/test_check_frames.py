"""Frames held against scapy's, both ways."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from directrix.checks.frames import Claim, FromTcp, Segment, read, tcp
from directrix.lvs.addresses import Address
from directrix.system.frames import Flag, Route, who_has

OURS, THEIRS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
V4 = (IPv4Address("10.0.0.1"), IPv4Address("10.0.0.100"))
V6 = (IPv6Address("fd00::1"), IPv6Address("fd00::ab:cdef"))
FAMILIES = pytest.mark.parametrize(("source", "vip"), [V4, V6], ids=["IPv4", "IPv6"])


@FAMILIES
@pytest.mark.parametrize(
    "segment",
    [
        Segment(40000, 80, 7, 0, Flag.SYN),
        Segment(40000, 80, 8, 2**32 - 1, Flag.ACK | Flag.PSH, b"GET / HTTP/1.0\r\n\r\nodd"),
        Segment(40000, 80, 8, 0, Flag.RST),
    ],
)
def test_a_segment_is_what_scapy_reads_with_right_checksums(source: Address, vip: Address, segment: Segment) -> None:
    frame = tcp(Route(OURS, THEIRS, source, vip), segment)
    seen = Ether(frame)
    network = seen[IP if source.version == 4 else IPv6]
    head = seen[TCP]
    assert (seen.src, seen.dst) == (OURS.hex(":"), THEIRS.hex(":"))
    assert (network.src, network.dst) == (str(source), str(vip))
    assert (network.ttl if source.version == 4 else network.hlim) == 1
    assert (head.sport, head.dport, head.seq, head.ack) == (40000, 80, segment.sequence, segment.acknowledged)
    assert int(head.flags) == segment.flags
    assert bytes(head.payload) == segment.payload
    told = head.chksum, getattr(network, "chksum", None)
    del head.chksum
    if source.version == 4:
        del network.chksum
    again = Ether(bytes(seen))
    assert told == (again[TCP].chksum, getattr(again[IP if source.version == 4 else IPv6], "chksum", None))
    assert read(frame) == FromTcp(OURS, source, vip, segment)


@FAMILIES
def test_the_question_who_has_an_address_goes_to_one_host(source: Address, vip: Address) -> None:
    seen = Ether(who_has(OURS, source, vip, THEIRS))
    assert (seen.src, seen.dst) == (OURS.hex(":"), THEIRS.hex(":"))
    if source.version == 4:
        asked = seen[ARP]
        assert (asked.op, asked.psrc, asked.pdst, asked.hwsrc) == (1, str(source), str(vip), OURS.hex(":"))
    else:
        assert (seen[IPv6].dst, seen[IPv6].hlim) == ("ff02::1:ffab:cdef", 255)
        assert seen[ICMPv6ND_NS].tgt == str(vip)
        told = seen[ICMPv6ND_NS].cksum
        del seen[ICMPv6ND_NS].cksum
        assert Ether(bytes(seen))[ICMPv6ND_NS].cksum == told


def test_claims_are_read() -> None:
    arp = Ether(src=THEIRS, dst=OURS) / ARP(op=2, hwsrc=THEIRS.hex(":"), psrc="10.0.0.100", pdst="10.0.0.1")
    assert read(bytes(arp)) == Claim(THEIRS, V4[1])
    advertised = (
        Ether(src=THEIRS, dst=OURS)
        / IPv6(src="fd00::11", dst="fd00::1")
        / ICMPv6ND_NA(tgt=str(V6[1]))
        / ICMPv6NDOptDstLLAddr(lladdr=THEIRS.hex(":"))
    )
    assert read(bytes(advertised)) == Claim(THEIRS, V6[1])
    assert read(bytes(Ether(src=THEIRS) / ARP(op=1, psrc="10.0.0.100", pdst="10.0.0.1"))) is None


def test_headers_with_options_and_padding_are_read() -> None:
    frame = Ether(src=THEIRS, dst=OURS) / IP(src="10.0.0.100", dst="10.0.0.1", options=[b"\x01\x01\x01\x01"])
    frame /= TCP(sport=80, dport=40000, seq=5, ack=6, flags="SA", options=[("MSS", 1460), ("WScale", 7)]) / b"hello"
    expected = FromTcp(THEIRS, V4[1], V4[0], Segment(80, 40000, 5, 6, Flag.SYN | Flag.ACK, b"hello"))
    assert read(bytes(frame) + bytes(20)) == expected


@FAMILIES
def test_what_is_cut_off_or_broken_is_nothing(source: Address, vip: Address) -> None:
    frame = tcp(Route(OURS, THEIRS, source, vip), Segment(1, 2, 3, 4, Flag.ACK, b"payload"))
    for length in range(len(frame)):
        assert read(frame[:length]) is None
    fragment = Ether(frame)
    if source.version == 4:
        fragment[IP].frag = 3
        assert read(bytes(fragment)) is None
