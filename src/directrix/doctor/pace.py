"""How far a check goes: through all there is to look at, or until its time is up; and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 30.0
"""Seconds for a check, if nobody says otherwise. A cluster of hundreds of real servers takes less."""


class Pace:
    """The time a check has. One is for all checks of an examination, `start` begins with the next one.

    Attributes:
        seconds: for each check; 0 for as long as it needs.
        left_out: what the check had no time for, in words.
    """

    def __init__(
        self,
        seconds: float = 0.0,
        told: Callable[[int, int], None] = lambda done, all_of_them: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.left_out: list[str] = []
        self._told = told
        self._clock = clock
        self._started = clock()

    def start(self) -> None:
        """Begin with a check."""
        self._started, self.left_out = self._clock(), []

    def each(self, items: Iterable[T], what: str) -> Iterator[T]:
        """The items one after the other, as long as there is time; `what` they are is told of those left out."""
        wanted = list(items)
        for done, item in enumerate(wanted):
            if self.seconds and self._clock() - self._started > self.seconds:
                self.left_out.append(f"{len(wanted) - done:,} of {len(wanted):,} {what}")
                return
            self._told(done, len(wanted))
            yield item

    def in_parts(self, items: Iterable[T], size: int, what: str) -> Iterator[list[T]]:
        """The same, so many items at a time, for what can be asked together."""
        part: list[T] = []
        for item in self.each(items, what):
            part.append(item)
            if len(part) == size:
                yield part
                part = []
        if part:
            yield part
