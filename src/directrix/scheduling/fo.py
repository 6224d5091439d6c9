"""Weighted failover: everything to the heaviest real server there is."""

from __future__ import annotations

from operator import attrgetter

from directrix.scheduling.scheduler import C, Flow, Scheduler, usable


class WeightedFailover(Scheduler[C]):
    """The highest weight wins, whatever its load. Of equals the first in the list wins."""

    name = "fo"

    def pick(self, flow: Flow) -> C | None:
        return max(filter(usable, self._candidates), key=attrgetter("weight"), default=None)
