"""The unit by which systemd runs the director, and putting it in place for an installation by pip.

`directrix.service`, beside this module, is the unit as a distribution ships it. Elsewhere the command lies elsewhere:
then the unit is written with the command that is there, and the words it shall have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

USUAL_PATH = Path("/etc/systemd/system/directrix.service")

MARK = "# Written by `directrix run --install-unit`, and written anew by it; `systemctl edit directrix` adds to it."


class NotOurs(Exception):
    """There is a file of that name that was not written here."""


def shipped() -> str:
    """The unit as it is shipped."""
    return files(__package__).joinpath("directrix.service").read_text()


def unit(command: Sequence[str]) -> str:
    """The unit that runs this command."""
    lines = [
        f"ExecStart={' '.join(map(quoted, command))}" if line.startswith("ExecStart=") else line
        for line in shipped().splitlines()
    ]
    return "\n".join([MARK, *lines]) + "\n"


def quoted(word: str) -> str:
    """A word as systemd.service(5) reads it, with nothing in it meaning anything."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    safe = plain == word and word and not any(each.isspace() or each in "';" for each in word)
    return plain if safe else f'"{plain}"'


def own_command() -> list[str]:
    """The words by which this program is run, wherever it is installed."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py" or not os.access(program, os.X_OK):
        return [sys.executable, "-m", "directrix"]
    return [str(program.absolute())]


def install(command: Sequence[str], path: Path = USUAL_PATH) -> None:
    """Write the unit; a reader never sees half of it.

    Raises:
        NotOurs: somebody else's file is there.
        OSError: it can't be written.
    """
    if path.exists() and not path.read_text(errors="replace").startswith(MARK):
        raise NotOurs(f"{path} is there already, and was not written by directrix; move it away first")
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(unit(command))
    fresh.chmod(0o644)
    os.replace(fresh, path)
