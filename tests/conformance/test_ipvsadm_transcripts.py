"""The ipvsadm language answers as ipvsadm and IPVS did when the transcripts were recorded."""

from __future__ import annotations

import subprocess
import sys
from difflib import unified_diff

import machine
import pytest
from _pytest.mark import ParameterSet
from in_process import FileNames, execute, read_connection
from scenario import HERE, SCENARIOS, TRANSCRIPTS, Answer, Step, read_scenario, transcript

from directrix.table.interface import Table
from directrix.table.memory import MemoryTable

NAMES = sorted(path.name for path in SCENARIOS.glob("*.txt"))

NOT_YET: dict[str, str] = {}

KERNEL_TABLE = ["direct_routing.txt", "first_word.txt", "legality.txt", "legality_of_pairs.txt", "timeouts.txt"]
"""Scenarios that ask for nothing the kernel table can't do yet."""


class Director:
    """A memory table that can be told what connections it has."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.names = FileNames()

    def execute(self, step: Step) -> Answer:
        if step.words[0] == "connections":
            entries = [read_connection(line) for line in step.stdin.splitlines()]
            self.table.connections = lambda: iter(entries)  # type: ignore[method-assign]
            return Answer(0, "", "")
        return execute(step, self.open, self.names)

    def open(self, *, create: bool) -> Table:
        return self.table


def case(name: str) -> ParameterSet:
    """A scenario to compare; one that can't be the same yet must not be, so that it is noticed when it is."""
    marks = [pytest.mark.xfail(reason=NOT_YET[name], strict=True)] if name in NOT_YET else []
    return pytest.param(name, marks=marks)


def assert_as_recorded(name: str, ours: str) -> None:
    theirs = (TRANSCRIPTS / name).read_text()
    difference = unified_diff(theirs.split("\n"), ours.split("\n"), "ipvsadm", "ours", n=5, lineterm="")
    assert not (text := "\n".join(difference)), text


@pytest.mark.parametrize("name", [case(name) for name in NAMES])
def test_answers_are_those_of_ipvsadm(name: str) -> None:
    assert_as_recorded(name, transcript(read_scenario(SCENARIOS / name), Director().execute))


@pytest.mark.root
@pytest.mark.parametrize("name", KERNEL_TABLE)
def test_over_the_kernel_table_they_are_too(name: str) -> None:
    command = ["unshare", "--net", sys.executable, str(HERE / "over_the_kernel_table.py"), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert_as_recorded(name, done.stdout)


def test_every_transcript_has_its_scenario() -> None:
    assert sorted(path.name for path in TRANSCRIPTS.iterdir()) == NAMES


@pytest.mark.uml
def test_ipvsadm_and_ipvs_still_answer_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    assert machine.record() == {name: (TRANSCRIPTS / name).read_text() for name in NAMES}
