"""`directrix mark`: silent when done, and clear where it can't be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from directrix.cli import main as cli
from directrix.table import opening
from directrix.table.memory import MemoryTable

Mark = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    """The table that commands find."""
    made = MemoryTable()
    monkeypatch.setattr(opening, "open_table", lambda *, create: made)
    return made


@pytest.fixture
def mark(table: MemoryTable, capsys: pytest.CaptureFixture[str]) -> Mark:
    """Runs `directrix mark` with words; its status, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = cli.main(["mark", *words])
        except SystemExit as left:
            status = int(left.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_rules_are_added_listed_and_removed(mark: Mark) -> None:
    assert mark("add", "-t", "10.0.0.1:80", "--mark", "5") == (0, "", "")
    names = ["--proto", "all", "--destination", "fd00::/64", "--dport", "53-54"]
    assert mark("add", *names, "--mark", "0x10") == (0, "", "")
    assert mark("list", "-n")[1] == (
        "Prot Destination:Port  Mark\nTCP  10.0.0.1:80       5\nall  [fd00::]/64:53-54 16\n"
    )
    assert mark("remove", "--tcp-service=10.0.0.1:80") == (0, "", "")
    assert mark("remove", *names, "--mark", "16") == (0, "", "")
    assert json.loads(mark("list", "--json")[1]) == {"marks": []}


def test_saved_rules_are_restored_in_place_of_all_others(mark: Mark, tmp_path: Path) -> None:
    for port in ("80", "443"):
        mark("add", "-t", f"10.0.0.1:{port}", "--mark", "5")
    status, text, _ = mark("save")
    assert (status, text) == (0, "-t 10.0.0.1:80 --mark 5\n-t 10.0.0.1:443 --mark 5\n")
    file = tmp_path / "rules"
    file.write_text(text)
    mark("flush")
    assert mark("save")[1] == ""
    mark("add", "-u", "10.0.0.1:53", "--mark", "6")
    assert mark("restore", str(file)) == (0, "", "")
    assert mark("save")[1] == text


def test_standard_input_is_restored_without_a_file(mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    for words in (["restore"], ["restore", "-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("-t 10.0.0.1:80 --mark 5\n"))
        assert mark(*words) == (0, "", "")
        assert mark("save")[1] == "-t 10.0.0.1:80 --mark 5\n"
        mark("flush")
    monkeypatch.setattr("sys.stdin", io.StringIO("nonsense\n"))
    assert mark("restore")[2].startswith("stdin:1:1: 'nonsense'")


def test_a_faulty_file_changes_nothing_and_names_its_faults(mark: Mark, tmp_path: Path) -> None:
    mark("add", "-t", "10.0.0.1:80", "--mark", "5")
    file = tmp_path / "rules"
    file.write_text("-t 10.0.0.1:81 --mark 5\n-t 10.0.0.1:82 --mark 0\n")
    status, out, err = mark("restore", str(file))
    assert (status, out) == (1, "")
    assert err.startswith(f"{file}:2:23: --mark 0: 0 means no mark")
    assert mark("save")[1] == "-t 10.0.0.1:80 --mark 5\n"
    assert mark("restore", str(tmp_path / "nowhere"))[0] == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "-t", "10.0.0.1:80", "--mark", "6"], 1, "which gives the mark 5; remove that one first"),
        (["add", "-t", "10.0.0.1:80", "--mark", "0"], 2, "0 means no mark"),
        (["add", "-t", "10.0.0.1:90-80", "--mark", "6"], 2, "reversed"),
        (["add", "-t", "10.0.0.9/24:80", "--mark", "6"], 2, "the network is 10.0.0.0/24"),
        (["add", "-t", "10.0.0.1:80", "-u", "10.0.0.1:80", "--mark", "6"], 2, "can't go together"),
        (["add", "-t", "10.0.0.1:80", "-t", "10.0.0.1:81", "--mark", "6"], 2, "given twice"),
        (["add", "--proto", "icmp", "--destination", "10.0.0.1", "--mark", "6"], 2, "invalid choice: 'icmp'"),
        (["add", "-t", "10.0.0.1:81"], 2, "which mark"),
        (["add"], 2, "which packets"),
        (["remove", "-t", "10.0.0.1:81"], 1, "there is no mark rule for TCP 10.0.0.1:81"),
        (["remove", "-t", "10.0.0.1:80", "--mark", "6"], 1, "the mark 5 and no other"),
        (["remove"], 2, "which packets"),
        ([], 2, "COMMAND"),
        (["list", "--mark", "5"], 2, "unrecognized arguments"),
    ],
)
def test_what_can_not_be_is_told_and_changes_nothing(mark: Mark, words: list[str], status: int, said: str) -> None:
    mark("add", "-t", "10.0.0.1:80", "--mark", "5")
    done, out, err = mark(*words)
    assert (done, out) == (status, "")
    assert said in err
    assert mark("save")[1] == "-t 10.0.0.1:80 --mark 5\n"
