"""What one attempt of a checker found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Standing(enum.Enum):
    """What a real server that can tell (AGENT_CHECK) says of itself besides up and down."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's result.

    Attributes:
        ok: the check succeeded.
        detail: what was found, in a few words, for people.
        weight: what this checker adds to the real server's weight from now on; negative to take away. None: as before.
        standing: what the server says of itself from now on. None: as before.
        certain: a failure that needs no second look: it counts at once, however many retries are configured.
        made: False if the check could not be made, for a reason of our own (no descriptors, no such interface). It says
            nothing of the server, and nothing follows from it.
    """

    ok: bool
    detail: str = ""
    weight: int | None = None
    standing: Standing | None = None
    certain: bool = False
    made: bool = True


def success(detail: str = "") -> Outcome:
    """The check succeeded."""
    return Outcome(True, detail)


def not_made(detail: str) -> Outcome:
    """The check could not be made, and the server is not to blame."""
    return Outcome(False, detail, made=False)


def failure(detail: str) -> Outcome:
    """The check failed."""
    return Outcome(False, detail)
