"""Addresses, routes and rules: iproute2's words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from directrix.keepalived import FaultyConfiguration, loads
from directrix.keepalived.values import NextHop, Route, Rule
from directrix.lvs import Family


def route(words: str) -> Route:
    (found,) = loads(f"static_routes {{\n{words}\n}}").configuration.static_routes
    return found


def rule(words: str) -> Rule:
    (found,) = loads(f"static_rules {{\n{words}\n}}").configuration.static_rules
    return found


def refused(block: str, words: str) -> str:
    with pytest.raises(FaultyConfiguration) as caught:
        loads(f"{block} {{\n{words}\n}}", "x")
    return str(caught.value)


def test_a_route_s_options_keep_iproute2_s_spelling_and_order() -> None:
    found = route(
        "192.168.200.0/24 dev p33p1.2 table 6909 tos 0x04 proto bird scope link priority 12 "
        "mtu lock 1000 realms PQA/0x14 features ecn append"
    )
    assert (found.destination, found.interface, found.table, found.scope, found.metric) == (
        ip_network("192.168.200.0/24"),
        "p33p1.2",
        "6909",
        "link",
        12,
    )
    assert found.options == (
        ("tos", "0x04"),
        ("protocol", "bird"),
        ("mtu", "lock", "1000"),
        ("realms", "PQA/0x14"),
        ("features", "ecn"),
    )
    assert found.append


@pytest.mark.parametrize(
    ("words", "family", "destination", "via"),
    [
        ("default via 10.0.0.1", Family.INET, "0.0.0.0/0", IPv4Address("10.0.0.1")),
        ("default via fe80::1 dev eth0", Family.INET6, "::/0", IPv6Address("fe80::1")),
        ("0.0.0.0/0 gw 10.0.0.1", Family.INET, "0.0.0.0/0", IPv4Address("10.0.0.1")),
        ("src 10.0.0.9 to 10.2.0.0/16 via 10.0.0.1", Family.INET, "10.2.0.0/16", IPv4Address("10.0.0.1")),
        ("10.2.0.0/16 via inet6 fe80::1 dev eth0", Family.INET, "10.2.0.0/16", IPv6Address("fe80::1")),
        ("default inet6 dev eth0", Family.INET6, "::/0", None),
        ("10.2.0.5 dev eth0", Family.INET, "10.2.0.5/32", None),
    ],
)
def test_a_route_s_family_is_that_of_its_addresses(words: str, family: Family, destination: str, via: object) -> None:
    found = route(words)
    assert (found.family, found.destination, found.via) == (family, ip_network(destination), via)


def test_a_route_may_have_several_ways_in_the_new_words_and_the_old() -> None:
    found = route("10.2.0.0/16 table 5 nexthop via 10.0.0.1 dev eth0 onlink weight 2 nexthop dev eth1")
    assert found.next_hops == (
        NextHop(via=IPv4Address("10.0.0.1"), interface="eth0", weight=2, on_link=True),
        NextHop(interface="eth1"),
    )
    assert route("10.2.0.0/16 via 10.0.0.1 or 10.0.0.2").next_hops == (
        NextHop(via=IPv4Address("10.0.0.1")),
        NextHop(via=IPv4Address("10.0.0.2")),
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("via 10.0.0.1", "x:2:1: error: a route needs a destination"),
        ("10.2.0.0/16 vai 10.0.0.1", "x:2:13: error: 'vai' is no option of a route; did you mean 'via'?"),
        ("10.2.0.0/16 via 10.0.0.300", "x:2:17: error: '10.0.0.300' is no address"),
        ("10.2.0.0/16 metric -1", "x:2:20: error: metric takes"),
        ("10.2.0.0/16 encap foo 1", "x:2:19: error: 'foo' is no encapsulation"),
        ("10.2.0.0/16 inet6", "x:2:1: error: this route mixes IPv4 and IPv6"),
        ("10.2.0.0/16 dev", "x:2:13: error: dev needs an interface"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused(words: str, reason: str) -> None:
    assert reason in refused("static_routes", words)


def test_routes_and_rules_are_given_as_iproute2_takes_them() -> None:
    words = "10.2.0.0/16 gw 10.0.0.1 oif eth0 proto 5 priority 7 append nexthop gw 10.0.0.2 weight 3 realm a/b"
    assert " ".join(route(words).words()) == (
        "10.2.0.0/16 via 10.0.0.1 dev eth0 metric 7 protocol 5 nexthop via 10.0.0.2 weight 3 realms a/b"
    )
    assert " ".join(route("blackhole default inet6").words()) == "blackhole ::/0"
    assert " ".join(rule("ip_proto TCP order 4 lookup 9 not from 10.0.0.1").words()) == (
        "not from 10.0.0.1/32 ipproto TCP table 9 preference 4"
    )


def test_a_rule_s_words_are_understood() -> None:
    found = rule("from 192.168.28.0/24 to 192.168.29.0/26 table small iif p33p1 tos 22 fwmark 24/12 preference 39")
    assert found == Rule(
        family=Family.INET,
        table="small",
        source=ip_network("192.168.28.0/24"),
        destination=ip_network("192.168.29.0/26"),
        preference=39,
        options=(("iif", "p33p1"), ("tos", "22"), ("fwmark", "24/12")),
    )
    assert rule("to 2001:db8::/32 l3mdev pref 4 ip_proto UDP sport 10-20").options == (
        ("l3mdev",),
        ("ipproto", "UDP"),
        ("sport", "10-20"),
    )
    assert rule("iif eth0 goto 40 priority 5").target == 40


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("from 10.0.0.0/8", "x:2:1: error: this rule says nothing to do"),
        ("from 10.0.0.0/8 to ::1 table 5", "mixes IPv4 and IPv6"),
        ("form 10.0.0.0/8 table 5", "x:2:1: error: 'form' is no option of a rule; did you mean 'from'?"),
        ("from 10.0.0.0/44 table 5", "x:2:6: error: '10.0.0.0/44' is no network"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(words: str, reason: str) -> None:
    assert reason in refused("static_rules", words)


@pytest.mark.parametrize("block", ["static_rules", "static_routes"])
def test_a_line_with_a_network_cut_short_is_left_out_as_by_keepalived(block: str) -> None:
    words = "to 192.168.100./24 table 1" if block == "static_rules" else "192.168.100./24 dev eth0"
    loaded = loads(f"{block} {{\n{words}\n}}")
    assert (loaded.configuration.static_rules, loaded.configuration.static_routes) == ((), ())
    assert "left out" in str(loaded.warnings[0])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("10.0.0.1/24 scope univers", "'univers' is no scope"),
        ("10.0.0.1/24 label eth0:a-very-long-one", "is longer than 15 characters"),
        ("10.0.0.1/24 no_track", "'no_track' is no option of an address"),
        ("10.0.0.1/24 track_group G", "there is no track_group 'G'"),
        ("fe80::1%eth0", "an address stands here without an interface"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(words: str, reason: str) -> None:
    assert reason in refused("static_ipaddress", words)
