"""Where a table is pinned, and who may change it.

There is one table for each network namespace. Its maps are pinned in a BPF file system of our own
at /run/directrix/bpf, in a directory named by the namespace's cookie, a number the kernel never
gives out twice; what belongs to it beside (lock, record of attachments) lies in
/run/directrix/tables under the same number.

Commands run in other mount namespaces too: `ip netns exec` makes one each time, and a file system
mounted there is gone with the command. So everything is anchored in the mount namespace of
process 1, or where that is not ours to look into, of the eldest ancestor that is; it is reached
through /proc/PID/root where ours is another.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from directrix.lvs.errors import TableUnavailable

_SO_NETNS_COOKIE = 71
_RUN = "run/directrix"


def _mount_namespace(process: str) -> str:
    try:
        return os.readlink(f"/proc/{process}/ns/mnt")
    except OSError:
        return ""


def _ancestors() -> list[str]:
    """The ids of the processes we descend from, the eldest first."""
    found: list[str] = []
    process = str(os.getppid())
    while process != "0":
        found.insert(0, process)
        try:
            with open(f"/proc/{process}/stat") as file:
                # the name stands in parentheses and may hold anything; the parent is the second word behind it
                process = file.read().rpartition(")")[2].split()[1]
        except OSError:
            break
    return found


def anchor() -> Path:
    """The root directory that paths of pins start from: `/`, or the one of the eldest process we may look into."""
    ours = _mount_namespace("self")
    for process in ("1", *_ancestors()):
        theirs = _mount_namespace(process)
        if theirs:
            return Path("/") if theirs == ours else Path(f"/proc/{process}/root")
    return Path("/")


def _process_at(root: Path) -> str:
    """Whose root directory an anchor is."""
    return "self" if root == Path("/") else root.parts[2]


def namespace_cookie() -> int:
    """The number of the caller's network namespace; never used again after its end.

    Raises:
        TableUnavailable: the kernel has none (older than 5.14).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
        except OSError:
            raise TableUnavailable("the kernel is too old", "directrix needs Linux 6.1 or newer") from None


def namespace_inode() -> int:
    """The inode of the caller's network namespace; given out again after its end."""
    return os.stat("/proc/self/ns/net").st_ino


@dataclass(frozen=True, slots=True)
class Place:
    """Where the table of one network namespace is kept."""

    root: Path
    cookie: int

    @property
    def pins(self) -> Path:
        """Directory of the pinned maps."""
        return self.root / _RUN / "bpf" / str(self.cookie)

    @property
    def own(self) -> Path:
        """Directory of the lock and the record."""
        return self.root / _RUN / "tables" / str(self.cookie)

    def loaded(self) -> bool:
        """Whether a table is there."""
        return (self.pins / "front").exists()

    def read_record(self) -> dict[str, Any]:
        """What was attached and set when the table was made; empty if nothing."""
        import json

        try:
            record: dict[str, Any] = json.loads((self.own / "record.json").read_text())
        except (OSError, ValueError):
            return {}
        return record

    def write_record(self, record: dict[str, Any]) -> None:
        """Keep the record, whole or not at all."""
        import json

        draft = self.own / "record.json.new"
        draft.write_text(json.dumps(record, indent=1))
        draft.rename(self.own / "record.json")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to change this table; others wait."""
        with self._locked_file():
            yield

    @contextmanager
    def lock_if_free(self) -> Iterator[bool]:
        """The same, without waiting: gives False where somebody else holds it."""
        try:
            file = self._locked_file(fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        with file:
            yield True

    def _locked_file(self, flags: int = 0) -> IO[str]:
        while True:
            try:
                self.own.mkdir(parents=True, exist_ok=True, mode=0o700)
                file = open(self.own / "lock", "w")  # noqa: SIM115  closed by the caller
            except FileNotFoundError:
                continue  # the last table went at this very moment, and the directories with it
            try:
                fcntl.flock(file, fcntl.LOCK_EX | flags)
            except BlockingIOError:
                file.close()
                raise
            # whoever took the table down meanwhile took the file away: then this lock locks nothing
            with suppress(FileNotFoundError):
                if os.stat(self.own / "lock").st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            file.close()

    def unpin(self) -> None:
        """Take the pins away: the kernel frees what no attached program uses."""
        _remove_directory(self.pins)

    def remove(self) -> None:
        """Take pins and record away."""
        self.unpin()
        _remove_directory(self.own)


def _remove_directory(directory: Path) -> None:
    with suppress(FileNotFoundError):
        for entry in directory.iterdir():
            entry.unlink()
        directory.rmdir()


def here() -> Place:
    """The place of the caller's network namespace."""
    return Place(anchor(), namespace_cookie())


def all_places(root: Path) -> list[Place]:
    """Every table on this machine, also of namespaces that are gone."""
    directory = root / _RUN / "bpf"
    if not directory.is_dir():
        return []
    return [Place(root, int(entry.name)) for entry in directory.iterdir() if entry.name.isdigit()]


def _is_mounted(root: Path) -> bool:
    with open(f"/proc/{_process_at(root)}/mountinfo") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            if left.split()[4] == f"/{_RUN}/bpf" and right.split()[0] == "bpf":
                return True
    return False


@contextmanager
def _mounting(root: Path) -> Iterator[Path]:
    """Hold the right to mount and unmount; gives our directory."""
    ours = root / _RUN
    try:
        ours.mkdir(parents=True, exist_ok=True, mode=0o755)
        handle = os.open(ours, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise TableUnavailable(f"{ours} can't be used: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield ours
    finally:
        os.close(handle)


def _mount_command(root: Path, *words: str) -> str:
    """Run mount or umount at the anchor; answers what went wrong, empty if nothing."""
    import subprocess

    there = [] if root == Path("/") else ["nsenter", f"--mount=/proc/{_process_at(root)}/ns/mnt"]
    done = subprocess.run([*there, *words], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"status {done.returncode}" if done.returncode else ""


def make_room(place: Place) -> None:
    """Mount our BPF file system if it is not there, and make the directory for a table's pins.

    Raises:
        TableUnavailable: it can't be done.
    """
    with _mounting(place.root) as ours:
        (ours / "bpf").mkdir(exist_ok=True, mode=0o700)
        if not _is_mounted(place.root):
            wrong = _mount_command(place.root, "mount", "-t", "bpf", "-o", "mode=0700", "bpf", f"/{_RUN}/bpf")
            if wrong:
                raise TableUnavailable(
                    f"the BPF file system can't be mounted at /{_RUN}/bpf: {wrong}",
                    "the kernel needs CONFIG_BPF_SYSCALL, and the caller the right to mount",
                )
        place.pins.mkdir(exist_ok=True, mode=0o700)


def tidy(root: Path) -> None:
    """Unmount our BPF file system once no table is left."""
    with _mounting(root) as ours:
        if all_places(root) or not _is_mounted(root):
            return
        if not _mount_command(root, "umount", f"/{_RUN}/bpf"):
            for name in ("bpf", "tables"):
                with suppress(OSError):
                    (ours / name).rmdir()
