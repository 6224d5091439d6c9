"""Running other people's programs from an event loop: bounded in time and output, and gone with all they started.

A program runs in a session and process group of its own, as the user it shall run as, with nothing on its stdin. What
it writes is read to the end, so that it never waits for us, but only the beginning is kept. It is over when it ends,
not when the last one holding its output does. One that takes too long gets SIGTERM, and SIGKILL two seconds later;
its whole group gets what it gets. Children that made a group of their own are theirs to look after.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

KEPT = 4096
"""So many bytes of the output are kept."""

PATIENCE = 2.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class User:
    """As whom a program runs: numbers, supplementary groups included."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended.

    Attributes:
        status: its exit status, or minus the number of the signal that ended it.
        timed_out: it took too long and was ended.
        output: the beginning of what it wrote, stdout and stderr as they came.
    """

    status: int
    timed_out: bool
    output: bytes


async def run(
    argv: Sequence[str],
    timeout: float,
    *,
    user: User | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ending:
    """Run a program to its end. If the caller is cancelled, the program's group is killed first.

    Raises:
        OSError: it can't be started: not there, not executable, no such user.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.set_blocking(writing, True)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=user.groups if user else None,
        )
    except subprocess.SubprocessError as error:
        os.close(reading)
        raise PermissionError(1, f"can't become user {user.uid if user else ''}: {error}") from None
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    output = _Output(reading)
    watch = os.pidfd_open(process.pid)
    try:
        timed_out = await _wait(watch, process.pid, timeout)
        output.read()
        return Ending(process.wait(), timed_out, bytes(output.kept))
    finally:
        if process.returncode is None:
            _signal(process.pid, signal.SIGKILL)
            # One that hangs in the kernel is left to be reaped when the next process is started.
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        output.close()
        os.close(watch)


class _Output:
    """Reads a pipe as it fills, and keeps the beginning."""

    def __init__(self, descriptor: int) -> None:
        self.kept = bytearray()
        self._descriptor: int | None = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self.read)

    def read(self) -> None:
        if self._descriptor is None:
            return
        try:
            # A few reads at a time: one that writes without end must not keep the loop from others.
            for _ in range(4):
                data = os.read(self._descriptor, 65536)
                self.kept += data[: KEPT - len(self.kept)]
                if not data:
                    self.close()
                    return
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


async def _wait(watch: int, pid: int, timeout: float) -> bool:
    """Wait for the end of a process, and see to it; tells whether it took too long."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watch, ended.set)
    try:
        for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, PATIENCE)):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await ended.wait()
                    if number is signal.SIGKILL:
                        # What it started may have taken SIGTERM more lightly than it did itself.
                        _signal(pid, signal.SIGKILL)
                        return True
                    return False
            _signal(pid, number)
        await ended.wait()
        return True
    finally:
        loop.remove_reader(watch)


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process group. Its number can't be another's: its leader has not been waited for yet."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
