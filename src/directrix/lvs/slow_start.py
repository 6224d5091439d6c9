"""Slow start: a real server that comes gets a weight that grows over a set time.

A server whose caches are cold breaks down under the share it can carry warm; and under wlc and its like the
newcomer, having no connections, would get every new one until it has as many as the others.

It is a function of the time that has passed, and knows no clock: whoever sets weights asks it, as often as convenient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVELLERS = frozenset({"rr", "lc", "dh"})
"""Schedulers to which all weights above 0 are alike."""

MOST_STEPS = 100
"""A weight is set anew at most so many times on its way."""


@dataclass(frozen=True, slots=True)
class SlowStart:
    """A weight on its way.

    Attributes:
        target: what it grows to, 0 or more.
        over: the seconds it takes; 0: none.
        start: what it is when it begins; below `target`.
    """

    target: int
    over: float
    start: int = 0

    def __post_init__(self) -> None:
        if self.over < 0 or not math.isfinite(self.over):
            raise ValueError(f"a slow start over {self.over} seconds")
        if not 0 <= self.start <= self.target:
            raise ValueError(f"a slow start from weight {self.start} to {self.target}")

    def weight(self, elapsed: float) -> int:
        """The weight after so many seconds: in proportion to them, at least 1 (0 would get nothing), rounded down."""
        if elapsed >= self.over:
            return self.target
        grown = self.start + int((self.target - self.start) * max(elapsed, 0.0) / self.over)
        return min(max(grown, 1), self.target)

    def next_step(self, elapsed: float) -> float | None:
        """When to set the weight next, in seconds from the beginning; None: it has arrived."""
        if elapsed >= self.over:
            return None
        steps = min(self.target - self.start, MOST_STEPS) or 1
        return min(max(elapsed, 0.0) + self.over / steps, self.over)
