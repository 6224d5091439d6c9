"""Installing ipvsadm's programs as names of ours, for scripts that call them.

A name is a Python script of a few lines that starts this very directrix: interpreter and package stand in
it, so neither PATH nor PYTHONPATH matters. A name that is there and is not ours is left alone unless the
caller insists, and nothing is written before every name has been looked at.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import directrix
from directrix.ipvsadm.programs import PROGRAMS

MARK: Final = "# A name of directrix, made by `directrix install-names`."
"""The line by which a name of ours is known."""

_HEAD: Final = 4096
"""The mark stands within so many bytes."""

_LONGEST_INTERPRETER_LINE: Final = 127
"""What every kernel takes after `#!`; and it takes no blanks in the interpreter's path."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a directory: those that are ours, those that are somebody else's, those that are free."""

    ours: tuple[Path, ...]
    others: tuple[Path, ...]
    free: tuple[Path, ...]


def look(directory: Path) -> Names:
    """What the names stand for in a directory.

    Raises:
        OSError: it is none, or can't be read.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"there is no directory {directory}; make it first")
    paths = [directory / name for name in PROGRAMS]
    there = [path for path in paths if os.path.lexists(path)]
    ours = [path for path in there if _is_ours(path)]
    return Names(
        ours=tuple(ours),
        others=tuple(path for path in there if path not in ours),
        free=tuple(path for path in paths if path not in there),
    )


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK.encode() in file.read(_HEAD).splitlines()


def check(names: Names, *, force: bool) -> None:
    """Refuse to install over what is not ours; with `force`, only over what can't be replaced.

    Raises:
        OSError: something is in the way; says what to do.
    """
    for path in names.others:
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(f"{path} is a directory; nothing was installed")
        if not force:
            raise FileExistsError(f"{path} is not one of directrix's names; --force replaces it. Nothing was installed")


def install(names: Names) -> None:
    """Put all names in place, each at once: whoever calls one meanwhile finds the old or the new.

    Raises:
        OSError: the directory can't be written to.
    """
    for path in (*names.ours, *names.others, *names.free):
        new = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            new.write_text(script(path.name, sys.executable, Path(directrix.__file__).parents[1]))
            new.chmod(0o755)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def remove(names: Names) -> None:
    """Take away those that are ours.

    Raises:
        OSError: the directory can't be written to.
    """
    for path in names.ours:
        path.unlink()


def script(name: str, interpreter: str, packages: Path) -> str:
    """What stands in the file of a name.

    `packages` is the directory that has directrix in it: the interpreter may not look there by itself.
    """
    start = f"#!{interpreter} -P"
    if len(start) > _LONGEST_INTERPRETER_LINE or any(map(str.isspace, interpreter)):
        import shlex

        # A shell reads the second line as a command, Python the second and third as a string.
        start = f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} -P \"$0\" \"$@\"\n' '''"
    return (
        f"{start}\n{MARK}\n"
        "import sys\n\n"
        f"sys.path.append({str(packages)!r})\n"
        "from directrix.cli.programs import run\n\n"
        f"sys.exit(run({name!r}))\n"
    )
