"""What health checks mean for the table is what keepalived made of it when the transcripts were recorded."""

from __future__ import annotations

import shutil
from difflib import unified_diff

import checks_here
import machine
import pytest
from checks_scenario import HERE, SCENARIOS, TRANSCRIPTS, read

NAMES = sorted(path.name for path in SCENARIOS.glob("*.txt"))

DELIBERATE = {
    "reverse_start.txt": "keepalived forgets `reverse` when it reads a file for the first time: a server is in or out"
    " at the start by the opposite of what the same number means later",
}
"""Scenarios in which directrix does something else, on purpose."""


@pytest.mark.parametrize("name", NAMES)
def test_the_table_and_what_is_told_are_those_of_keepalived(name: str) -> None:
    theirs = (TRANSCRIPTS / name).read_text()
    ours = checks_here.play(read(SCENARIOS / name))
    difference = "\n".join(unified_diff(theirs.split("\n"), ours.split("\n"), "keepalived", "ours", n=6, lineterm=""))
    assert bool(difference) == (name in DELIBERATE), difference


def test_every_transcript_has_its_scenario() -> None:
    assert sorted(path.name for path in TRANSCRIPTS.iterdir()) == NAMES


@pytest.mark.uml
def test_keepalived_still_does_so() -> None:
    if not machine.available() or not shutil.which("keepalived", path=machine.PATH):
        pytest.skip("needs user-mode-linux, kmod, iproute2, ipvsadm and keepalived")
    recorded = {name: (TRANSCRIPTS / name).read_text() for name in NAMES}
    assert machine.record(SCENARIOS, HERE / "checks_guest.py", NAMES) == recorded
