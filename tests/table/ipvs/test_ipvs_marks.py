"""In front of the kernel's IPVS netfilter gives marks: every refusal names the command that would do what was asked."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest
from mark_contract import SEVERAL, a_match, a_rule

from directrix.lvs import MarkRule
from directrix.lvs.errors import MarkedElsewhere
from directrix.table.ipvs import marking
from directrix.table.ipvs.table import IpvsTable

TABLE = IpvsTable(cast(Any, None), 4096)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (a_rule(), "ip daddr 10.0.0.1 tcp dport 80 meta mark set 5"),
        (a_rule(last=443), "ip daddr 10.0.0.1 tcp dport 80-443 meta mark set 5"),
        (SEVERAL[3], "ip daddr 10.0.0.0/24 meta l4proto { tcp, udp, sctp } meta mark set 3"),
        (SEVERAL[4], "ip6 daddr fd00::/64 udp dport 53 meta mark set 4"),
        (SEVERAL[5], "meta nfproto ipv6 meta l4proto sctp meta mark set 4294967295"),
        (a_rule(protocol=None), "ip daddr 10.0.0.1 meta l4proto { tcp, udp, sctp } th dport 80 meta mark set 5"),
    ],
    ids=str,
)
def test_the_refusal_of_a_rule_names_the_command_for_it(rule: MarkRule, words: str) -> None:
    with pytest.raises(MarkedElsewhere) as caught:
        TABLE.add_mark(rule)
    assert caught.value.errno == errno.EOPNOTSUPP
    assert f"add rule inet marks prerouting {words}'" in caught.value.reason


def test_every_other_command_is_refused_with_one_too() -> None:
    for refused, command in (
        (TABLE.marks, "nft list ruleset"),
        (lambda: TABLE.remove_mark(a_match()), "nft -a list chain inet marks prerouting"),
        (lambda: TABLE.set_marks([]), "flush chain inet marks prerouting"),
    ):
        with pytest.raises(MarkedElsewhere, match=re.escape(command)):
            refused()


def test_rules_set_as_a_whole_come_with_the_most_specific_one_last() -> None:
    commands = marking.replacing(SEVERAL).split("; add rule")
    assert [command.rsplit(" ", 1)[1] for command in commands[1:]] == ["4294967295", "6", "3", "2", "1", "1", "4"]


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace of its own."""
    name = f"test-{os.getpid()}-nft"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.root
def test_nft_does_what_the_commands_say(namespace: str) -> None:
    inside = ["ip", "netns", "exec", namespace]

    def nft(*words: str) -> str:
        return subprocess.run([*inside, "nft", *words], check=True, capture_output=True, text=True).stdout

    for rule in SEVERAL:
        with pytest.raises(MarkedElsewhere) as caught:
            TABLE.add_mark(rule)
        program, *words = shlex.split(caught.value.reason.partition("run: ")[2])
        assert program == "nft"
        nft(*words)
    assert nft("list", "ruleset").count("meta mark set") == len(SEVERAL)
    nft(marking.replacing(SEVERAL[:2]))
    assert re.findall(r"ip daddr .*", nft("list", "ruleset")) == [
        "ip daddr 10.0.0.1 tcp dport 80 meta mark set 0x00000001",
        "ip daddr 10.0.0.1 tcp dport 443 meta mark set 0x00000001",
    ]
