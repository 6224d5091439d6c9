"""Weighted round robin: each real server in turn, the heavier ones more often.

The list is walked in laps. In a lap only those take part whose weight is at least the *level*;
each lap lowers the level by one *step*, the greatest common divisor of all weights, and after the
lowest lap it starts again at the *top*. A cycle so has the sum of all weights divided by the step
picks, spread out rather than in bursts:

    weights 1, 2, 3 in list order 3, 2, 1:   level 3: the 3   level 2: 3 2   level 1: 3 2 1

The top is the greatest weight less (step - 1), so that the lowest level is exactly 1.

A change to the list sends the walk back to the head but leaves the level where it is as far as
possible. A service filled by adding its real servers one at a time has level 1 from the first of
them, and so its first lap visits everybody once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from directrix.scheduling.scheduler import C, Flow, Position, Scheduler

HEAD = -1
"""The place before the first real server, where a walk starts."""


class WeightedRoundRobin(Scheduler[C]):
    """IPVS's wrr; `_place` is the index of the real server picked last."""

    name = "wrr"

    def __init__(self, candidates: Sequence[C]) -> None:
        super().__init__(candidates)
        self._measure()
        self._level = self._top

    def _measure(self) -> None:
        weights = [candidate.weight for candidate in self._candidates if candidate.weight > 0]
        self._step = math.gcd(*weights) or 1
        self._top = max(weights, default=0) - (self._step - 1)
        self._place = HEAD

    def pick(self, flow: Flow) -> C | None:
        if self._top == 0:
            return None
        start = self._place
        wrapped = lowest = False
        while True:
            # Having wrapped, the lowest lap only has to see those up to where this walk began.
            last_lap = wrapped and lowest
            end = start + 1 if last_lap else len(self._candidates)
            for index in range(self._place + 1, end):
                candidate = self._candidates[index]
                if candidate.weight >= self._level and not candidate.overloaded:
                    self._place = index
                    return candidate
            if last_lap:
                self._place = start
                return None
            self._place = HEAD
            self._level -= self._step
            if self._level <= 0:
                self._level = self._top
                if lowest or start == HEAD:
                    return None
                wrapped = True
            lowest = self._level <= self._step

    def position(self, flow: Flow) -> Position[C]:
        return Position(None if self._place == HEAD else self._candidates[self._place], self._level)

    def resume(self, position: Position[C], flow: Flow) -> None:
        self._place = HEAD if position.last is None else self._candidates.index(position.last)
        self._level = position.level

    def added(self) -> None:
        self._changed()

    def edited(self) -> None:
        self._changed()

    def removed(self, candidate: C, index: int) -> None:
        self._changed()

    def _changed(self) -> None:
        self._measure()
        if self._level > self._top or self._level == 0:
            self._level = self._top
        elif self._step > 1:
            self._level = self._level // self._step * self._step + 1
