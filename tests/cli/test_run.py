"""`directrix run`: checking a configuration, and refusing to run a faulty one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directrix.cli.main import main

GOOD = "vrrp_instance VI {\ninterface eth0\nvirtual_router_id 1\npriority 100\nvirtual_ipaddress { 10.0.0.1 }\n}\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.conf"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("check", ["--check", "-t", "--config-test"])
def test_a_good_configuration_is_checked_in_silence(check: str, good: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", check, "-f", str(good)]) == 0
    assert capfd.readouterr() == ("", "")


def test_every_mistake_of_a_faulty_one_is_listed_with_its_place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.conf"
    path.write_bytes(b"nonsens\xff 1\nglobal_defs {\n vrrp_version 7\n enable_dbus\n}\n")
    assert main(["run", "--check", "--use-file", str(path)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        rf"{path}:1:1: error: 'nonsens\udcff' is no keyword here",
        f"{path}:3:15: error: vrrp_version takes a whole number from 2 to 3, not '7'",
        f"{path}:4:2: warning: 'enable_dbus' means nothing here: there is no D-Bus interface; "
        "`directrix run` has an HTTP API and metrics",
    ]


def test_warnings_are_told_and_are_no_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.conf"
    path.write_text("use_pid_dir\n")
    assert main(["run", "-t", "-f", str(path)]) == 0
    assert "warning: 'use_pid_dir' means nothing here" in capfd.readouterr().err


def test_what_was_found_is_told_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "top.conf").write_text("\ninclude inner.conf\n")
    (tmp_path / "inner.conf").write_text("nonsense\n")
    assert main(["run", "--check", "--json", "-f", str(tmp_path / "top.conf")]) == 1
    told = json.loads(capfd.readouterr().out)
    assert (told["file"], told["valid"]) == (str(tmp_path / "top.conf"), False)
    assert told["faults"] == [
        {
            "file": str(tmp_path / "inner.conf"),
            "line": 1,
            "column": 1,
            "severity": "error",
            "reason": "'nonsense' is no keyword here",
            "trail": f"included at {tmp_path}/top.conf:2:1",
        }
    ]


def test_a_file_that_can_t_be_read_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--check", "-f", str(tmp_path / "none.conf")]) == 1
    assert capfd.readouterr().err == f"directrix run: {tmp_path}/none.conf can't be read: No such file or directory\n"
    assert main(["run", "--check", "-f", str(tmp_path)]) == 1
    assert capfd.readouterr().err == f"directrix run: {tmp_path} can't be read: not a regular file\n"


def test_a_faulty_configuration_is_not_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("nonsense\n")
    assert main(["run", "-f", str(path), "--log-json"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("error", f"{path}:1:1: 'nonsense' is no keyword here")


def test_json_goes_with_check_alone(good: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-f", str(good), "--json"]) == 2
    assert "--log-json" in capfd.readouterr().err


def test_the_configuration_id_chooses_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text(GOOD + "@bad nonsense\n")
    assert main(["run", "--check", "-f", str(path), "-i", "good"]) == 0
    assert main(["run", "--check", "-f", str(path), "--config-id", "bad"]) == 1
