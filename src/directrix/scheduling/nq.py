"""Never queue: an idle real server if there is one."""

from __future__ import annotations

from directrix.scheduling.scheduler import C, Flow, usable
from directrix.scheduling.sed import ShortestExpectedDelay


class NeverQueue(ShortestExpectedDelay[C]):
    """The first in the list without active connections, however light it is; else as `sed`."""

    name = "nq"

    def pick(self, flow: Flow) -> C | None:
        idle = (candidate for candidate in self._candidates if usable(candidate) and candidate.active == 0)
        return next(idle, None) or super().pick(flow)
