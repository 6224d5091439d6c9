"""Weighted least connection: the real server with the smallest load for its weight."""

from __future__ import annotations

from fractions import Fraction

from directrix.scheduling.scheduler import C, Candidate, Scheduler, overhead, usable


class WeightedLeastConnection(Scheduler[C]):
    """The least overhead divided by weight wins. Of equals the first in the list wins."""

    name = "wlc"

    def pick(self) -> C | None:
        return min(filter(usable, self._candidates), key=_relative_overhead, default=None)


def _relative_overhead(candidate: Candidate) -> Fraction:
    # Exact, as IPVS's comparison by cross multiplication is: a float would invent ties.
    return Fraction(overhead(candidate), candidate.weight)
