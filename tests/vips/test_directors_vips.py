"""What a host must have to be a director for a VIP."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface

import pytest

from directrix.system.addresses import AddressHere
from directrix.system.facts.forwarding import Forwarding
from directrix.system.host_error import HostError
from directrix.system.links import Link
from directrix.system.whereabouts import Whereabouts
from directrix.vips.preparing import METHODS, Wish, plan

LINKS = (Link(1, "lo", "loopback", up=True), Link(2, "eth0", "ether", up=True), Link(3, "eth1", "ether", up=True))


def host(*addresses: str) -> Whereabouts:
    pairs = (address.split() for address in addresses)
    here = tuple(AddressHere(name, ip_interface(address), "global") for name, address in pairs)
    return Whereabouts(LINKS, here, {4: (), 6: ()}, frozenset({"eth1"}))


DIRECTOR = host("eth0 10.0.0.1/24", "eth0 fd00::1/64", "eth1 10.0.1.1/24")


def commands(vip: str, method: str = "", interface: str = "", at: Whereabouts = DIRECTOR) -> list[str]:
    facts = plan(ip_address(vip), Wish(method, interface), at).facts
    return [command.text for fact in facts for command in fact.make(None)]


@pytest.mark.parametrize("method", ["direct", "tunnel"])
def test_redirects_are_off_and_the_vip_is_a_host_on_the_interface_in_its_network(method: str) -> None:
    assert commands("10.0.1.100", method) == [
        "sysctl -w net.ipv4.conf.all.send_redirects=0",
        "sysctl -w net.ipv4.conf.eth1.send_redirects=0",
        "ip address add 10.0.1.100/32 dev eth1",
    ]
    assert commands("fd00::100", method) == ["ip address add fd00::100/128 dev eth0 nodad preferred_lft 0"]


def test_masquerading_alone_needs_forwarding_and_default_routes_of_ipv6_stay() -> None:
    assert "sysctl -w net.ipv4.ip_forward=1" in commands("10.0.0.100", "masquerade")
    assert commands("fd00::100", "masquerade") == [
        "sysctl -w net.ipv6.conf.eth0.accept_ra=2",
        "sysctl -w net.ipv6.conf.all.forwarding=1",
        "ip address add fd00::100/128 dev eth0 nodad preferred_lft 0",
    ]


def test_forwarding_goes_back_value_by_value() -> None:
    names = ["net.ipv4.ip_forward", "net.ipv4.conf.eth0.forwarding", "net.ipv4.conf.eth1.forwarding"]
    before = json.dumps(dict(zip(names, "001", strict=True)))
    assert [command.text for command in Forwarding(4).undo(before)] == [
        "sysctl -w net.ipv4.ip_forward=0",
        "sysctl -w net.ipv4.conf.eth1.forwarding=1",
    ]
    assert Forwarding(4).undo(json.dumps(dict.fromkeys(names, "1"))) == []
    assert Forwarding(4).holds(json.dumps(dict.fromkeys(names, "1")))
    assert not Forwarding(4).holds(before)
    assert not Forwarding(4).holds(None)


def test_where_our_data_plane_is_lo_goes_on_forwarding(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"net/ipv6/conf/lo/forwarding": ["0", "1"]}
    monkeypatch.setattr("directrix.system.facts.forwarding._of_data_plane", lambda: changed)
    before = json.dumps({"net.ipv6.conf.all.forwarding": "0", "net.ipv6.conf.lo.forwarding": "0"})
    assert "sysctl -w net.ipv6.conf.lo.forwarding=1" in [command.text for command in Forwarding(6).undo(before)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("vip", "interface", "at", "said"),
    [
        ("10.0.0.1", "", DIRECTOR, "own address on eth0"),
        ("192.0.2.1", "", DIRECTOR, "--interface"),
        ("10.0.0.100", "eth7", DIRECTOR, "no interface 'eth7'"),
        (
            "10.0.0.100",
            "",
            host("eth0 10.0.0.1/24", "lo 10.0.0.100/32"),
            "as a real server does.*del 10.0.0.100/32 dev lo",
        ),
        ("10.0.0.100", "eth1", host("eth0 10.0.0.100/32", "eth1 10.0.1.1/24"), "the VIP is to be on eth1"),
        ("10.0.0.100", "eth0", host("eth0 10.0.0.101/32", "eth0 169.254.0.9/16"), "no IPv4 address but VIPs"),
        ("fd00:1::100", "eth1", DIRECTOR, "IPv6 is disabled on eth1"),
    ],
)
def test_what_would_not_work_is_refused(vip: str, interface: str, at: Whereabouts, said: str, method: str) -> None:
    with pytest.raises(HostError, match=said):
        commands(vip, method, interface, at)
