"""Round robin: each real server in turn."""

from __future__ import annotations

from collections.abc import Sequence

from directrix.scheduling.scheduler import C, Flow, Position, Scheduler, usable


class RoundRobin(Scheduler[C]):
    """Goes on after the real server it picked last, wrapping at the end of the list."""

    name = "rr"

    def __init__(self, candidates: Sequence[C]) -> None:
        super().__init__(candidates)
        self._last: C | None = None

    def pick(self, flow: Flow) -> C | None:
        start = 0 if self._last is None else self._candidates.index(self._last) + 1
        for candidate in (*self._candidates[start:], *self._candidates[:start]):
            if usable(candidate):
                self._last = candidate
                return candidate
        return None

    def position(self, flow: Flow) -> Position[C]:
        return Position(self._last)

    def resume(self, position: Position[C], flow: Flow) -> None:
        self._last = position.last

    def removed(self, candidate: C, index: int) -> None:
        """Step back one, so that the one after the removed is next; None stands before the first."""
        if candidate is self._last:
            self._last = self._candidates[index - 1] if index > 0 else None
