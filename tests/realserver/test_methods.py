"""What each method makes of a host that shall be a real server."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from standing import LINKS, RS, host

from directrix.realserver.methods import METHODS, arptables, redirect
from directrix.realserver.preparing import Plan, Wish, plan
from directrix.realserver.task import Task
from directrix.system.facts.rules import choose_program, rules_listed
from directrix.system.host_error import HostError
from directrix.system.links import Link
from directrix.system.whereabouts import Whereabouts

VIP, VIP6 = ip_address("10.0.0.100"), ip_address("fd00::100")


def planned(vip: str, method: str = "", *interfaces: str, at: Whereabouts = RS) -> Plan:
    return plan(ip_address(vip), Wish(method, interfaces), at)


def commands(made: Plan) -> list[str]:
    """What makes all of it, from nothing."""
    return [command.text for fact in made.facts for command in fact.make(None)]


def test_sysctl_silences_arp_before_the_vip_is_there() -> None:
    assert commands(planned("10.0.0.100")) == [
        "sysctl -w net.ipv4.conf.all.arp_ignore=1",
        "sysctl -w net.ipv4.conf.all.arp_announce=2",
        "sysctl -w net.ipv4.conf.lo.arp_ignore=1",
        "sysctl -w net.ipv4.conf.lo.arp_announce=2",
        "sysctl -w net.ipv4.conf.eth0.arp_ignore=1",
        "sysctl -w net.ipv4.conf.eth0.arp_announce=2",
        "ip address add 10.0.0.100/32 dev lo scope host",
    ]


def test_ipv6_needs_no_silencing() -> None:
    for method in ("sysctl", "arptables"):
        assert commands(planned("fd00::100", method)) == ["ip address add fd00::100/128 dev lo nodad preferred_lft 0"]


def test_an_ipv6_vip_on_lo_needs_no_interface_to_be_known() -> None:
    assert planned("2001:db8::80").interfaces == ()
    with pytest.raises(HostError, match="--interface"):
        planned("2001:db8::80", "redirect")
    with pytest.raises(HostError, match="--interface"):
        planned("192.0.2.80")


def test_interfaces_named_take_the_place_of_the_one_found_and_dots_in_their_names_are_no_separators() -> None:
    links = (*LINKS, Link(4, "eth0.5", "ether", kind="vlan", up=True))
    made = commands(planned("10.0.0.100", "", "eth1", "eth0.5", at=host("eth0 10.0.0.11/24", links=links)))
    assert "sysctl -w net.ipv4.conf.eth1.arp_ignore=1" in made
    assert "sysctl -w net/ipv4/conf/eth0.5/arp_announce=2" in made
    assert not any("conf.eth0." in command for command in made)


def test_a_stricter_setting_is_good_enough() -> None:
    ignore, announce = planned("10.0.0.100").facts[:2]
    assert [value for value in "0123" if ignore.holds(value)] == ["1", "2"]
    assert [value for value in "012" if announce.holds(value)] == ["2"]


def test_arptables_drops_requests_and_gives_each_interfaces_own_address_for_the_vip() -> None:
    assert commands(planned("10.0.0.100", "arptables", "eth0", "eth1")) == [
        "nft 'add table arp directrix_10.0.0.100; "
        "add chain arp directrix_10.0.0.100 input { type filter hook input priority 0; }; "
        "add rule arp directrix_10.0.0.100 input arp daddr ip 10.0.0.100 drop; "
        "add chain arp directrix_10.0.0.100 output { type filter hook output priority 0; }; "
        'add rule arp directrix_10.0.0.100 output oifname "eth0" arp saddr ip 10.0.0.100 arp saddr ip set 10.0.0.11; '
        'add rule arp directrix_10.0.0.100 output oifname "eth1" arp saddr ip 10.0.0.100 arp saddr ip set 10.0.1.11\'',
        "ip address add 10.0.0.100/32 dev lo scope host",
    ]


@pytest.mark.parametrize(("vip", "family"), [("10.0.0.100", "ip"), ("fd00::100", "ip6")])
def test_redirect_has_a_rule_and_no_vip(vip: str, family: str) -> None:
    (command,) = commands(planned(vip, "redirect"))
    assert f"prerouting {family} daddr {vip} redirect" in command
    assert "nat hook prerouting" in command


def test_without_nft_the_older_programs_do_the_same() -> None:
    def without_nft(programs: dict[str, str], purpose: str) -> str:
        return list(programs)[1]

    def made(method: str, vip: str) -> list[str]:
        facts = METHODS[method](Task(ip_address(vip), ("eth0",), RS, without_nft))
        return [command.text for fact in facts for command in fact.make(None)]

    assert made("arptables", "10.0.0.100")[:2] == [
        "arptables -t filter -I INPUT -j DROP -d 10.0.0.100",
        "arptables -t filter -I OUTPUT -j mangle -o eth0 -s 10.0.0.100 --mangle-ip-s 10.0.0.11",
    ]
    assert made("redirect", "10.0.0.100") == ["iptables -t nat -I PREROUTING -d 10.0.0.100/32 -j REDIRECT"]
    assert made("redirect", "fd00::100") == ["ip6tables -t nat -I PREROUTING -d fd00::100/128 -j REDIRECT"]


def test_without_any_program_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match=r"arptables needs nft or arptables.*the package nftables or arptables"):
        planned("10.0.0.100", "arptables")
    with pytest.raises(HostError, match=r"redirect needs nft or ip6tables.*the package nftables or iptables"):
        planned("fd00::100", "redirect")
    assert planned("fd00::100", "arptables").facts, "what needs no rules needs no program"
    with pytest.raises(HostError):
        choose_program({}, "nothing")


@pytest.mark.parametrize("method", METHODS)
def test_the_hosts_own_address_is_no_vip(method: str) -> None:
    for vip in ("10.0.0.11", "fd00::11", "10.0.1.11"):
        with pytest.raises(HostError, match=f"{vip} is this host's own address"):
            planned(vip, method)
    with pytest.raises(HostError, match="own address"):
        planned("192.0.2.1", method, at=host("eth0 192.0.2.1/32"))


@pytest.mark.parametrize("method", METHODS)
def test_a_host_that_carries_the_vip_as_a_director_does_is_told_how_to_change_that(method: str) -> None:
    with pytest.raises(HostError, match=r"as a director does.*ip address del 10.0.0.100/32 dev eth0"):
        planned("10.0.0.100", method, at=host("eth0 10.0.0.11/24", "eth0 10.0.0.100/32"))


def test_a_vip_on_a_dummy_device_is_told_what_to_do_with_it() -> None:
    links = (*LINKS, Link(4, "dummy0", "ether", kind="dummy", up=True))
    said = r"stands on the dummy device dummy0.*ip address del 10.0.0.100/32 dev dummy0.*directrix doctor"
    with pytest.raises(HostError, match=said):
        planned("10.0.0.100", at=host("eth0 10.0.0.11/24", "dummy0 10.0.0.100/32", links=links))


def test_a_vip_on_lo_with_a_short_prefix_takes_a_network_and_is_refused() -> None:
    with pytest.raises(HostError, match=r"takes all of 10.0.0.0/24.*ip address del 10.0.0.100/24 dev lo"):
        planned("10.0.0.100", at=host("eth0 10.0.0.11/24", "lo 10.0.0.100/24"))


def test_a_vip_on_lo_is_as_sysctl_wants_it_and_as_redirect_does_not() -> None:
    there = host("eth0 10.0.0.11/24", "lo 10.0.0.100/32")
    assert planned("10.0.0.100", at=there).facts
    with pytest.raises(HostError, match=r"lo carries 10.0.0.100"):
        planned("10.0.0.100", "redirect", at=there)


def test_what_is_missing_on_the_host_is_named_with_its_remedy() -> None:
    down = (Link(1, "lo", "loopback"), *LINKS[1:])
    with pytest.raises(HostError, match="ip link set lo up"):
        planned("10.0.0.100", at=host("eth0 10.0.0.11/24", links=down))
    with pytest.raises(HostError, match=r"IPv6 is disabled on lo.*disable_ipv6=0"):
        planned("fd00::100", at=host("eth0 fd00::11/64", without_ipv6=frozenset({"lo"})))
    for method in ("arptables", "redirect"):
        with pytest.raises(HostError, match="eth1 has no IPv4 address of its own"):
            planned("10.0.0.100", method, "eth1", at=host("eth0 10.0.0.11/24"))


def test_rules_are_found_in_what_nft_lists() -> None:
    listing = """table arp directrix_10.0.0.100 {
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tarp daddr ip 10.0.0.100 drop
\t}

\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t}
}
"""
    assert rules_listed(listing) == ["arp daddr ip 10.0.0.100 drop"]


def test_tables_of_different_vips_have_different_names() -> None:
    names = {
        fact.key
        for vip in ("10.0.0.100", "10.0.0.10", "fd00::100", "fd00::1:0")
        for fact in [*redirect.by_nft(ip_address(vip)), *arptables.by_nft(ip_address(vip), {})]
    }
    assert len(names) == 8
