"""Weighted power of two choices: the less loaded of two real servers drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from directrix.scheduling.scheduler import C, Flow, Scheduler, overhead, usable


class PowerOfTwoChoices(Scheduler[C]):
    """Each is drawn as often as its weight says; the second must be strictly less loaded for its weight.

    Args:
        candidates: as for every scheduler.
        draw: gives a number at random from the first to the second, both included. The default
            repeats itself after the same `random.seed`.
    """

    name = "twos"

    def __init__(self, candidates: Sequence[C], draw: Callable[[int, int], int] = random.randint) -> None:
        super().__init__(candidates)
        self._draw = draw

    def pick(self, flow: Flow) -> C | None:
        candidates = list(filter(usable, self._candidates))
        if not candidates:
            return None
        # From 0, as IPVS draws: that favours the first in the list a little.
        total = sum(candidate.weight for candidate in candidates)
        one, other = (_drawn(candidates, self._draw(0, total)) for _ in range(2))
        return other if overhead(one) * other.weight > overhead(other) * one.weight else one


def _drawn(candidates: Sequence[C], number: int) -> C:
    """The one in whose share of the total weight the number lies."""
    for candidate in candidates:
        number -= candidate.weight
        if number <= 0:
            return candidate
    raise ValueError("the number drawn is greater than the total weight")
