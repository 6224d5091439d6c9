"""What becomes of several hosts that are asked over ssh; the ssh here is a script that says what they would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directrix.cli.main import main
from directrix.realserver.remote import run_on

SSH = """#!/bin/sh
cat > /dev/null
case $2 in
  gone) echo "ssh: no route to host" >&2; exit 255 ;;
  mending) echo '[{"healthy": false}]'; exit 1 ;;
  *) echo '[{"healthy": true}]' ;;
esac
"""


@pytest.fixture(autouse=True)
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def asked(*hosts: str) -> list[str]:
    return [word for host in hosts for word in ("--host", host)]


def test_the_json_of_several_hosts_is_one_object_whatever_some_of_them_say(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["realserver", "status", "--json", *asked("mending", "gone", "rs1")]) == 1
    out, err = capfd.readouterr()
    assert json.loads(out) == {"mending": [{"healthy": False}], "gone": None, "rs1": [{"healthy": True}]}
    assert "gone was not reached by ssh" in err


def test_the_json_of_one_host_is_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["realserver", "status", "--json", *asked("rs1")]) == 0
    assert json.loads(capfd.readouterr().out) == [{"healthy": True}]


def test_a_status_goes_on_behind_a_host_that_is_not_well(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["realserver", "status", *asked("gone", "mending", "rs1")]) == 1
    out, err = capfd.readouterr()
    assert out.count("healthy") == 2
    assert all(f"{host}:\n" in err for host in ("gone", "mending", "rs1"))


def test_what_changes_something_ends_at_the_first_host_that_refuses(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_on(["rs1", "mending", "rs2"], ["realserver", "stop"]) == 1
    assert "rs2" not in capfd.readouterr().err
