"""Doing something inside a host of a lab."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from directrix.lab.state import HostState
from directrix.system import namespaces
from directrix.system.commands import CommandFailed, run

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses a shell has for commands it can't start."""


def own_command(words: Sequence[str]) -> list[str]:
    """A command line in which the word `directrix` means this very directrix, on the PATH or not."""
    return [sys.executable, "-P", "-m", "directrix", *words[1:]] if words[0] == "directrix" else list(words)


def in_shell(command: str) -> str:
    """A shell command in which `directrix` means this very directrix, on the PATH or not."""
    return f'directrix() {{ {shlex.join(own_command(["directrix"]))} "$@"; }}\n{command}'


def run_own(words: Sequence[str], *, text: str = "") -> str:
    """Run a command where we are, `directrix` meaning this one; gives back what it said. See `commands.run`.

    Raises:
        CommandFailed: naming the command as it was given.
    """
    try:
        return run(own_command(words), text=text)
    except CommandFailed as failure:
        raise CommandFailed(shlex.join(words), failure.status, failure.output) from None


def execute(host: HostState, words: Sequence[str]) -> NoReturn:
    """Become a command inside a host: same process, same terminal, its exit status.

    Raises:
        FileNotFoundError: there is no such command.
        OSError: it can't be executed.
    """
    namespaces.enter(host.namespace)
    command = own_command(words)
    # Python ignores it, and what is ignored stays so: `COMMAND | head` would not end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)
