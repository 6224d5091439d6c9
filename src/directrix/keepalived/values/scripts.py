"""Scripts and other programs that a configuration has run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """A program with its arguments and whom it runs as.

    Attributes:
        words: the program and its arguments, as execve takes them.
        user: name or number of the user; empty for `script_user` of the global definitions.
        group: name or number of the group; empty for the user's own.
    """

    words: tuple[str, ...]
    user: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Fifo:
    """A named pipe that events are written to, and the program that reads it.

    Attributes:
        path: the pipe; made when it is not there.
        user, group: who owns it; empty as in `Script`.
        script: run with the path as its last argument.
    """

    path: str
    user: str = ""
    group: str = ""
    script: Script | None = None
