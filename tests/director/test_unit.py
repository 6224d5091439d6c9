"""The systemd unit: what it starts is a command there is, it says what the director does, and pip users can have it."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from configparser import RawConfigParser, SectionProxy
from pathlib import Path

import pytest

from directrix.cli import run
from directrix.director import unit


def service(text: str) -> SectionProxy:
    found = RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(text)
    return found["Service"]


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.configure(parser)
    return parser.parse_args(words)


def test_the_unit_starts_a_director_that_tells_how_it_is() -> None:
    shipped = service(unit.shipped())
    program, command, *words = shlex.split(shipped["ExecStart"])
    assert (Path(program).name, command) == ("directrix", "run")
    assert parsed(words).use_file == "/etc/keepalived/keepalived.conf"
    assert (shipped["Type"], shipped["NotifyAccess"]) == ("notify", "main")
    assert "-HUP" in shipped["ExecReload"]
    assert shipped["RestartKillSignal"] == "SIGQUIT"
    assert int(shipped["WatchdogSec"]) > 0
    assert shipped["RuntimeDirectoryPreserve"] == "yes"
    assert shipped["NoNewPrivileges"] == "yes"


def install(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "directrix", "run", *words, "--install-unit", str(tmp_path / "directrix.service")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_is_written_with_the_command_that_is_there_and_the_words_it_shall_have(tmp_path: Path) -> None:
    done = install(tmp_path, "-f", "lvs 100%.conf", "--keep-others", "-l", "debug", "--event-log", "/var/log/events")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --now directrix.service" in done.stdout
    text = (tmp_path / "directrix.service").read_text()
    words = shlex.split(service(text)["ExecStart"].replace("%%", "%"))
    assert words[:4] == [sys.executable, "-m", "directrix", "run"]
    found = parsed(words[4:])
    assert found.use_file == str(Path("lvs 100%.conf").absolute())
    assert (found.keep_others, found.log_level, found.event_log) == (True, "debug", "/var/log/events")
    assert text.splitlines()[1:2] == unit.shipped().splitlines()[:1]

    # Once more, with other words; but not over somebody else's file.
    assert install(tmp_path, "-f", "/x.conf").returncode == 0
    assert "/x.conf" in (tmp_path / "directrix.service").read_text()
    (tmp_path / "directrix.service").write_text("[Unit]\n")
    refused = install(tmp_path)
    assert refused.returncode == 1
    assert "was not written by directrix" in refused.stderr
    assert (tmp_path / "directrix.service").read_text() == "[Unit]\n"


@pytest.mark.parametrize(
    ("word", "written"),
    [("/a/b-c", "/a/b-c"), ("a b", '"a b"'), ("5%", '"5%%"'), ('"$x\\', '"\\"$$x\\\\"'), ("", '""')],
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert unit.quoted(word) == written
