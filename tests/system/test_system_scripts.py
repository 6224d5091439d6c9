"""Other people's programs: bounded in time and output, gone with all they started."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from directrix.system.scripts import KEPT, Ending, User, run

T = TypeVar("T")


def ended(work: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(bounded())


def shell(text: str, timeout: float = 30.0, **options: Any) -> Ending:
    return ended(run(["/bin/sh", "-c", text], timeout, **options))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


def test_status_and_output_come_back() -> None:
    assert shell("echo out; echo err >&2; exit 3") == Ending(3, False, b"out\nerr\n")
    assert shell("kill -USR1 $$").status == -signal.SIGUSR1


def test_only_the_beginning_of_megabytes_is_kept_and_the_writer_never_waits() -> None:
    ending = shell("head -c 20000000 /dev/zero; exit 4")
    assert (ending.status, len(ending.output)) == (4, KEPT)


def test_it_is_over_when_it_ends_whoever_holds_its_output() -> None:
    begun = time.monotonic()
    ending = shell("sleep 50 & echo $!")
    assert time.monotonic() - begun < 20
    os.kill(int(ending.output), signal.SIGKILL)


def test_one_that_takes_too_long_is_ended_with_all_it_started() -> None:
    ending = shell("sleep 51 & echo $!; wait", timeout=1.5)
    assert (ending.timed_out, ending.status) == (True, -signal.SIGTERM)
    wait_until_gone(int(ending.output))


def test_one_that_takes_no_heed_of_sigterm_is_killed() -> None:
    ending = shell("trap '' TERM; sleep 52 & echo $!; while :; do wait; done", timeout=1.5)
    assert (ending.timed_out, ending.status) == (True, -signal.SIGKILL)
    wait_until_gone(int(ending.output))


def test_a_child_that_takes_no_heed_goes_too() -> None:
    ending = shell("(trap '' TERM; echo $$; exec sleep 53) & sleep 0.2; echo $!; wait", timeout=2)
    assert ending.timed_out
    wait_until_gone(int(ending.output.split()[-1]))


def test_when_the_caller_gives_up_the_program_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    async def story() -> None:
        task = asyncio.create_task(run(["/bin/sh", "-c", f"echo $$ > {told}.new; mv {told}.new {told}; sleep 54"], 30))
        while not told.exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    ended(story())
    wait_until_gone(int(told.read_text()))


def test_the_loop_goes_on_meanwhile_and_no_descriptor_is_left() -> None:
    async def story() -> int:
        await run(["/bin/true"], 30)
        before = len(os.listdir("/proc/self/fd"))
        ticks = 0
        task = asyncio.gather(*(run(["/bin/sleep", "0.3"], 30) for _ in range(10)))
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 5
        return len(os.listdir("/proc/self/fd")) - before

    assert ended(story()) == 0


@pytest.mark.root
def test_it_runs_as_the_user_it_shall() -> None:
    ending = shell("id -u; id -g; id -G", user=User(65534, 65533, (65532,)))
    assert ending.output.split() == [b"65534", b"65533", b"65533", b"65532"]


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        ended(run(["/nonexistent/check"], 30))
    with pytest.raises(PermissionError):
        ended(run(["/etc/passwd"], 30))


def test_the_environment_is_what_it_is_told() -> None:
    assert ended(run(["/usr/bin/env"], 30, environment={"A": "b"})).output == b"A=b\n"
