"""ipvsadm-save and ipvsadm-restore take and answer what Debian's scripts of these names do."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from directrix.ipvsadm.programs import PROGRAMS
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable

RULES = """\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.0.0.11:80 -g -w 1
"""


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def run(table: Table, name: str, *words: str, stdin: str = "") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    lines = io.StringIO(stdin, newline="\n")
    status = PROGRAMS[name](name, words, lambda *, create: table, lines, stdout, stderr)
    return status, stdout.getvalue(), stderr.getvalue()


def test_what_save_prints_restore_brings_back(table: MemoryTable) -> None:
    assert run(table, "ipvsadm", "-R", stdin=RULES) == (0, "", "")
    saved = run(table, "ipvsadm-save", "-n")
    assert saved == (0, RULES, "")
    other = MemoryTable()
    assert run(other, "ipvsadm-restore", stdin=saved[1]) == (0, "", "")
    assert run(other, "ipvsadm-save", "-n") == saved


def test_restore_clears_what_was_there_and_takes_comments_that_begin_a_line(table: MemoryTable) -> None:
    run(table, "ipvsadm", "-R", stdin=RULES)
    assert run(table, "ipvsadm-restore", stdin="# ipvsadm.rules\n#-C\n-A -u 10.0.0.1:53 -s rr\n\n") == (0, "", "")
    assert run(table, "ipvsadm-save", "-n")[1] == "-A -u 10.0.0.1:53 -s rr\n"
    assert run(table, "ipvsadm-restore") == (0, "", "")
    assert table.services() == []


def test_a_last_line_that_ends_in_blanks_and_no_newline_counts(table: MemoryTable) -> None:
    assert run(table, "ipvsadm-restore", stdin="-A -u 10.0.0.1:53 -s rr  ") == (0, "", "")
    assert len(table.services()) == 1


def test_restore_has_the_status_and_the_words_of_its_last_line(table: MemoryTable) -> None:
    assert run(table, "ipvsadm-restore", stdin="-A -t 80\n") == (
        2,
        "",
        "illegal virtual server address[:port] specified\n",
    )
    assert run(table, "ipvsadm-restore", stdin="-D -f 1\n") == (255, "", "No such service\n")
    assert run(table, "ipvsadm-restore", "-h", "--bogus", stdin="-D -f 1\n-A -f 1\n") == (0, "", "No such service\n")


def test_restore_reads_all_before_it_clears(table: MemoryTable) -> None:
    run(table, "ipvsadm", "-R", stdin=RULES)

    def slow() -> Iterator[str]:
        assert len(table.services()) == 1
        yield "-A -f 1\n"
        assert len(table.services()) == 1

    PROGRAMS["ipvsadm-restore"]("", [], lambda *, create: table, slow(), io.StringIO(), io.StringIO())
    assert [str(state.service.key) for state in table.services()] == ["FWM 1"]


WORDS = [[], ["-n"], ["-n", "-n"], ["-h"], ["--help"], ["-nn"], ["-n", "-x"], ["-"], ["--"], ["word"], ["word", "-n"]]


@pytest.mark.parametrize("words", WORDS)
def test_save_takes_its_words_as_debians_script_does(words: list[str], table: MemoryTable, tmp_path: Path) -> None:
    script = shutil.which("ipvsadm-save", path="/usr/sbin:/sbin")
    if script is None:
        pytest.skip("needs Debian's ipvsadm")
    # Debian's sets a PATH of its own; what it would call there is told by a function instead.
    text = f'ipvsadm() {{ echo "$@"; }}\n{Path(script).read_text()}'
    (tmp_path / "ipvsadm-save").write_text(text)
    done = subprocess.run(["bash", tmp_path / "ipvsadm-save", *words], capture_output=True, text=True, check=False)
    status, _, told = run(table, "ipvsadm-save", *words)
    assert (status, told) == (done.returncode, done.stderr)
    asked: list[tuple[str, ...]] = []

    class Saved(MemoryTable):
        def services(self) -> list[object]:  # type: ignore[override]
            asked.append(("-S",))
            return []

    run(Saved(), "ipvsadm-save", *words)
    assert bool(asked) == done.stdout.startswith("-S")


def test_numbers_are_asked_for_by_n_alone(table: MemoryTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostbyaddr", lambda address: ("a.name", [], []))
    run(table, "ipvsadm", "-R", stdin=RULES)
    assert run(table, "ipvsadm-save", "word", "-n")[1] == RULES
    assert run(table, "ipvsadm-save")[1].startswith("-A -t a.name:http ")
