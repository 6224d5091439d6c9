"""Least connection: the real server with the smallest load."""

from __future__ import annotations

from directrix.scheduling.scheduler import C, Flow, Scheduler, overhead, usable


class LeastConnection(Scheduler[C]):
    """The least overhead wins; weights only tell who takes part. Of equals the first in the list wins."""

    name = "lc"

    def pick(self, flow: Flow) -> C | None:
        return min(filter(usable, self._candidates), key=overhead, default=None)
