"""The scripts, and what the set-up says when it can't do its work."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file()))
def test_every_script_is_executable_and_bash_reads_it(script: str) -> None:
    path = ROOT / "scripts" / script
    assert os.access(path, os.X_OK)
    first = path.read_text().partition("\n")[0]
    if "bash" in first:
        subprocess.run(["bash", "-n", path], check=True)
    else:
        assert first == "#!/usr/bin/env python3"
        ast.parse(path.read_text())


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A tree with the set-up script, on a machine where no package is installed; any user may read it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "setup", place / "scripts" / "setup")
        (place / "bin").mkdir()
        program(place, "dpkg-query", "exit 1")
        yield place


def program(checkout: Path, name: str, does: str) -> None:
    """Put a stand-in for a program of Debian's before it on the PATH."""
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def set_up(checkout: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{checkout}/bin:{os.environ['PATH']}"}
    command = [str(checkout / "scripts" / "setup"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_the_set_up_refuses_a_level_it_does_not_know(checkout: Path) -> None:
    run = set_up(checkout, "everything")
    assert run.returncode == 1
    assert run.stderr == "setup: there is no set-up called 'everything': use demo, test or all\n"


@pytest.mark.root
def test_the_set_up_shows_the_log_and_names_the_network_when_debian_is_out_of_reach(checkout: Path) -> None:
    program(checkout, "apt-get", "echo 'Temporary failure resolving mirror'; exit 100")
    run = set_up(checkout)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        "setup: reading Debian's package lists",
        *(checkout / "build" / "setup.log").read_text().splitlines(),
        "setup: the network, or a name server, could not be reached",
        "setup: failed: reading Debian's package lists (all of it: build/setup.log)",
    ]


@pytest.mark.root
def test_the_set_up_without_root_names_what_is_to_be_installed(checkout: Path) -> None:
    program(checkout, "apt-get", "exit 100")
    run = set_up(checkout, user="nobody")
    assert run.returncode == 1
    assert run.stderr.startswith("setup: root is needed to install ca-certificates clang ")


def test_the_set_up_elsewhere_than_on_debian_names_what_it_would_have_installed(checkout: Path) -> None:
    for tool in ("bash", "dirname", "readlink"):
        (checkout / "bin" / tool).symlink_to(shutil.which(tool) or "")
    run = subprocess.run(
        ["bash", checkout / "scripts" / "setup"],
        env={"PATH": f"{checkout}/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "no apt-get here" in run.stderr
    assert "clang" in run.stderr
