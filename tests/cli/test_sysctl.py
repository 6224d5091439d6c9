"""`directrix sysctl`, over a table in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directrix.cli.main import main
from directrix.lvs.sysctls import SYSCTLS
from directrix.table import opening
from directrix.table.memory import MemoryTable


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    made = MemoryTable()
    monkeypatch.setattr(opening, "open_table", lambda *, create: made)
    return made


@pytest.mark.usefixtures("table")
def test_values_are_shown_as_sysctl_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl", "drop_entry", "net/ipv4/vs/sync_threshold"]) == 0
    assert capsys.readouterr().out == "net.ipv4.vs.drop_entry = 0\nnet.ipv4.vs.sync_threshold = 3\t50\n"
    assert main(["sysctl", "-n", "conn_reuse_mode"]) == 0
    assert capsys.readouterr().out == "1\n"


@pytest.mark.usefixtures("table")
def test_all_are_shown_those_without_effect_with_the_reason_and_can_be_read_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sysctl", "-a"]) == 0
    out = capsys.readouterr().out
    assert [line.split(" = ")[0] for line in out.splitlines() if not line.startswith("#")] == [
        sysctl.full_name for sysctl in SYSCTLS.values()
    ]
    for sysctl in SYSCTLS.values():
        assert (f"# {sysctl.full_name} has no effect here: {sysctl.inert}\n" in out) is bool(sysctl.inert)
    (tmp_path / "all.conf").write_text(out)
    assert main(["sysctl", "-q", "-p", str(tmp_path / "all.conf")]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["drop_entry=3"], ["-w", "net.ipv4.vs.drop_entry=3"]])
def test_a_value_is_set_and_shown(words: list[str], table: MemoryTable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl", *words]) == 0
    assert capsys.readouterr() == ("net.ipv4.vs.drop_entry = 3\n", "")
    assert table.sysctls()["drop_entry"] == 3
    assert main(["sysctl", "-q", *words]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_has_no_effect_is_kept_and_warned_about(table: MemoryTable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl", "conntrack=1"]) == 0
    said = capsys.readouterr()
    assert said.out == "net.ipv4.vs.conntrack = 1\n"
    assert said.err.startswith("directrix sysctl: net.ipv4.vs.conntrack has no effect here: ")
    assert table.sysctls()["conntrack"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drop_entry=4"], 'setting key "net.ipv4.vs.drop_entry": Invalid argument'),
        (["foo=1"], "cannot stat /proc/sys/net/ipv4/vs/foo: No such file or directory"),
        (["net.ipv4.ip_forward=1"], "none of IPVS's sysctls"),
        (["-w", "drop_packet"], '"drop_packet" must be of the form name=value'),
    ],
)
def test_one_fault_and_nothing_of_the_call_is_set(
    words: list[str], said: str, table: MemoryTable, capsys: pytest.CaptureFixture[str]
) -> None:
    before = table.sysctls()
    assert main(["sysctl", *words, "sloppy_tcp=1"]) == 1
    assert said in capsys.readouterr().err
    assert table.sysctls() == before


def test_a_file_is_loaded_and_its_other_lines_left_alone(
    table: MemoryTable, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "sysctl.conf"
    file.write_text("net.ipv4.ip_forward = 1\nnet.ipv4.vs.drop_packet = 3\n")
    assert main(["sysctl", "-p", str(file)]) == 0
    assert capsys.readouterr() == ("net.ipv4.vs.drop_packet = 3\n", "")
    assert main(["sysctl", "-v", "-p", str(file)]) == 0
    assert f"{file}(1): left alone: net.ipv4.ip_forward = 1" in capsys.readouterr().err
    file.write_text("net.ipv4.vs.drop_packet = 0\nnet.ipv4.vs.drop_entry = 7\n")
    assert main(["sysctl", "-p", str(file)]) == 1
    assert f"{file}(2): setting key" in capsys.readouterr().err
    assert table.sysctls()["drop_packet"] == 3


@pytest.mark.usefixtures("table")
def test_json_says_all_there_is_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl", "--json", "conntrack", "sync_threshold"]) == 0
    conntrack, threshold = json.loads(capsys.readouterr().out)
    assert conntrack == {
        "name": "conntrack",
        "value": 0,
        "default": 0,
        "meaning": SYSCTLS["conntrack"].meaning,
        "effective": False,
        "reason": SYSCTLS["conntrack"].inert,
    }
    assert threshold["value"] == [3, 50]


@pytest.mark.usefixtures("table")
def test_asked_for_nothing_it_says_what_to_ask_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl"]) == 2
    assert "-a for all" in capsys.readouterr().err
