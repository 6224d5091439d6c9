"""One director in a network namespace, and what is left of it when it goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from directrix.director import places
from directrix.system import namespaces

NOWHERE = 1
"""The inode of no network namespace."""


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "RUN", tmp_path)
    return tmp_path


@contextmanager
def claimed() -> Iterator[places.Claim]:
    claim = places.Claim()
    try:
        yield claim
    finally:
        claim.release()


def left(run: Path, name: str, inode: int, *files: str) -> Path:
    """A directory as a director that was killed leaves it."""
    place = run / name
    (place / "vrrp").mkdir(parents=True)
    (place / "namespace").write_text(f"{inode}\n")
    for file in ("pid", "memory.json", "vrrp/eth0.4.7", *files):
        (place / file).write_text("1234\n")
    return place


def test_there_is_one_at_a_time_and_nothing_is_left_of_it(run: Path) -> None:
    with claimed() as claim:
        (claim.place / "vrrp").mkdir()
        with pytest.raises(places.AlreadyRunning, match=str(os.getpid())):
            places.Claim()
        assert places.left_behind() is None
    assert list(run.iterdir()) == []
    with claimed():
        pass


def test_what_the_next_one_would_go_on_from_stays(run: Path) -> None:
    with claimed() as claim:
        (claim.place / "memory.json").write_text("{}")
    assert (claim.place / "memory.json").exists()
    assert places.left_behind() is None


def test_one_that_was_killed_is_known_and_its_place_is_taken() -> None:
    program = "from pathlib import Path; from directrix.director import places; places.RUN = Path({!r}); "
    program += "places.Claim(); import os; os._exit(9)"
    subprocess.run([sys.executable, "-c", program.format(str(places.RUN))], check=False)
    assert places.left_behind() is not None
    with claimed():
        assert places.left_behind() is None


def test_who_only_looks_whether_there_is_one_keeps_nobody_from_being_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed() as claim:
        (claim.place / "memory.json").touch()
    looking = os.open(claim.place / "pid", os.O_RDONLY)
    assert not places._is_held(looking)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        os.close(looking)

    monkeypatch.setattr(places.time, "sleep", wait)
    with claimed():
        assert len(waited) == 1
        assert places.is_running()
    assert not places.is_running()


def test_directories_of_namespaces_that_are_gone_go_and_those_of_others_stay(run: Path) -> None:
    here = min(namespaces.live_inodes())
    gone, living = left(run, "77", NOWHERE, "api.sock"), left(run, "78", here)
    for name, age in (("79", 0), ("80", 3600)):  # one is being made, at the other somebody died
        (run / name).mkdir()
        (run / name / "pid").touch()
        os.utime(run / name, (time.time() - age,) * 2)
    with claimed() as claim:
        assert {each.name for each in run.iterdir()} == {claim.place.name, living.name, "79"}
    assert not gone.exists()
    assert (living / "memory.json").exists()


def test_a_directory_whose_director_lives_stays_whatever_is_known_of_its_namespace(run: Path) -> None:
    other = left(run, "77", NOWHERE)
    holder = places._lock(other)
    with claimed():
        assert (other / "memory.json").exists()
    os.close(holder)
    with claimed():
        assert not other.exists()


def test_who_waited_for_a_file_that_was_removed_locks_the_one_that_is_there(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, the director before has gone, and its directory with it."""
    opened, real = [], os.open

    def slow(path: Path, *rest: int) -> int:
        descriptor = real(path, *rest)
        opened.append(path)
        if len(opened) == 1:
            places._remove(Path(path).parent)
        return descriptor

    monkeypatch.setattr(places.os, "open", slow)
    with claimed() as claim:
        assert len(opened) == 2
        assert (claim.place / "pid").read_text() == f"{os.getpid()}\n"
