"""What outlives the daemon: which instances were master, and when they sent their last advert.

A backup takes over after three missing adverts at the earliest. A daemon that was killed and is back before that can go
on as master, and no peer notices. The time is that of CLOCK_BOOTTIME, which runs on in suspend and starts anew with the
machine, as the directory (in /run) does.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from directrix.vrrp.configuration import Instance


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Memory:
    """One small file for each instance that is master, in a directory that is made if it is not there."""

    def __init__(self, directory: Path) -> None:
        """Open the directory.

        Raises:
            OSError: it can't be made.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._directory = directory
        self._open: dict[Path, int] = {}

    def was_master(self, instance: Instance) -> bool:
        """Whether an earlier life was master so short ago that nobody can have taken over."""
        try:
            last = float(self._path(instance).read_text())
        except (OSError, ValueError):
            return False
        return 0 <= _now() - last < instance.down_adverts * instance.interval / 100

    def note(self, instance: Instance) -> None:
        """It is master and has just sent an advert."""
        path = self._path(instance)
        with suppress(OSError):  # a full disk makes a restart slower, nothing else
            if path not in self._open:
                self._open[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.pwrite(self._open[path], f"{_now():020.6f}\n".encode(), 0)

    def forget(self, instance: Instance) -> None:
        """It is not master."""
        path = self._path(instance)
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
        with suppress(OSError):
            path.unlink()

    def close(self) -> None:
        """Leave what is remembered where it is."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _path(self, instance: Instance) -> Path:
        interface, family, vrid = instance.key
        return self._directory / f"{interface}.{'4' if family.bits == 32 else '6'}.{vrid}"
