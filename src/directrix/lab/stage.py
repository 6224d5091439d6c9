"""Showing something step by step: what is done, what came of it, and whether it is as it should be."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from typing import TextIO

from directrix.lab.inside import run_own
from directrix.lab.state import HostState
from directrix.system import namespaces
from directrix.system.commands import CommandFailed

_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"
_SHELL = ("sh", "-c")


class Stage:
    """Where a demonstration takes place; counts what was not as it should be."""

    def __init__(self, out: TextIO) -> None:
        self.differences = 0
        self._out = out
        self._steps = 0
        self._colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def title(self, text: str) -> None:
        """What all of it is about."""
        self._print(self._paint(_BOLD, text))

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self._print()
        self._print(self._paint(_BOLD, f"{self._steps}. {text}"))

    def say(self, text: str) -> None:
        """Say what is going to happen, or what was to be seen."""
        for line in text.splitlines():
            self._print(f"   {line}")

    def show_command(self, where: str, words: Sequence[str]) -> None:
        """Show a command as a person would type it; `where` is the host, empty for this machine."""
        prompt = self._paint(_DIM, f"{where}$")
        self._print(f"   {prompt} {_typed(words)}")

    def show_output(self, text: str) -> None:
        """Show what a command said."""
        for line in text.rstrip().splitlines():
            self._print(self._paint(_DIM, f"     {line.rstrip()}"))

    def run(self, host: HostState, words: Sequence[str], show: Callable[[str], str] = str) -> str:
        """Run a command in a host, show it and what it said (or what `show` makes of that), and give that back.

        Raises:
            CommandFailed: it ended with another status than 0.
        """
        self.show_command(host.name, words)
        with namespaces.inside(host.namespace):
            try:
                output = run_own(words)
            except CommandFailed as failure:
                raise CommandFailed(_typed(words), failure.status, failure.output) from None
        self.show_output(show(output))
        return output

    def check(self, as_it_should: bool, claim: str, instead: str) -> None:
        """Say that a claim holds, or what is the case instead."""
        if as_it_should:
            self._print(f"   {self._paint(_GREEN, '✓')} {claim}")
        else:
            self.differences += 1
            self._print(f"   {self._paint(_RED, '✗')} not so: {claim}")
            for line in instead.splitlines():
                self._print(f"     {line}")

    def end(self) -> None:
        """The last word."""
        self._print()
        if self.differences:
            self._print(self._paint(_RED, "Not everything was as shown; what would have come after that was left out."))
        else:
            self._print(self._paint(_GREEN, "Everything was as shown."))

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _print(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)


def _typed(words: Sequence[str]) -> str:
    """A command as a person types it: who types has a shell already and need not call one."""
    return words[2] if tuple(words[:2]) == _SHELL else shlex.join(words)


def standard_stage(out: TextIO) -> Stage:
    """A stage on one of the standard streams, whatever characters that knows."""
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors="replace")
    return Stage(out)
