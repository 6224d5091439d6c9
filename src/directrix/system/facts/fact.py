"""What a fact is, and the commands that change one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol

from directrix.system.commands import run


@dataclass(frozen=True, slots=True)
class Command:
    """One change.

    Attributes:
        text: as a person would type it as root.
        do: does the same; it is given file descriptors that any process it starts shall keep open.
    """

    text: str
    do: Callable[[Sequence[int]], object] = field(compare=False, repr=False)


def shell(*argv: str) -> Command:
    """A command of the system, run as it is shown; raises CommandFailed."""
    return Command(shlex.join(argv), lambda keep: run(argv, keep=keep))


def calling(text: str, function: Callable[..., object], *arguments: object) -> Command:
    """A change made by a call of ours, shown as the command that would do the same."""
    call = partial(function, *arguments)
    return Command(text, lambda keep: call())


class Fact(Protocol):
    """Something that shall be so on this host. Values of its kinds are frozen, and plain enough for JSON."""

    kind: ClassVar[str]
    """The name of its kind in records."""

    @property
    def key(self) -> str:
        """What of the host it is about; two facts with the same key speak of the same thing."""

    @property
    def text(self) -> str:
        """What shall be so, for people: `10.0.0.100/32 on lo`."""

    def now(self) -> str | None:
        """How it is, None if there is nothing; to be compared and recorded.

        Raises:
            CommandFailed: the system could not be asked.
            OSError: likewise.
        """

    def holds(self, now: str | None) -> bool:
        """Whether this state is as wanted."""

    def is_ours(self, now: str | None) -> bool:
        """Whether this state can be what `make` has made, and may be undone."""

    def make(self, now: str | None) -> list[Command]:
        """What makes it so, from how it is now."""

    def undo(self, before: str | None) -> list[Command]:
        """What puts it back to how it was before, from what `make` made."""


class BootFact(Fact, Protocol):
    """A fact that commands bring about, at every boot if need be."""

    def boot_words(self) -> list[str]:
        """The command that makes it, whether it is so already or not."""

    def end_words(self) -> list[str]:
        """The command that ends it."""


@dataclass(frozen=True, slots=True)
class FactStatus:
    """A fact held against the host.

    Attributes:
        text: what shall be so.
        now: how it is; None if there is nothing.
        holds: whether it is so.
        mend: the commands that make it so, as typed; empty if it holds.
    """

    text: str
    now: str | None
    holds: bool
    mend: tuple[str, ...] = ()


def status_of(fact: Fact) -> FactStatus:
    """Hold a fact against the host. Raises what `Fact.now` raises."""
    now = fact.now()
    holds = fact.holds(now)
    return FactStatus(fact.text, now, holds, () if holds else tuple(command.text for command in fact.make(now)))
