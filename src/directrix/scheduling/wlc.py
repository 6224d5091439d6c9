"""Weighted least connection: the real server with the smallest load for its weight."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from directrix.scheduling.scheduler import C, Candidate, Flow, Scheduler, overhead, usable


class WeightedLeastConnection(Scheduler[C]):
    """The least overhead divided by weight wins. Of equals the first in the list wins."""

    name = "wlc"

    def pick(self, flow: Flow) -> C | None:
        return least_loaded(self._candidates)


def least_loaded(candidates: Iterable[C]) -> C | None:
    """The usable one with the smallest load for its weight, of equals the first; None if there is none."""
    return min(filter(usable, candidates), key=relative_overhead, default=None)


def relative_overhead(candidate: Candidate) -> Fraction:
    """The load for a weight above 0."""
    # Exact, as IPVS's comparison by cross multiplication is: a float would invent ties.
    return Fraction(overhead(candidate), candidate.weight)
