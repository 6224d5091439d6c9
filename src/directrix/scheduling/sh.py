"""Source hashing: by the client's address, from a table of 256 buckets.

With the flag *port* the client's port counts too; with the flag *fallback* a client whose real
server can't be had is sent on to other buckets until one can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, cycle, islice, repeat

from directrix.scheduling.hashing import fold, hash_32
from directrix.scheduling.scheduler import FALLBACK, PORT, C, Flow, Scheduler, usable

BITS = 8
BUCKETS = 1 << BITS


def table(weights: Sequence[int]) -> list[int]:
    """The place in the list that each bucket stands for, from the weights in list order.

    The list round and round, each taking as many buckets in a row as its weight says; one of
    weight 0 takes one all the same. Empty without real servers.
    """
    turns = chain.from_iterable(repeat(place, max(weight, 1)) for place, weight in enumerate(weights))
    return list(islice(cycle(turns), BUCKETS))


def bucket_of(source: int, port: int = 0) -> int:
    """The bucket of a client by its address, given folded, and its port if that counts."""
    return hash_32(source + port, BITS)


def further_buckets(first: int) -> Iterator[int]:
    """Where *fallback* looks when the real server of this bucket can't be had."""
    for offset in range(BUCKETS):
        yield ((offset + first) % BUCKETS + first) % BUCKETS


class SourceHashing(Scheduler[C]):
    """Without *fallback*, connections of a real server that can't be had are refused."""

    name = "sh"

    def pick(self, flow: Flow) -> C | None:
        places = table([candidate.weight for candidate in self._candidates])
        if not places:
            return None
        first = bucket_of(fold(flow.source), flow.source_port if self.flags & PORT else 0)
        further = further_buckets(first) if self.flags & FALLBACK else ()
        found = (self._candidates[places[bucket]] for bucket in chain([first], further))
        return next(filter(usable, found), None)
