"""Where a running director keeps what is its own, and how there is only one in a network namespace.

Each network namespace has a directory, by its cookie, which is never given out twice. Whoever holds the lock of the
file `pid` in it is the director there. What one that was killed left in it, the next one goes on from; after a stop in
good order nothing is left, and the directory goes. Directories of namespaces that are gone are removed by the next
director, wherever that is. Only who holds the lock removes anything; and who has got the lock looks whether the file is
still in its place, so that nobody holds the lock of a file that others don't see.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from directrix.system import namespaces

RUN = Path("/run/directrix/director")

SOCKET = "api.sock"
"""The API's socket, in that directory."""
_PID, _NAMESPACE = "pid", "namespace"
"""The file that is locked, with the process's id; and the inode of the network namespace it is for."""
_MAKING = 60.0
"""Seconds in which a directory is surely made or removed."""
_LOOKING = 0.001
"""Seconds in which somebody has looked."""


def directory() -> Path:
    """The directory of the director of the network namespace the caller is in; it need not be there."""
    return RUN / str(namespaces.cookie())


def left_behind() -> int | None:
    """The process of a director of this network namespace that was killed or crashed; None if none did, or one runs."""
    held, pid = _looked_at()
    return int(pid) if not held and pid.isdigit() else None


def is_running() -> bool:
    """Whether there is a director in this network namespace."""
    held, _ = _looked_at()
    return held


def _looked_at() -> tuple[bool, str]:
    """Whether there is a director here, and which process has last been one, if that is known."""
    try:
        with open(directory() / _PID, "rb") as file:
            return _is_held(file.fileno()), file.read(32).decode(errors="replace").strip()
    except OSError:
        return False, ""


def _is_held(descriptor: int) -> bool:
    """Whether a director holds the lock of this file; if not, the descriptor shares it with others who look."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


class AlreadyRunning(Exception):
    """There is a director in this network namespace; `pid` is its process."""

    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(f"a director runs in this network namespace already, as process {pid or 'unknown'}")


class Claim:
    """The claim to be the one director here, for as long as it is held and the process lives."""

    def __init__(self) -> None:
        """Claim it, and tidy up after directors of network namespaces that are gone.

        Raises:
            AlreadyRunning: somebody else has it.
            OSError: the directory can't be made.
        """
        self.place = directory()
        self._descriptor = _lock(self.place)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        (self.place / _NAMESPACE).write_text(f"{os.stat('/proc/thread-self/ns/net').st_ino}\n")
        _tidy(self.place)

    def release(self) -> None:
        """Give it up. The directory goes, if nothing is in it that another director would go on from."""
        for name in (SOCKET, "memory.new", "statics.new"):
            (self.place / name).unlink(missing_ok=True)
        with suppress(OSError):
            (self.place / "vrrp").rmdir()
        os.ftruncate(self._descriptor, 0)
        if {each.name for each in self.place.iterdir()} <= {_PID, _NAMESPACE}:
            _remove(self.place)
        os.close(self._descriptor)


def _lock(place: Path) -> int:
    """The descriptor that holds the lock of a directory, which is made if it is not there.

    Raises:
        AlreadyRunning: somebody else has it.
    """
    while True:
        place.mkdir(parents=True, exist_ok=True, mode=0o755)
        try:
            descriptor = os.open(place / _PID, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            continue  # somebody has just removed the directory
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held, pid = _is_held(descriptor), os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            if held:
                raise AlreadyRunning(pid) from None
            time.sleep(_LOOKING)  # somebody only looks whether there is a director
            continue
        if _is(descriptor, place / _PID):
            return descriptor
        os.close(descriptor)


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove(place: Path) -> None:
    """By who holds the lock. What says whose the directory is goes late, so that the next one can do what is half done,
    and before the lock, behind which another director may be there already.
    """
    for each in place.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        elif each.name not in (_PID, _NAMESPACE):
            each.unlink(missing_ok=True)
    for name in (_NAMESPACE, _PID):
        (place / name).unlink(missing_ok=True)
    with suppress(OSError):
        place.rmdir()


def _tidy(own: Path) -> None:
    """Remove what directors of network namespaces that are gone have left behind."""
    others = [(each, _namespace_of(each)) for each in RUN.iterdir() if each != own]
    if not others:
        return
    live = namespaces.live_inodes()
    for place, inode in others:
        with suppress(OSError, AlreadyRunning):
            if inode in live or (inode is None and not _is_forgotten(place)):
                continue
            descriptor = _lock(place)
            _remove(place)
            os.close(descriptor)


def _is_forgotten(place: Path) -> bool:
    """Whether somebody died while he made a directory or removed it, and not just now."""
    return {each.name for each in place.iterdir()} <= {_PID} and time.time() - place.stat().st_mtime > _MAKING


def _namespace_of(place: Path) -> int | None:
    try:
        text = (place / _NAMESPACE).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
