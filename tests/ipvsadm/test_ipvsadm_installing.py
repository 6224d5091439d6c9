"""The names that are installed run this directrix, and nobody else's program is lost by them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from directrix.cli.main import main as directrix
from directrix.ipvsadm import installing
from directrix.ipvsadm.programs import PROGRAMS
from directrix.ipvsadm.usage import VERSION


def run(program: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, cwd="/", env=environment)
    return done.returncode, done.stdout, done.stderr


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_they_are_installed_run_and_taken_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert directrix(["install-names", str(tmp_path)]) == 0
    assert names_in(tmp_path) == sorted(PROGRAMS)
    assert f"{tmp_path}/ipvsadm-save: installed\n" in capsys.readouterr().err
    # No PATH, no PYTHONPATH, and a module of its own name beside it that nobody asked for.
    (tmp_path / "argparse.py").write_text("raise SystemExit('wrong one')")
    assert run(tmp_path / "ipvsadm", "--version") == (0, VERSION, "")
    assert run(tmp_path / "ipvsadm", "-A", "-t", "80") == (2, "", "illegal virtual server address[:port] specified\n")
    assert run(tmp_path / "ipvsadm-save", "-h")[0] == 1
    assert directrix(["install-names", "--remove", str(tmp_path)]) == 0
    assert names_in(tmp_path) == ["argparse.py"]
    assert directrix(["install-names", "--remove", str(tmp_path)]) == 0


def test_everybody_may_run_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        directrix(["install-names", str(tmp_path)])
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o755}


def test_the_table_is_chosen_where_they_run(tmp_path: Path) -> None:
    directrix(["install-names", str(tmp_path)])
    told = run(tmp_path / "ipvsadm", "-L", DIRECTRIX_TABLE="memory")
    assert told == (2, "", "directrix: there is no table 'memory'; DIRECTRIX_TABLE is one of auto, xdp, ipvs\n")


def test_names_of_others_stay_unless_they_are_to_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "ipvsadm-restore"
    theirs.write_text(f"#!/bin/bash\n# not {installing.MARK}\n")
    assert directrix(["install-names", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"directrix: {theirs} is not one of directrix's names; --force replaces it. Nothing was installed\n"
    )
    assert directrix(["install-names", "--remove", str(tmp_path)]) == 0
    assert names_in(tmp_path) == ["ipvsadm-restore"]
    assert directrix(["install-names", "--force", str(tmp_path)]) == 0
    assert names_in(tmp_path) == sorted(PROGRAMS)
    assert installing.MARK in theirs.read_text().splitlines()


def test_a_link_is_not_ours_and_what_it_points_to_is_not_written(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("theirs")
    (tmp_path / "ipvsadm").symlink_to(target)
    assert directrix(["install-names", str(tmp_path)]) == 1
    assert directrix(["install-names", "--force", str(tmp_path)]) == 0
    assert target.read_text() == "theirs"
    assert not (tmp_path / "ipvsadm").is_symlink()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert directrix(["install-names", "--dry-run", str(tmp_path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/{name}: would be installed" for name in sorted(PROGRAMS)
    ]
    assert names_in(tmp_path) == []
    directrix(["install-names", str(tmp_path)])
    capsys.readouterr()
    assert directrix(["install-names", "--dry-run", "--remove", str(tmp_path)]) == 0
    assert capsys.readouterr().err.splitlines() == [f"{tmp_path}/{name}: would be removed" for name in sorted(PROGRAMS)]
    assert names_in(tmp_path) == sorted(PROGRAMS)


def test_ours_are_renewed_without_a_word(tmp_path: Path) -> None:
    old = tmp_path / "ipvsadm"
    old.write_text(f"#!/old/python -P\n{installing.MARK}\n")
    assert directrix(["install-names", str(tmp_path)]) == 0
    assert run(old, "-v") == (0, VERSION, "")


@pytest.mark.parametrize("kind", ["missing", "file", "a directory of the name"])
def test_what_can_not_be_is_refused_with_nothing_done(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    elif kind != "missing":
        (place / "ipvsadm-save").mkdir(parents=True)
    assert directrix(["install-names", "--force", str(place)]) == 1
    assert kind != "a directory of the name" or names_in(place) == ["ipvsadm-save"]


@pytest.mark.parametrize(
    ("in_path", "told"),
    [
        ("here", []),
        ("there:here", ["{here} comes after {there} in PATH, or is not there"]),
        ("", ["{here} is not in PATH"]),
    ],
)
def test_it_is_said_when_a_shell_would_find_another_one(
    in_path: str, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for directory in (here, there):
        directory.mkdir()
    (there / "ipvsadm").write_text("")
    (there / "ipvsadm").chmod(0o755)
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in in_path.split(":") if name))
    assert directrix(["install-names", str(here)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[len(PROGRAMS) :] == [line.format(here=here, there=there) for line in told]


def test_an_interpreter_no_kernel_line_can_name_is_started_by_a_shell(tmp_path: Path) -> None:
    odd = tmp_path / ("an interpreter's place " + "x" * 100)
    odd.symlink_to(sys.executable)
    program = tmp_path / "ipvsadm"
    program.write_text(installing.script("ipvsadm", str(odd), Path(installing.__file__).parents[2]))
    program.chmod(0o755)
    assert run(program, "-v") == (0, VERSION, "")
    told = run(program, "-A", "-t", "10.0.0.1:80", "a word", PATH="/nowhere")
    assert told == (2, "", "unexpected argument a word\n")


@pytest.mark.slow
def test_a_name_starts_no_slower_than_the_command_itself(tmp_path: Path) -> None:
    directrix(["install-names", str(tmp_path)])
    command = Path(sys.executable).with_name("directrix")

    def quickest(*words: str | Path) -> float:
        took = []
        for _ in range(15):
            start = time.perf_counter()
            subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
            took.append(time.perf_counter() - start)
        return min(took)

    assert quickest(tmp_path / "ipvsadm", "-v") < 1.1 * quickest(command, "ipvsadm", "-v")
