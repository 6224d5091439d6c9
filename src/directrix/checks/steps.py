"""Servers with the time at which each is due, earliest first: a heap in which what is out of date is passed over."""

from __future__ import annotations

import heapq
from collections.abc import KeysView
from itertools import count

from directrix.checks.actions import ServerKey


class Steps:
    """Which server is due when."""

    def __init__(self) -> None:
        """None is."""
        self._due: dict[ServerKey, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, ServerKey]] = []
        self._count = count()

    @property
    def servers(self) -> KeysView[ServerKey]:
        """Those that are due at some time."""
        return self._due.keys()

    def put(self, server: ServerKey, due: float) -> None:
        """A server is due then, and at no other time."""
        self._due[server] = due, next(self._count)
        heapq.heappush(self._heap, (*self._due[server], server))

    def drop(self, server: ServerKey) -> None:
        """A server is not due any more, if it was."""
        self._due.pop(server, None)

    def first(self) -> float | None:
        """When the next one is due; None if none is."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float, most: int) -> list[ServerKey]:
        """So many at most of those that are due by now, the earliest first; they are not due any more."""
        taken: list[ServerKey] = []
        while len(taken) < most and (due := self.first()) is not None and due <= now:
            taken.append(heapq.heappop(self._heap)[2])
            del self._due[taken[-1]]
        return taken
