"""Shortest expected delay: the real server that a new connection would be served by soonest."""

from __future__ import annotations

from fractions import Fraction

from directrix.scheduling.scheduler import C, Candidate, Flow, Scheduler, usable


class ShortestExpectedDelay(Scheduler[C]):
    """The least (active + 1) divided by weight wins: the 1 is the new connection itself.

    Inactive connections don't count. Of equals the first in the list wins.
    """

    name = "sed"

    def pick(self, flow: Flow) -> C | None:
        return min(filter(usable, self._candidates), key=_expected_delay, default=None)


def _expected_delay(candidate: Candidate) -> Fraction:
    return Fraction(candidate.active + 1, candidate.weight)
