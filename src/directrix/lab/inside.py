"""Doing something inside a host of a lab."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from directrix.lab.state import HostState
from directrix.system import namespaces

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses a shell has for commands it can't start."""


def own_command(words: Sequence[str]) -> list[str]:
    """A command line in which the word `directrix` means this very directrix, on the PATH or not."""
    return [sys.executable, "-m", "directrix", *words[1:]] if words[0] == "directrix" else list(words)


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
