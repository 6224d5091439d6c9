"""Destination hashing: by the destination address, from a table of 256 buckets."""

from __future__ import annotations

from directrix.scheduling.hashing import fold, hash_32
from directrix.scheduling.scheduler import C, Flow, Scheduler, usable

BITS = 8
BUCKETS = 1 << BITS


def table(count: int) -> list[int]:
    """The place in the list that each bucket stands for: the list round and round, weights ignored.

    Empty without real servers.
    """
    return [bucket % count for bucket in range(BUCKETS)] if count else []


def bucket_of(destination: int) -> int:
    """The bucket of a destination address, given folded."""
    return hash_32(destination, BITS)


class DestinationHashing(Scheduler[C]):
    """A real server that can't be had keeps its buckets, and their connections are refused."""

    name = "dh"

    def pick(self, flow: Flow) -> C | None:
        places = table(len(self._candidates))
        if not places:
            return None
        candidate = self._candidates[places[bucket_of(fold(flow.destination))]]
        return candidate if usable(candidate) else None
