"""The last results of a checker, with times: a ring."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from directrix.checks.outcome import Outcome

LENGTH = 32
"""So many results are remembered of each checker."""


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt, as it is remembered.

    Attributes:
        at: when it ended, in seconds since 1970.
        took: how long it took, in seconds.
        outcome: what it found.
        up: what the checker believed after it.
    """

    at: float
    took: float
    outcome: Outcome
    up: bool


class History:
    """The last `length` results, and how many there were in all."""

    __slots__ = ("_ring", "attempts", "failures")

    def __init__(self, length: int = LENGTH) -> None:
        self._ring: deque[Result] = deque(maxlen=length)
        self.attempts = 0
        self.failures = 0

    def add(self, result: Result) -> None:
        """Remember a result; the oldest one is forgotten if need be."""
        self._ring.append(result)
        self.attempts += 1
        self.failures += result.outcome.made and not result.outcome.ok

    def __iter__(self) -> Iterator[Result]:
        """Oldest first."""
        return iter(tuple(self._ring))

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def last(self) -> Result | None:
        """The latest result; None before the first one."""
        return self._ring[-1] if self._ring else None
