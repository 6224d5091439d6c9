"""What a person may call a VIP, and at which interface its packets arrive."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest

from directrix.system.addresses import AddressHere
from directrix.system.host_error import HostError
from directrix.system.links import Link
from directrix.system.whereabouts import Whereabouts, read_vip

LINKS = (Link(1, "lo", "loopback", up=True), Link(2, "eth0", "ether", up=True), Link(3, "eth1", "ether", up=True))


def host(*addresses: str, defaults: tuple[str, ...] = (), links: tuple[Link, ...] = LINKS) -> Whereabouts:
    pairs = (address.split() for address in addresses)
    here = tuple(AddressHere(name, ip_interface(address), "global") for name, address in pairs)
    return Whereabouts(links, here, {4: defaults, 6: defaults})


@pytest.mark.parametrize(
    ("word", "vip"),
    [("192.0.2.80", "192.0.2.80"), ("192.0.2.80/32", "192.0.2.80"), ("2001:DB8::80/128", "2001:db8::80")],
)
def test_a_vip_is_an_address_with_or_without_the_longest_prefix(word: str, vip: str) -> None:
    assert read_vip(word) == ip_address(vip)


NO_VIPS = """
    www 192.0.2 192.0.2.80/24 192.0.2.80:80 2001:db8::80/64 2001:db8::80/32 224.0.0.1 ff02::1 0.0.0.0 :: 127.0.0.1 ::1
    169.254.1.1 fe80::1 fe80::1%eth0 255.255.255.255 ::ffff:192.0.2.1
"""


@pytest.mark.parametrize("word", ["", *NO_VIPS.split()])
def test_what_can_be_no_vip_is_refused_and_said_why(word: str) -> None:
    with pytest.raises(HostError) as refused:
        read_vip(word)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("addresses", "defaults", "chosen"),
    [
        (("eth0 10.0.0.1/24", "eth1 10.0.1.1/24"), ("eth0",), "eth1"),
        (("eth0 10.0.0.0/16", "eth1 10.0.1.1/24"), (), "eth1"),
        (("eth0 192.0.2.1/24",), ("eth1", "eth0"), "eth1"),
        (("lo 10.0.1.100/8", "eth0 192.0.2.1/24"), ("eth0",), "eth0"),
        (("eth1 10.0.1.100/32", "eth0 10.0.1.2/24"), ("eth1",), "eth0"),
    ],
)
def test_packets_arrive_where_the_vips_network_is_else_by_the_default_route(
    addresses: tuple[str, ...], defaults: tuple[str, ...], chosen: str
) -> None:
    assert host(*addresses, defaults=defaults).interface_of(ip_address("10.0.1.100")) == chosen


def test_of_a_single_interface_nothing_more_need_be_known() -> None:
    assert host(links=LINKS[:2]).interface_of(ip_address("10.0.1.100")) == "eth0"


def test_where_it_can_not_be_told_the_person_is_asked_with_the_names_there_are() -> None:
    with pytest.raises(HostError, match=r"--interface \(eth0, eth1\)"):
        host().interface_of(ip_address("10.0.1.100"))


def test_an_interface_that_is_not_there_or_leads_nowhere_is_refused() -> None:
    with pytest.raises(HostError, match="there are: eth0, eth1"):
        host().check_interface("eth7")
    with pytest.raises(HostError, match="lo leads to nobody"):
        host().check_interface("lo")


@pytest.mark.parametrize(("vip", "what"), [("192.0.2.255", "broadcast address"), ("192.0.2.0", "network address")])
def test_a_networks_first_and_last_addresses_are_no_vips(vip: str, what: str) -> None:
    with pytest.raises(HostError, match=rf"{what} of 192.0.2.0/24 on eth0"):
        host("eth0 192.0.2.1/24").check_unicast(ip_address(vip))


@pytest.mark.parametrize("own", ["eth0 192.0.2.254/31", "eth0 192.0.2.255/32", "eth0 192.0.2.1/16", "lo 192.0.2.1/24"])
def test_where_they_are_addresses_like_others_they_may_be_vips(own: str) -> None:
    host(own, "eth1 2001:db8::1/64").check_unicast(ip_address("192.0.2.255"))
    host(own, "eth1 2001:db8::1/64").check_unicast(ip_address("2001:db8::"))


def test_an_interfaces_own_address_is_neither_a_vip_nor_link_local() -> None:
    here = host("eth0 169.254.1.1/16", "eth0 10.0.0.100/32", "eth0 10.0.0.1/24", "eth1 fe80::1/64")
    assert here.own_address("eth0", 4) == ip_address("10.0.0.1")
    assert here.own_address("eth1", 6) is None
