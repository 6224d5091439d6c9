"""Weighted overflow: the heaviest real server until it is full, then the next heaviest."""

from __future__ import annotations

from operator import attrgetter

from directrix.scheduling.scheduler import C, Candidate, Flow, Scheduler, usable


class WeightedOverflow(Scheduler[C]):
    """The highest weight among those with room wins. Of equals the first in the list wins."""

    name = "ovf"

    def pick(self, flow: Flow) -> C | None:
        return max(filter(_has_room, self._candidates), key=attrgetter("weight"), default=None)


def _has_room(candidate: Candidate) -> bool:
    # As many active connections as the weight is room still: one more than the weight fits.
    return usable(candidate) and candidate.active <= candidate.weight
