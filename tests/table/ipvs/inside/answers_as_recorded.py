"""Our ipvsadm over the kernel's IPVS answers every scenario as the real ipvsadm did."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest
from in_process import FileNames, execute
from scenario import SCENARIOS, TRANSCRIPTS, Answer, Step, read_scenario, transcript

from directrix.table.interface import Table
from directrix.table.ipvs import open_ipvs

TITLES = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"


def opened(*, create: bool) -> Table:
    return open_ipvs()


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.txt")))
@pytest.mark.usefixtures("namespace")
def test_answers_are_those_of_ipvsadm(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = FileNames()
    shown = tmp_path / "ip_vs_conn"

    def answer(step: Step) -> Answer:
        if step.words[0] != "connections":
            return execute(step, opened, names)
        shown.write_text(TITLES + step.stdin)
        monkeypatch.setattr("directrix.table.ipvs.table._CONNECTIONS", str(shown))
        return Answer(0, "", "")

    theirs, ours = (TRANSCRIPTS / name).read_text(), transcript(read_scenario(SCENARIOS / name), answer)
    difference = "\n".join(unified_diff(theirs.split("\n"), ours.split("\n"), "ipvsadm", "ours", n=3, lineterm=""))
    assert not difference, difference
