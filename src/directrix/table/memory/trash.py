"""Where removed real servers wait for their connections to end, or to be added again.

IPVS sweeps its trash once a minute while there is anything in it. The first sweep that finds a
real server without connections notes the time; a later one that finds it idle for two minutes
lets it go. Until then the same real server, added again to a service with the same key, is the
same object: its connections go on, its counts are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from directrix.lvs import Address, ServiceKey
from directrix.table.memory.destination import Destination
from directrix.table.memory.service import Service

SWEEP = 60.0
"""Seconds between two sweeps."""

IDLE = 120.0
"""Seconds a real server without connections is kept after a sweep first saw it so."""


@dataclass(slots=True)
class _Removed:
    service: Service
    destination: Destination
    idle_since: float | None = None


class Trash:
    """The removed real servers of a table.

    Times are seconds of the table's clock; `next_sweep` is when to sweep, infinite when empty.
    """

    def __init__(self) -> None:
        self._removed: list[_Removed] = []
        self.next_sweep = math.inf

    def put(self, service: Service, destination: Destination, now: float) -> None:
        """Keep a real server that was removed from this service."""
        if not self._removed:
            self.next_sweep = now + SWEEP
        self._removed.append(_Removed(service, destination))

    def take(self, service: Service, address: Address, port: int) -> Destination | None:
        """Take back the real server that was removed from this service or one with the same key.

        Its traffic counters go on if it is the same service and not one made anew.
        """
        for removed in self._removed:
            if _key(removed) == service.definition.key and removed.destination.server.key == (address, port):
                self._removed.remove(removed)
                if removed.service is not service:
                    removed.destination.statistics.zero()
                return removed.destination
        return None

    def sweep(self) -> None:
        """Do the sweep that is next, and let go of what has been idle for long enough."""
        now = self.next_sweep
        self._removed = [removed for removed in self._removed if not _done(removed, now)]
        self.next_sweep = now + SWEEP if self._removed else math.inf


def _key(removed: _Removed) -> ServiceKey:
    return removed.service.definition.key


def _done(removed: _Removed, now: float) -> bool:
    if removed.destination.referenced:
        return False
    if removed.idle_since is None:
        removed.idle_since = now
    return now >= removed.idle_since + IDLE
