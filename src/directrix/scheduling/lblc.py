"""Locality-based least connection: an address keeps its real server until that is overloaded.

Made for clusters of caches behind a firewall mark: what was fetched from an address once is
asked for where it was fetched. Who is new is given to the least loaded by the rule of `wlc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from directrix.scheduling.locality import LocalityCache
from directrix.scheduling.scheduler import C, Candidate, Flow, Position, Scheduler
from directrix.scheduling.wlc import least_loaded


@dataclass(slots=True)
class _Assigned(Generic[C]):
    candidate: C
    last_use: float


class LocalityBasedLeastConnection(Scheduler[C]):
    """`cache` has each address's real server; one that was removed counts again if it comes back.

    Its upper threshold keeps a real server from new addresses only, not from those it has.
    """

    name = "lblc"

    def __init__(self, candidates: Sequence[C]) -> None:
        super().__init__(candidates)
        self.cache = LocalityCache[_Assigned[C]]()

    def pick(self, flow: Flow) -> C | None:
        known = self.cache.find(flow.destination, flow.now)
        if known is not None and self._good(known.candidate):
            return known.candidate
        candidate = least_loaded(self._candidates)
        if candidate is not None:
            self.cache.put(flow.destination, _Assigned(candidate, flow.now))
        return candidate

    def position(self, flow: Flow) -> Position[C]:
        known = self.cache.peek(flow.destination)
        return Position() if known is None else Position(members=(known.candidate,))

    def resume(self, position: Position[C], flow: Flow) -> None:
        if position.members:
            self.cache.put(flow.destination, _Assigned(position.members[0], flow.now))

    def _good(self, candidate: C) -> bool:
        return candidate.weight > 0 and candidate in self._candidates and not overburdened(candidate, self._candidates)


def overburdened(candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether it has more active connections than weight while another has less than half of its own."""
    return candidate.active > candidate.weight and any(other.active * 2 < other.weight for other in candidates)
