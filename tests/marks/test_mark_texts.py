"""Mark rules as people and programs see them, and restored from a file or not at all."""

from __future__ import annotations

import json

import pytest
from known_names import KnownNames

from directrix.lvs import MarkRule
from directrix.marks.restoring import FaultyRules, read_rules
from directrix.marks.writing import as_json, listing, saved

FILE = """\
# clusters of web servers
-t 192.0.2.80:80 --mark 5
-t 192.0.2.80:443 --mark 5

--proto all --destination 10.0.0.0/8 --mark 6
-u [fd00::]/64:53-54 --mark 7
--proto sctp --destination fd00::1 --mark 8
  --proto all --destination ::/0 --dport 53 --mark 4294967295
"""


def rules(text: str = FILE) -> list[MarkRule]:
    """The rules of a file."""
    return read_rules(text.splitlines(keepends=True), "rules", KnownNames())


def test_a_listing_is_in_order_of_family_address_and_ports() -> None:
    assert "".join(listing(reversed(rules()), None)) == (
        "Prot Destination:Port  Mark\n"
        "all  10.0.0.0/8        6\n"
        "TCP  192.0.2.80:80     5\n"
        "TCP  192.0.2.80:443    5\n"
        "all  [::]/0:53         4294967295\n"
        "UDP  [fd00::]/64:53-54 7\n"
        "SCTP fd00::1           8\n"
    )


def test_with_names_a_listing_has_those_of_single_hosts_and_ports() -> None:
    assert [line.split()[1] for line in listing(rules(), KnownNames())][1:] == [
        "10.0.0.0/8",
        "www:http",
        "www:https",
        "[::]/0:53",
        "[fd00::]/64:53-54",
        "fd00::1",
    ]


def test_json_has_every_rule_whole() -> None:
    document = json.loads(as_json(rules()))
    assert list(document) == ["marks"]
    assert document["marks"][0] == {
        "family": "inet",
        "protocol": None,
        "destination": "10.0.0.0/8",
        "ports": None,
        "mark": 6,
    }
    assert document["marks"][4]["ports"] == [53, 54]
    assert json.loads(as_json([])) == {"marks": []}


def test_what_is_saved_restores_the_same_rules() -> None:
    text = "".join(saved(rules()))
    assert text.splitlines()[:2] == ["--proto all --destination 10.0.0.0/8 --mark 6", "-t 192.0.2.80:80 --mark 5"]
    assert set(rules(text)) == set(rules())
    assert "".join(saved(rules(text))) == text


def test_a_file_with_faults_gives_no_rule_and_the_place_of_each() -> None:
    faulty = ["-t 192.0.2.80:80 --mark 9", "\tnonsense", "-t 10.0.0.1:80 --mark 0", " -u 10.0.0.1:9"]
    text = FILE + "\n".join([*faulty, "-u 10.0.0.1:2-1 --mark 1"])
    with pytest.raises(FaultyRules) as caught:
        rules(text)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [
        "rules:9:1:",
        "rules:10:2:",
        "rules:11:23:",
        "rules:12:2:",
        "rules:13:4:",
    ]
    assert "TCP 192.0.2.80:80 already, which gives the mark 5" in str(caught.value)


def test_ports_that_overlap_in_part_are_found_in_a_file() -> None:
    with pytest.raises(FaultyRules, match=r"rules:2:1: the ports of TCP 10\.0\.0\.1:5-15 overlap"):
        rules("-t 10.0.0.1:1-10 --mark 1\n-t 10.0.0.1:5-15 --mark 1\n")
