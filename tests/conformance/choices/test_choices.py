"""The memory table and the data plane choose the real servers that IPVS chose when the transcripts were recorded.

`scripts/conformance --record 'choices*'` records them anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import unified_diff
from pathlib import Path

import machine
import pytest
from _pytest.mark import ParameterSet
from choice_plane import Chooser, chooser
from choice_steps import REFUSED, Segment, label, perform
from in_process import FileNames, execute
from scenario import Answer, Step, read_scenario, transcript

from directrix.lvs import Protocol
from directrix.lvs.tcp import TcpFlags
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable, Packet

HERE = Path(__file__).resolve().parent
SCENARIOS, TRANSCRIPTS = HERE / "scenarios", HERE / "transcripts"
NAMES = sorted(path.name for path in SCENARIOS.glob("*.txt"))


DELIBERATE = {
    "lblcr_two_hundred.txt": "a destination's set of lblcr holds 30 real servers in the data plane; IPVS's any number",
}
"""Scenarios in which the data plane differs from IPVS on purpose, and why."""


class Director:
    """A memory table with no time: a scenario takes less than any timeout."""

    def __init__(self) -> None:
        self._table = MemoryTable()
        self._names = FileNames()

    def perform(self, step: Step) -> Answer:
        return perform(step, self._command, self._choose)

    def _open(self, *, create: bool) -> Table:
        return self._table

    def _command(self, step: Step) -> Answer:
        return execute(step, self._open, self._names)

    def _choose(self, sent: Iterable[Segment]) -> Iterator[str]:
        for segment in sent:
            verdict = self._table.packet(
                Packet(
                    Protocol.TCP,
                    segment.client,
                    segment.client_port,
                    segment.virtual,
                    segment.virtual_port,
                    TcpFlags(segment.flags),
                    fwmark=segment.mark,
                ),
                0.0,
            )
            yield label(verdict.server.address) if verdict.server else REFUSED


def assert_as_recorded(name: str, ours: str) -> None:
    theirs = (TRANSCRIPTS / name).read_text()
    difference = unified_diff(theirs.split("\n"), ours.split("\n"), "IPVS", "ours", n=5, lineterm="")
    assert not (text := "\n".join(difference)), text


@pytest.mark.parametrize("name", NAMES)
def test_choices_are_those_of_ipvs(name: str) -> None:
    assert_as_recorded(name, transcript(read_scenario(SCENARIOS / name), Director().perform))


@pytest.fixture(scope="module")
def plane() -> Iterator[Chooser]:
    """The data plane, with a table of its own."""
    with chooser() as made:
        yield made


def case(name: str) -> ParameterSet:
    """A scenario to compare; one that can't be the same must not be, so that it is noticed when it is."""
    marks = [pytest.mark.xfail(reason=DELIBERATE[name], strict=True)] if name in DELIBERATE else []
    return pytest.param(name, marks=marks)


@pytest.mark.root
@pytest.mark.parametrize("name", [case(name) for name in NAMES])
def test_choices_of_the_data_plane_are_too(name: str, plane: Chooser) -> None:
    steps = read_scenario(SCENARIOS / name)
    if refusal := plane.refusal(steps):
        pytest.skip(refusal)
    assert_as_recorded(name, plane.play(steps))


def test_every_transcript_has_its_scenario() -> None:
    assert sorted(path.name for path in TRANSCRIPTS.iterdir()) == NAMES


@pytest.mark.uml
def test_ipvs_still_chooses_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    recorded = machine.record(SCENARIOS, HERE / "choice_guest.py")
    assert recorded == {name: (TRANSCRIPTS / name).read_text() for name in NAMES}
