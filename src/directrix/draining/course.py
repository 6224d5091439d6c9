"""The course of a drain: from what is seen of a real server, look by look, to how it goes and when it is over.

Pure: it knows neither table nor clock. A drain is over when no connection is left, or its time is up, or somebody else
has decided about the server meanwhile.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WINDOW = 30.0
"""Seconds that the rate is taken over."""


class Stage(enum.Enum):
    """How far a drain is. The value is the word in JSON."""

    GOING = "draining"
    DRAINED = "drained"
    TIME_UP = "time_up"
    REWEIGHTED = "reweighted"
    """Somebody gave the server a weight again."""
    REMOVED = "removed"
    """Somebody took it out of the service, or the service away."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there of a real server at one look.

    Attributes:
        active, inactive: its connections, as listings count them.
        by_protocol: the same by the name of the protocol, those without any left out.
        templates: of clients that persistence keeps at it.
        weight: 0, unless somebody changed it; None: it is not in the service any more.
    """

    active: int
    inactive: int
    by_protocol: Mapping[str, int]
    templates: int
    weight: int | None

    @property
    def left(self) -> int:
        """All connections."""
        return self.active + self.inactive


def together(seen: Iterable[Seen]) -> Seen:
    """One look at a real server that stands in several services; one that it has left adds nothing."""
    there = [each for each in seen if each.weight is not None]
    counts: Counter[str] = Counter()
    for each in there:
        counts.update(each.by_protocol)
    return Seen(
        sum(each.active for each in there),
        sum(each.inactive for each in there),
        dict(counts),
        sum(each.templates for each in there),
        max((each.weight or 0 for each in there), default=None),
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How a drain stands.

    Attributes:
        stage: whether it is over, and why.
        elapsed: seconds since it began.
        seen: what is left.
        rate: connections that went, a second, of late; None before there are two looks.
        remaining: seconds until none is left if it goes on so; None if that can't be told.
    """

    stage: Stage
    elapsed: float
    seen: Seen
    rate: float | None
    remaining: float | None


class Course:
    """One drain, from its beginning on."""

    def __init__(self, began: float, deadline: float | None) -> None:
        """Begin.

        Args:
            began: the time it is, in seconds of any clock.
            deadline: how many seconds it may take; None: as many as it wants.
        """
        self._began, self._deadline = began, deadline
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, seen: Seen, now: float) -> Progress:
        """Take in what is seen at this time."""
        elapsed = now - self._began
        self._looks.append((now, seen.left))
        while now - self._looks[0][0] > _WINDOW:
            self._looks.popleft()
        rate = self._rate()
        return Progress(
            self._stage(seen, elapsed),
            elapsed,
            seen,
            rate,
            seen.left / rate if rate is not None and rate > 0 else None,
        )

    def _stage(self, seen: Seen, elapsed: float) -> Stage:
        if seen.weight is None:
            return Stage.REMOVED
        if seen.weight:
            return Stage.REWEIGHTED
        if not seen.left:
            return Stage.DRAINED
        if self._deadline is not None and elapsed >= self._deadline:
            return Stage.TIME_UP
        return Stage.GOING

    def _rate(self) -> float | None:
        (first, many), (last, few) = self._looks[0], self._looks[-1]
        return (many - few) / (last - first) if last > first else None
