"""What a check finds: an outcome, what was looked at, and the commands that mend it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.doctor.case import Case


class Role(enum.StrEnum):
    """What the examined host is in the cluster."""

    DIRECTOR = "director"
    REALSERVER = "realserver"
    BYSTANDER = "bystander"


class Outcome(enum.StrEnum):
    """How a finding turned out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A command that mends something, as it can be typed into a shell.

    Attributes:
        command: for `sh`.
        on: the address of the host it is for, or `the director` where that isn't known; empty for this one.
        safe: it takes nothing away from anybody and is easily undone, so `--fix` may run it.
    """

    command: str
    on: str = ""
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check looked at.

    Attributes:
        looked_at: what that was.
        said: what was found, and if it is wrong, what follows from it.
        remedies: the commands that mend it, in the order in which they are to be run.
    """

    outcome: Outcome
    looked_at: str
    said: str
    remedies: tuple[Remedy, ...] = ()


Looking = Callable[["Case"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check, as the registry has it.

    Attributes:
        name: what `--only` calls it.
        title: what it looks at, in a few words.
        why: why it matters.
        roles: on which hosts it makes sense.
        look: does it.
        slow: it waits for answers from the wire.
    """

    name: str
    title: str
    why: str
    roles: frozenset[Role]
    look: Looking
    slow: bool = False


EVERYWHERE = frozenset(Role)

THE_DIRECTOR = "the director"
"""Where a remedy is for, if the director's address isn't known."""


def ok(looked_at: str, said: str) -> Finding:
    """All is well."""
    return Finding(Outcome.OK, looked_at, said)


def warn(looked_at: str, said: str, remedies: Sequence[Remedy] = ()) -> Finding:
    """It works, but not as it should, or not for everybody."""
    return Finding(Outcome.WARN, looked_at, said, tuple(remedies))


def fail(looked_at: str, said: str, remedies: Sequence[Remedy] = ()) -> Finding:
    """Clients are not served because of this."""
    return Finding(Outcome.FAIL, looked_at, said, tuple(remedies))


def skip(looked_at: str, reason: str) -> Finding:
    """It could not be looked at."""
    return Finding(Outcome.SKIP, looked_at, reason)
