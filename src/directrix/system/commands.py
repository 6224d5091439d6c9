"""Running the system's own commands, and saying well what went wrong with one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence


class CommandFailed(Exception):
    """A command ended with another status than 0.

    Attributes:
        command: what was run, as a person would type it.
        status: its exit status; negative is the number of the signal that ended it; 127 if it
            could not be started.
        output: what it said, on stdout and stderr together.
    """

    def __init__(self, command: str, status: int, output: str) -> None:
        self.command = command
        self.status = status
        self.output = output.strip()
        ending = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
        separator = ":\n" if "\n" in self.output else ": "
        super().__init__(f"`{command}` {ending}" + (separator + self.output if self.output else ""))


def run(argv: Sequence[str], *, text: str = "", keep: Sequence[int] = ()) -> str:
    """Run a command with `text` on its stdin and give back what it said (stdout and stderr).

    Output goes through a file, not a pipe, so that a daemon the command leaves behind can't make us wait; and the file
    is in memory, so that it works with a full disk. `keep` are file descriptors the command shall hold open as long as
    it lives.

    Raises:
        CommandFailed: it could not be started, or ended with another status than 0.
    """
    with open(os.memfd_create("said"), "w+", errors="replace") as said, open(os.memfd_create("given"), "w+") as given:
        given.write(text)
        given.seek(0)
        try:
            done = subprocess.run(argv, stdin=given, stdout=said, stderr=said, pass_fds=keep, check=False)
        except OSError as error:
            raise CommandFailed(shlex.join(argv), 127, error.strerror or str(error)) from None
        said.seek(0)
        output = said.read()
    if done.returncode != 0:
        raise CommandFailed(shlex.join(argv), done.returncode, output)
    return output


def ip(lines: Sequence[str], *, keep: Sequence[int] = ()) -> None:
    """Run many `ip` commands (without the word `ip`) by one process, stopping at the first that fails.

    Raises:
        CommandFailed: with the one `ip` command that failed and ip's own words.
    """
    try:
        run(["ip", "-batch", "-"], text="".join(f"{line}\n" for line in lines), keep=keep)
    except CommandFailed as failure:
        place = re.search(r"^Command failed -:(\d+)$", failure.output, re.MULTILINE)
        if place is None:
            raise
        said = failure.output.replace(place[0], "")
        raise CommandFailed(f"ip {lines[int(place[1]) - 1]}", failure.status, said) from None
