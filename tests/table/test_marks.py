"""Of the mark rules that fit a packet the most specific one counts, however that is found out."""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mark_contract import a_match, a_rule
from mark_strategies import ADDRESSES, BOUNDS, NETWORKS, PORTS, rule_sets

from directrix.lvs import Address, MarkRule, Protocol
from directrix.lvs.errors import InvalidRequest
from directrix.table.marks import MarkRules
from directrix.table.xdp.mark_ranges import Plan, Range, plan
from directrix.table.xdp.marks import _placed

LENGTHS = sorted({network.prefixlen for network in NETWORKS}, reverse=True)
WIDTHS = sorted({last - first for first in BOUNDS for last in BOUNDS if last >= first})


def most_specific(rules: MarkRules, protocol: Protocol, address: Address, port: int) -> int:
    """The mark of a packet, looking from the most specific that a rule for it can be to the least."""
    by_kind: dict[object, list[MarkRule]] = {}
    for rule in rules:
        match = rule.match
        kind = (match.network, match.protocol, match.last_port - match.first_port)
        by_kind.setdefault(kind, []).append(rule)
    for length in (length for length in LENGTHS if length <= address.max_prefixlen):
        network = ip_network((address, length), strict=False)
        for named in (protocol, None):
            for width in WIDTHS:
                for rule in by_kind.get((network, named, width), []):
                    if rule.match.first_port <= port <= rule.match.last_port:
                        return rule.mark
    return 0


def looked_up(planned: Plan, protocol: Protocol, address: Address, port: int) -> int:
    """The mark of a packet, found as the data plane finds it: longest prefix, then the port among its ranges."""
    for length in (length for length in LENGTHS if length <= address.max_prefixlen):
        ranges = planned.get((protocol, ip_network((address, length), strict=False)))
        if ranges is not None:
            place = bisect_right([one.first for one in ranges], port) - 1
            return ranges[place].mark if place >= 0 and port <= ranges[place].last else 0
    return 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rule_sets(), st.sampled_from(ADDRESSES), st.sampled_from(Protocol))
def test_the_most_specific_rule_gives_the_mark(rules: MarkRules, address: Address, protocol: Protocol) -> None:
    planned = plan(rules)
    for port in PORTS:
        wanted = most_specific(rules, protocol, address, port)
        assert rules.mark_of(protocol, address, port) == wanted
        assert looked_up(planned, protocol, address, port) == wanted


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rule_sets())
def test_ranges_are_sorted_disjoint_and_as_few_as_can_be(rules: MarkRules) -> None:
    for ranges in plan(rules).values():
        assert all(one.first <= one.last and one.mark for one in ranges)
        for one, following in pairwise(ranges):
            assert one.last < following.first
            assert one.mark != following.mark or one.last + 1 < following.first


def test_a_rule_inside_another_leaves_the_rest_to_it() -> None:
    rules = MarkRules([a_rule(1, first=10, last=20), a_rule(2, first=15), a_rule(3, first=10, last=11)])
    assert plan(rules)[Protocol.TCP, a_match().network] == (
        Range(10, 11, 3),
        Range(12, 14, 1),
        Range(15, 15, 2),
        Range(16, 20, 1),
    )


def test_a_prefix_has_what_the_wider_ones_say_where_it_is_silent() -> None:
    wide = a_rule(1, network="10.0.0.0/8", protocol=None, first=0, last=65535)
    rules = MarkRules([wide, a_rule(2, network="10.0.0.0/24", first=80), a_rule(3, first=80)])
    planned = plan(rules)
    assert planned[Protocol.TCP, a_match().network] == (Range(0, 79, 1), Range(80, 80, 3), Range(81, 65535, 1))
    assert (Protocol.UDP, a_match().network) not in planned
    assert rules.mark_of(Protocol.UDP, ip_address("10.0.0.1"), 80) == 1


def test_ranges_alike_are_kept_once_and_too_many_are_refused() -> None:
    many = tuple(Range(2 * n, 2 * n, 1 + n) for n in range(20000))
    alike = {many, tuple(many)}
    packed, runs = _placed(alike, 32768)
    assert (len(packed), runs) == (20000 * 8, {many: 32768})
    other = tuple(Range(2 * n + 1, 2 * n + 1, 1 + n) for n in range(20000))
    with pytest.raises(InvalidRequest, match=r"40,000 ranges .* holds 32,768"):
        _placed([many, other], 0)
