"""What is known of the labs on this machine, under /run/directrix/labs.

Each lab has a directory of its name. In it `state.json` says what belongs to the lab, written
before any of it is made, so that a lab whose maker was killed can still be taken down to the
last piece; beside it stands one directory for each host with its services' files. Who builds or
takes down a lab holds a lock on its directory; the kernel lets go of it if the holder dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from directrix.lab.errors import LabError

RUNTIME = Path("/run/directrix")
DIRECTORY = RUNTIME / "labs"


@dataclass(frozen=True, slots=True)
class HostState:
    """A host that was or is being made."""

    name: str
    role: str
    namespace: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabState:
    """A lab that was or is being made.

    Attributes:
        name: the lab's own name.
        source: the file it was made from.
        title: what it shows.
        vips: the virtual addresses of its cluster.
        hosts: all hosts, the switch included.
        complete: whether it was made to the end.
    """

    name: str
    source: str
    title: str
    vips: tuple[str, ...]
    hosts: tuple[HostState, ...]
    complete: bool = False

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The names of all its network namespaces."""
        return tuple(host.namespace for host in self.hosts)

    def host(self, name: str) -> HostState:
        """The host of this name.

        Raises:
            KeyError: there is none.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def finished(self) -> LabState:
        """The same, made to the end."""
        return replace(self, complete=True)


def directory(name: str) -> Path:
    """The directory of a lab."""
    return DIRECTORY / name


def names() -> list[str]:
    """The names of all labs there are, finished or not."""
    try:
        return sorted(entry.name for entry in DIRECTORY.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []


def read(name: str) -> LabState | None:
    """What is known of a lab; None if nothing is, because nothing of it was made yet.

    Raises:
        LabError: its file was damaged.
    """
    try:
        data = json.loads((directory(name) / "state.json").read_bytes())
        hosts = tuple(HostState(**{**host, "addresses": tuple(host["addresses"])}) for host in data.pop("hosts"))
        return LabState(**{**data, "vips": tuple(data["vips"]), "hosts": hosts})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise LabError(
            f"{directory(name) / 'state.json'} is damaged, so nothing is known of lab {name!r}",
            "delete its network namespaces (`ip netns`), then that directory",
        ) from None


def write(state: LabState) -> None:
    """Write down what is known of a lab; its directory must be there."""
    place = directory(state.name)
    fresh = place / "state.json.new"
    fresh.write_text(json.dumps(asdict(state), indent=2) + "\n")
    fresh.rename(place / "state.json")


def forget(name: str) -> None:
    """Remove a lab's directory, and those above it that are empty then."""
    shutil.rmtree(directory(name), ignore_errors=True)
    for parent in (DIRECTORY, RUNTIME):
        with suppress(OSError):
            parent.rmdir()


@contextmanager
def locked(name: str, patience: float = 1.0) -> Iterator[int]:
    """Hold the lock of a lab; its directory is made if it isn't there. Gives the descriptor that holds it.

    Raises:
        LabError: another process has held it for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while (descriptor := _try_lock(name)) is None:
        if time.monotonic() >= deadline:
            raise LabError(
                f"lab {name!r} is being built or taken down by another process", "wait for it to end, then try again"
            )
        time.sleep(0.02)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(name: str) -> int | None:
    place = directory(name)
    descriptor = -1
    try:
        for parent in (RUNTIME, DIRECTORY, place):
            parent.mkdir(mode=0o755, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had the lock before us may have removed the directory we opened.
        if os.path.samestat(os.fstat(descriptor), os.stat(place)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    if descriptor >= 0:
        os.close(descriptor)
    return None
