"""FILE_CHECK: a number in a file takes a real server out, or weighs it. Anybody may write it: a script, an operator.

With weight 0 any number but 0 is a failure (with `reverse`: 0 is). With another weight the number times the weight is
added to the real server's weight (with `reverse`: taken away), and a product beyond IPVS's smallest weight is a
failure. No file, an empty one and one without a number at its beginning count as 0; a number that doesn't fit 32 bits
is ignored.

The kernel tells when the file is written, moved into its place or deleted; nothing is polled.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from directrix.checks.checker import Tell, Watcher
from directrix.checks.outcome import Outcome
from directrix.system.inotify import DirectoryWatch

log = logging.getLogger(__name__)

LEAST, MOST = -(2**31), 2**31 - 1
_NUMBER = re.compile(rb"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([0-9]+))")
AGAIN = 5.0
"""Seconds until a directory that went away is looked for again."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """`path`: the track_file's file. `weight` and `reverse`: this checker's, or else the track_file's."""

    path: Path
    weight: int = 1
    reverse: bool = False

    def __post_init__(self) -> None:
        if not -MOST <= self.weight <= MOST:
            raise ValueError(f"weight {self.weight} is not between {-MOST} and {MOST}")


def number_in(content: bytes) -> int | None:
    """The number a file holds, as strtol(3) reads it: decimal, 0x…, or octal after a 0. None if it doesn't fit."""
    found = _NUMBER.match(content)
    if found is None:
        return 0
    sign, hexadecimal, octal, decimal = found.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    value = int(digits, base) * (-1 if sign == b"-" else 1)
    return value if LEAST <= value <= MOST + 1 else None


def judge(settings: FileCheck, number: int) -> Outcome:
    """What a number means."""
    if settings.weight == 0:
        failed = (number == 0) if settings.reverse else (number != 0)
        return Outcome(not failed, f"the file says {number}", weight=0)
    adds = number * settings.weight * (-1 if settings.reverse else 1)
    if adds <= LEAST:
        return Outcome(False, f"the file says {number}", weight=0)
    return Outcome(True, f"the file says {number}", weight=min(adds, MOST))


class FileChecker(Watcher):
    """Watches one file by its directory, so that files that are replaced are seen."""

    def __init__(self, settings: FileCheck) -> None:
        self.settings = settings
        self._number = 0

    def now(self) -> Outcome:
        """What the file says now; for `Pool.start`, so that a server it takes out is never in."""
        self._read()
        return judge(self.settings, self._number)

    async def watch(self, tell: Tell) -> None:
        """Tell what the file says, and whenever it says something else."""
        told: int | None = None

        def look() -> None:
            nonlocal told
            self._read()
            if self._number != told:
                told = self._number
                tell(judge(self.settings, self._number))

        while True:
            try:
                # One that is a link is watched where it really is, as keepalived does.
                watched = Path(os.path.realpath(self.settings.path))
                directory = DirectoryWatch(watched.parent)
            except FileNotFoundError:
                look()
                await asyncio.sleep(AGAIN)
                continue
            try:
                look()
                while await _changed(directory, watched.name):
                    look()
            finally:
                directory.close()

    def _read(self) -> None:
        try:
            # A FIFO in its place must not hold us up.
            descriptor = os.open(self.settings.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._number = 0
            return
        try:
            number = number_in(os.read(descriptor, 127))
        except OSError:
            number = 0
        finally:
            os.close(descriptor)
        if number is None:
            log.warning("%s holds a number beyond 32 bits, which is ignored", self.settings.path)
        else:
            self._number = number


async def _changed(directory: DirectoryWatch, name: str) -> bool:
    """Wait until the file may have changed; False if the directory itself is gone."""
    loop = asyncio.get_running_loop()
    while True:
        happened: asyncio.Future[None] = loop.create_future()
        loop.add_reader(directory.fileno(), _set, happened)
        try:
            await happened
        finally:
            loop.remove_reader(directory.fileno())
        names = [changed for changed, _ in directory.read()]
        if "" in names:
            return False
        if name in names:
            return True


def _set(happened: asyncio.Future[None]) -> None:
    if not happened.done():
        happened.set_result(None)
