"""Files that shall be there, and links."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from directrix.system.facts.fact import Command, calling


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file with a text, written whole or not at all.

    Attributes:
        path: where.
        content: what is in it.
        mode: its permissions.
    """

    path: str
    content: str
    mode: int = 0o644

    kind: ClassVar[str] = "file"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"file {self.path}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"the file {self.path}"

    def now(self) -> str | None:
        """Its text. Without the file None; if directories are missing, too, those as JSON behind a NUL."""
        try:
            return Path(self.path).read_text()
        except FileNotFoundError:
            missing = _missing_directories(Path(self.path).parent)
            return _NO_DIRECTORY + json.dumps(missing) if missing else None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == self.content

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [_writing(self.path, self.content, self.mode)]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return _putting_back(self.path, before, self.mode)

    def absent_with_directories(self, count: int) -> str:
        """The state of the file being absent, and with it as many of the directories above it."""
        return _NO_DIRECTORY + json.dumps([str(place) for place in list(Path(self.path).parents)[:count]])


_NO_DIRECTORY = "\0"


def _missing_directories(directory: Path) -> list[str]:
    return [str(place) for place in (directory, *directory.parents) if not place.exists()]


def _writing(path: str, content: str, mode: int) -> Command:
    text = f"install -D -m {mode:o} /dev/stdin {shlex.quote(path)} <<'END'\n{content.rstrip()}\nEND"
    return calling(text, _write, Path(path), content, mode)


def _write(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def _putting_back(path: str, before: str | None, mode: int) -> list[Command]:
    if before is not None and not before.startswith(_NO_DIRECTORY):
        return [_writing(path, before, mode)]
    commands = [calling(shlex.join(["rm", path]), os.unlink, path)]
    if before is not None:
        directories = json.loads(before[1:])
        words = ["rmdir", "--ignore-fail-on-non-empty", *directories]
        commands.append(calling(shlex.join(words), _remove_empty, directories))
    return commands


def _remove_empty(directories: list[str]) -> None:
    for directory in directories:
        with suppress(OSError):
            os.rmdir(directory)


@dataclass(frozen=True, slots=True)
class SymbolicLink:
    """A symbolic link, such as those that enable a unit of systemd."""

    path: str
    target: str

    kind: ClassVar[str] = "link"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"file {self.path}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"the link {self.path} to {self.target}"

    def now(self) -> str | None:
        """Where it leads; else as with a file."""
        try:
            return os.readlink(self.path)
        except FileNotFoundError:
            missing = _missing_directories(Path(self.path).parent)
            return _NO_DIRECTORY + json.dumps(missing) if missing else None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == self.target

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [calling(shlex.join(["ln", "-s", self.target, self.path]), _link, Path(self.path), self.target)]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return _putting_back(self.path, before, 0o644)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
