"""MISC_CHECK and FILE_CHECK: programs and files on this host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from served import run

from directrix.checks.engine import Engine, Report
from directrix.checks.file_check import LEAST, FileCheck, FileChecker, judge, number_in
from directrix.checks.misc_check import MiscCheck, MiscChecker
from directrix.checks.misc_check import judge as judge_ending
from directrix.checks.outcome import Outcome
from directrix.checks.settings import Timing
from directrix.system.scripts import Ending


@pytest.mark.parametrize(
    ("status", "dynamic", "ok", "weight"),
    [
        (0, False, True, None),
        (1, False, False, None),
        (2, False, False, None),
        (0, True, True, 0),
        (1, True, False, None),
        (2, True, True, -10),
        (12, True, True, 0),
        (255, True, True, 243),
        (-9, True, False, None),
    ],
)
def test_an_exit_status_is_good_or_bad_or_a_weight(status: int, dynamic: bool, ok: bool, weight: int | None) -> None:
    settings = MiscCheck(("check",), dynamic=dynamic, server_weight=10)
    outcome = judge_ending(settings, Ending(status, False, b"all  is\nwell\n"))
    assert (outcome.ok, outcome.weight) == (ok, weight)
    assert outcome.detail.endswith(": all is well")


def test_a_program_that_takes_too_long_fails() -> None:
    outcome = judge_ending(MiscCheck(("check",), timeout=2.5, dynamic=True), Ending(0, True, b""))
    assert outcome == Outcome(False, "took longer than 2.5 s")


def test_programs_are_run_with_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    script = 'test "$1" = "a b" && test -z "$NOTIFY_SOCKET" && pwd'
    outcome = run(MiscChecker(MiscCheck(("/bin/sh", "-c", script, "sh", "a b"))).check())
    assert outcome == Outcome(True, "exited with status 0: /")


def test_a_program_that_is_not_there_fails() -> None:
    outcome = run(MiscChecker(MiscCheck(("/nonexistent",))).check())
    assert outcome == Outcome(False, "/nonexistent can't be run: No such file or directory")


def test_what_can_never_work_is_refused() -> None:
    with pytest.raises(ValueError, match="misc_path"):
        MiscCheck(())
    with pytest.raises(ValueError, match="misc_timeout"):
        MiscCheck(("check",), timeout=0)
    with pytest.raises(ValueError, match="weight"):
        FileCheck(Path("/f"), weight=-(2**31))


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"5\n", 5),
        (b"  -12 of 20", -12),
        (b"+3", 3),
        (b"0x1F", 31),
        (b"010", 8),
        (b"08", 0),
        (b"0", 0),
        (b"", 0),
        (b"many", 0),
        (b"2147483648", 2**31),
        (b"2147483649", None),
        (b"-2147483648", LEAST),
        (b"-2147483649", None),
        (b"9" * 30, None),
    ],
)
def test_a_files_number_is_read_as_c_reads_it(content: bytes, number: int | None) -> None:
    assert number_in(content) == number


@pytest.mark.parametrize(
    ("weight", "reverse", "number", "ok", "adds"),
    [
        (0, False, 0, True, 0),
        (0, False, 1, False, 0),
        (0, False, -1, False, 0),
        (0, True, 0, False, 0),
        (0, True, 7, True, 0),
        (1, False, 5, True, 5),
        (3, False, -2, True, -6),
        (3, True, -2, True, 6),
        (1, False, LEAST, False, 0),
        (1, True, LEAST, True, 2147483647),
        (2, False, 2**30, True, 2147483647),
        (-2, False, 2**30, False, 0),
    ],
)
def test_a_number_is_good_or_bad_or_a_weight(weight: int, reverse: bool, number: int, ok: bool, adds: int) -> None:
    outcome = judge(FileCheck(Path("/f"), weight, reverse), number)
    assert (outcome.ok, outcome.weight) == (ok, adds)


def replaced(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    new.rename(path)


@pytest.mark.parametrize(
    "write", [lambda path, content: path.write_text(content), replaced], ids=["in place", "by another file"]
)
def test_a_file_is_seen_to_change_come_and_go(tmp_path: Path, write: Callable[[Path, str], object]) -> None:
    path = tmp_path / "weight"

    async def story() -> list[int | None]:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("file", FileChecker(FileCheck(path)), Timing())

        async def told(number: int) -> None:
            while len(reports) < number:
                await asyncio.sleep(0.002)

        await told(1)
        write(path, "5\n")
        await told(2)
        (tmp_path / "other").write_text("9")
        write(path, "5\n")
        write(path, "-3\n")
        await told(3)
        path.unlink()
        await told(4)
        write(path, "99999999999")
        write(path, "7")
        await told(5)
        await engine.close()
        return [report.result.outcome.weight for report in reports]

    assert run(story()) == [0, 5, -3, 0, 7]


def test_a_file_behind_a_link_is_watched_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "weight").write_text("1")
    link = tmp_path / "weight"
    link.symlink_to(real / "weight")

    async def story() -> list[int | None]:
        weights: list[int | None] = []
        watching = asyncio.create_task(FileChecker(FileCheck(link)).watch(lambda found: weights.append(found.weight)))
        while not weights:
            await asyncio.sleep(0.002)
        replaced(real / "weight", "2")
        while len(weights) < 2:
            await asyncio.sleep(0.002)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return weights

    assert run(story()) == [1, 2]


def test_a_fifo_in_the_files_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weight")

    async def story() -> Outcome:
        found: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        watching = asyncio.create_task(FileChecker(FileCheck(tmp_path / "weight")).watch(found.set_result))
        outcome = await found
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return outcome

    assert run(story()) == Outcome(True, "the file says 0", weight=0)
