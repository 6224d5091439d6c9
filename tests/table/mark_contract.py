"""What every make of the table that gives packets marks promises of its mark rules.

A make is held to it by a subclass with a fixture `table` that gives a new, empty table.
"""

from __future__ import annotations

import errno
from ipaddress import ip_network

import pytest
from contract import a_server, a_service, refused

from directrix.lvs import Family, MarkMatch, MarkRule, Protocol, ServiceKey
from directrix.table.interface import Table
from directrix.table.marks import MOST_RULES

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP


def a_match(
    network: str = "10.0.0.1", protocol: Protocol | None = TCP, first: int = 80, last: int | None = None
) -> MarkMatch:
    """Packets with nothing special: HTTP to one address."""
    return MarkMatch(ip_network(network), protocol, first, first if last is None else last)


def a_rule(mark: int = 5, **match: object) -> MarkRule:
    """A rule with nothing special."""
    return MarkRule(a_match(**match), mark)  # type: ignore[arg-type]


SEVERAL = [
    a_rule(1),
    a_rule(1, first=443),
    a_rule(2, network="10.0.0.0/24", first=1, last=1023),
    a_rule(3, network="10.0.0.0/24", protocol=None, first=0, last=65535),
    a_rule(4, network="fd00::/64", protocol=UDP, first=53),
    a_rule(0xFFFFFFFF, network="::/0", protocol=SCTP, first=0, last=65535),
    a_rule(6, network="0.0.0.0/0", first=65535),
]


class MarkContract:
    """Mark rules: kept, refused, removed, and set as a whole."""

    def test_a_new_table_has_no_mark_rules(self, table: Table) -> None:
        assert table.marks() == []

    def test_mark_rules_are_listed_as_they_were_added(self, table: Table) -> None:
        for rule in SEVERAL:
            table.add_mark(rule)
        assert set(table.marks()) == set(SEVERAL)
        assert len(table.marks()) == len(SEVERAL)

    @pytest.mark.parametrize("rule", SEVERAL, ids=str)
    def test_packets_are_given_a_mark_once(self, table: Table, rule: MarkRule) -> None:
        table.add_mark(rule)
        for mark in (rule.mark, 77):
            with refused(errno.EEXIST):
                table.add_mark(MarkRule(rule.match, mark))
        assert table.marks() == [rule]

    def test_the_refusal_names_the_rule_and_its_mark(self, table: Table) -> None:
        table.add_mark(a_rule(5))
        with pytest.raises(Exception, match=r"TCP 10\.0\.0\.1:80 already, which gives the mark 5"):
            table.add_mark(a_rule(6))

    @pytest.mark.parametrize(("first", "last"), [(70, 80), (90, 91), (0, 80), (85, 65535)])
    def test_ports_that_overlap_in_part_are_refused(self, table: Table, first: int, last: int) -> None:
        table.add_mark(a_rule(1, first=80, last=90))
        with refused(errno.EINVAL):
            table.add_mark(a_rule(2, first=first, last=last))
        assert table.marks() == [a_rule(1, first=80, last=90)]

    @pytest.mark.parametrize(("first", "last"), [(80, 80), (85, 90), (81, 89), (0, 90), (91, 92), (0, 79), (80, 91)])
    def test_ports_inside_one_another_or_apart_are_taken(self, table: Table, first: int, last: int) -> None:
        table.add_mark(a_rule(1, first=80, last=90))
        table.add_mark(a_rule(2, first=first, last=last))
        assert len(table.marks()) == 2

    @pytest.mark.parametrize("other", [{"network": "10.0.0.0/31"}, {"protocol": None}, {"protocol": UDP}], ids=str)
    def test_of_another_prefix_or_protocol_ports_may_overlap(self, table: Table, other: dict[str, object]) -> None:
        table.add_mark(a_rule(1, first=80, last=90))
        table.add_mark(a_rule(2, first=85, last=95, **other))
        assert len(table.marks()) == 2

    @pytest.mark.parametrize(
        "rule",
        [a_rule(0), a_rule(-1), a_rule(1 << 32), a_rule(first=81, last=80), a_rule(first=-1), a_rule(last=65536)],
        ids=str,
    )
    def test_a_rule_that_makes_no_sense_is_einval(self, table: Table, rule: MarkRule) -> None:
        with refused(errno.EINVAL):
            table.add_mark(rule)
        with refused(errno.EINVAL):
            table.set_marks([a_rule(), rule])
        assert table.marks() == []

    def test_a_rule_is_removed_by_its_packets(self, table: Table) -> None:
        for rule in SEVERAL:
            table.add_mark(rule)
        table.remove_mark(SEVERAL[2].match)
        table.remove_mark(SEVERAL[4].match, SEVERAL[4].mark)
        assert set(table.marks()) == {*SEVERAL} - {SEVERAL[2], SEVERAL[4]}
        table.add_mark(SEVERAL[2])
        assert set(table.marks()) == {*SEVERAL} - {SEVERAL[4]}

    @pytest.mark.parametrize(
        ("match", "mark"),
        [(a_match(first=81), None), (a_match(protocol=None), None), (a_match("10.0.0.0/31"), None), (a_match(), 6)],
        ids=str,
    )
    def test_without_exactly_this_rule_there_is_enoent(self, table: Table, match: MarkMatch, mark: int | None) -> None:
        table.add_mark(a_rule(5))
        with refused(errno.ENOENT):
            table.remove_mark(match, mark)
        assert table.marks() == [a_rule(5)]

    def test_set_as_a_whole_rules_are_in_place_of_all_others(self, table: Table) -> None:
        table.add_mark(a_rule(9))
        table.set_marks(SEVERAL)
        assert set(table.marks()) == set(SEVERAL)
        table.set_marks(SEVERAL[:2])
        assert set(table.marks()) == set(SEVERAL[:2])
        table.set_marks([])
        assert table.marks() == []

    @pytest.mark.parametrize("bad", [a_rule(7), a_rule(7, network="10.0.0.0/24", first=1000, last=2000)], ids=str)
    def test_a_set_with_one_faulty_rule_changes_nothing(self, table: Table, bad: MarkRule) -> None:
        table.add_mark(a_rule(9))
        with pytest.raises(Exception, match=r"already|in part"):
            table.set_marks([*SEVERAL, bad])
        assert table.marks() == [a_rule(9)]

    def test_there_is_room_for_thousands_of_rules_and_no_more(self, table: Table) -> None:
        rules = [a_rule(1 + n, network=f"10.{n >> 8}.{n & 255}.0/24") for n in range(MOST_RULES)]
        table.set_marks(rules)
        assert set(table.marks()) == set(rules)
        with pytest.raises(Exception, match="holds 4,096 mark rules"):
            table.add_mark(a_rule(1, network="11.0.0.0/8"))
        assert len(table.marks()) == MOST_RULES

    def test_rules_and_services_do_not_wait_for_each_other(self, table: Table) -> None:
        table.add_mark(a_rule(5))
        key = ServiceKey.mark(5)
        table.add_service(a_service(key))
        table.add_server(key, a_server(port=0))
        table.add_service(a_service(ServiceKey.mark(5, Family.INET6)))
        table.remove_mark(a_match())
        assert [state.server for state in table.service(key).servers] == [a_server(port=0)]
        table.add_mark(a_rule(5))
        table.flush()
        assert table.marks() == [a_rule(5)]
