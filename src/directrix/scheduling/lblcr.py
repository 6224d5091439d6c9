"""Locality-based least connection with replication: an address has a set of real servers.

The least loaded of the set is asked; when it is overloaded, the least loaded of all joins the
set. A set that did not change for a day loses its most loaded member, and so shrinks to one again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from directrix.scheduling.lblc import overburdened
from directrix.scheduling.locality import LocalityCache
from directrix.scheduling.scheduler import C, Flow, Position, Scheduler
from directrix.scheduling.wlc import least_loaded, relative_overhead


@dataclass(slots=True)
class _Replicas(Generic[C]):
    """The set of an address, newest member first, and when members last came or went."""

    members: list[C]
    last_use: float
    last_change: float


class LocalityBasedLeastConnectionWithReplication(Scheduler[C]):
    """`cache` has each address's set; one removed from the service counts again if it comes back."""

    name = "lblcr"

    def __init__(self, candidates: Sequence[C]) -> None:
        super().__init__(candidates)
        self.cache = LocalityCache[_Replicas[C]]()

    def pick(self, flow: Flow) -> C | None:
        known = self.cache.find(flow.destination, flow.now)
        if known is not None:
            member = least_loaded(member for member in known.members if member in self._candidates)
            self._shrink(known, flow.now)
            if member is not None and not overburdened(member, self._candidates):
                return member
        candidate = least_loaded(self._candidates)
        if candidate is None:
            return None
        if known is None:
            self.cache.put(flow.destination, _Replicas([candidate], flow.now, flow.now))
        elif candidate not in known.members:
            known.members.insert(0, candidate)
            known.last_change = flow.now
        return candidate

    def position(self, flow: Flow) -> Position[C]:
        known = self.cache.peek(flow.destination)
        return Position() if known is None else Position(members=tuple(known.members), last_change=known.last_change)

    def resume(self, position: Position[C], flow: Flow) -> None:
        if position.members:
            members = list(position.members)
            self.cache.put(flow.destination, _Replicas(members, flow.now, position.last_change))

    def _shrink(self, known: _Replicas[C], now: float) -> None:
        if len(known.members) == 1 or now <= known.last_change + self.cache.expiration:
            return
        weighted = [member for member in known.members if member.weight > 0]
        if weighted:
            known.members.remove(max(weighted, key=relative_overhead))
            known.last_change = now
