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
    """

    ok: bool
    detail: str = ""
    weight: int | None = None
    standing: Standing | None = None
    certain: bool = False


def success(detail: str = "") -> Outcome:
    """The check succeeded."""
    return Outcome(True, detail)


def failure(detail: str) -> Outcome:
    """The check failed."""
    return Outcome(False, detail)
