"""Which rules are in the way of packets for an address, from nft's own listing."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from directrix.system.netfilter.obstacles import in_the_way
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.reading import read_ruleset

VIP, VIP6 = ip_address("10.0.0.100"), ip_address("fd00::100")


def daddr(right: object, op: str = "==", protocol: str = "ip") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": "daddr"}}, "right": right}}


def dport(port: int) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": port}}


def found(
    *rules: list[dict[str, Any]], policy: str = "accept", family: str = "inet", hook: str = "input", vip: Any = VIP
) -> list[int | str]:
    """Numbers of the rules named, from 1; `policy` for the policy."""
    base = {"family": family, "table": "t", "name": "c", "type": "filter", "hook": hook, "policy": policy}
    listing: list[dict[str, Any]] = [{"metainfo": {}}, {"chain": base}]
    for number, statements in enumerate(rules, 1):
        rule = {"family": family, "table": "t", "chain": "c", "handle": number, "expr": statements}
        listing.append({"rule": rule})
    packet = Packet("tcp", vip, None, "eth0", local_on=frozenset({"eth0"}))
    return [verdict.rule[1] if verdict.rule else "policy" for verdict in in_the_way(read_ruleset(listing), packet)]


DROP, ACCEPT = {"drop": None}, {"accept": None}


def test_a_rule_that_drops_what_is_for_the_address_is_named_by_address_network_range_or_set() -> None:
    prefix = {"prefix": {"addr": "10.0.0.0", "len": 24}}
    assert found([daddr("10.0.0.100"), DROP]) == [1]
    assert found([daddr(prefix), dport(80), {"reject": None}]) == [1]
    assert found([daddr({"range": ["10.0.0.90", "10.0.0.110"]}), DROP]) == [1]
    assert found([daddr({"set": ["10.0.0.1", prefix]}), DROP]) == [1]
    assert found([daddr("fd00::100", protocol="ip6"), DROP], vip=VIP6) == [1]


def test_rules_about_others_are_not_named() -> None:
    assert found([daddr("10.0.0.101"), DROP]) == []
    assert found([daddr("10.0.0.100", "!="), DROP]) == []
    assert found([daddr("fd00::100", protocol="ip6"), DROP]) == []
    assert found([daddr("10.0.0.100"), DROP], family="ip6") == []
    assert found([daddr("10.0.0.100"), DROP], hook="output") == []
    lo = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}
    assert found([lo, DROP]) == []


def test_a_rule_with_a_condition_that_can_not_be_known_is_not_named() -> None:
    source = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.0.0.5"}}
    assert found([source, daddr("10.0.0.100"), DROP]) == []
    assert found([{"limit": {"rate": 5}}, DROP]) == []


def test_a_rule_before_it_that_lets_all_in_makes_it_harmless_and_one_for_a_port_does_not() -> None:
    assert found([daddr("10.0.0.100"), ACCEPT], [daddr("10.0.0.100"), DROP]) == []
    assert found([dport(22), ACCEPT], [daddr("10.0.0.100"), DROP]) == [2]


def test_a_policy_is_named_only_if_no_rule_lets_new_connections_in() -> None:
    old = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}
    assert found(policy="drop") == ["policy"]
    assert found([old, ACCEPT], policy="drop") == ["policy"]
    assert found([old, ACCEPT], [dport(80), ACCEPT], policy="drop") == []
    assert found([daddr("10.0.0.101"), ACCEPT], policy="drop") == ["policy"]
