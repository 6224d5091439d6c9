"""Where a running director keeps what is its own, and how there is only one in a network namespace."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from directrix.system import namespaces

RUN = Path("/run/directrix/director")

SOCKET = "api.sock"
"""The API's socket, in that directory."""


def directory() -> Path:
    """The directory of the director of the network namespace the caller is in; it need not be there."""
    return RUN / str(namespaces.cookie())


def left_behind() -> int | None:
    """The process of a director of this network namespace that was killed or crashed; None if none did, or one runs."""
    try:
        descriptor = os.open(directory() / "pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        text = os.read(descriptor, 32).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return int(text) if text.isdigit() else None


def is_running() -> bool:
    """Whether there is a director in this network namespace."""
    try:
        descriptor = os.open(directory() / "pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class AlreadyRunning(Exception):
    """There is a director in this network namespace; `pid` is its process."""

    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(f"a director runs in this network namespace already, as process {pid or 'unknown'}")


class Claim:
    """The claim to be the one director here, for as long as it is held and the process lives."""

    def __init__(self) -> None:
        """Claim it.

        Raises:
            AlreadyRunning: somebody else has it.
            OSError: the directory can't be made.
        """
        self.place = directory()
        self.place.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._descriptor = os.open(self.place / "pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunning(pid) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it up."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
