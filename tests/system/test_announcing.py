"""Announcements are what scapy, who wrote its own, reads as such."""

from __future__ import annotations

from ipaddress import ip_address

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from directrix.system.frames import announcement as frame

MAC = bytes.fromhex("020000000001")


def test_ipv4_is_announced_by_a_gratuitous_arp_request_to_all() -> None:
    read = Ether(frame(ip_address("10.0.0.100"), MAC))
    assert (read.dst, read.src) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01")
    arp = read[ARP]
    assert (arp.op, arp.hwsrc, arp.psrc, arp.pdst) == (1, "02:00:00:00:00:01", "10.0.0.100", "10.0.0.100")
    assert bytes(read) == frame(ip_address("10.0.0.100"), MAC)


def test_a_gratuitous_arp_is_to_the_byte_what_keepalived_sends() -> None:
    assert frame(ip_address("10.0.0.200"), MAC).hex(" ", 2) == (
        "ffff ffff ffff 0200 0000 0001 0806 0001 0800 0604 0001 0200 0000 0001 0a00 00c8 ffff ffff ffff 0a00 00c8"
    )


def test_ipv6_is_announced_by_an_unsolicited_advertisement_that_overrides() -> None:
    data = frame(ip_address("fd00::100"), MAC)
    read = Ether(data)
    assert (read.dst, read[IPv6].src, read[IPv6].dst, read[IPv6].hlim) == (
        "33:33:00:00:00:01",
        "fd00::100",
        "ff02::1",
        255,
    )
    told = read[ICMPv6ND_NA]
    assert (told.R, told.S, told.O, told.tgt) == (0, 0, 1, "fd00::100")
    assert read[ICMPv6NDOptDstLLAddr].lladdr == "02:00:00:00:00:01"
    right = told.cksum
    del told.cksum
    assert Ether(bytes(read))[ICMPv6ND_NA].cksum == right


def test_a_host_that_forwards_says_so() -> None:
    told = Ether(frame(ip_address("fd00::100"), MAC, router=True))[ICMPv6ND_NA]
    assert (told.R, told.S, told.O) == (1, 0, 1)
