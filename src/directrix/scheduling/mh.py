"""Maglev hashing: by the client's address, from a table that changes little when servers come and go.

Every real server has an order of its own in which it would like the slots of the table: from a
start, in steps of a width, both hashed from its address and port. Since the number of slots is
prime, every width leads through all of them. The table is filled in rounds: in each, every real
server takes as many slots as it has turns, each time the next in its order that is still free.
So most slots keep their real server when another is added or removed.

What counts is a real server's last weight above 0: to quiesce one changes no slot of the table.
The flags *fallback* and *port* are those of `sh`.

Source: the Maglev paper (NSDI 2016), and IPVS's sizes and hash.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain

from directrix.lvs import Address
from directrix.lvs.errors import InvalidRequest
from directrix.scheduling.hashing import fold, siphash
from directrix.scheduling.scheduler import FALLBACK, PORT, C, Flow, Scheduler, usable

SLOTS = 4093
"""Size of the table, a prime: what Linux is configured with unless somebody changed it."""

WEIGHT_BITS = 6
"""A real server has less than 2 to the power of this turns in a round."""

_KEY = 2654435761
_KEY_OF_STEP = 2654446892


def check_room(servers: int) -> None:
    """See whether a service with so many real servers can have this scheduler.

    Raises:
        InvalidRequest: there are more than slots.
    """
    if servers > SLOTS:
        raise InvalidRequest(f"Maglev hashing has slots for {SLOTS:,} real servers, not for {servers:,}")


def table(servers: Sequence[tuple[Address, int, int]]) -> list[int]:
    """The place in the list that each slot stands for.

    Args:
        servers: address, port and last weight of each real server in list order, no more of them
            than there are slots. Those that never had a weight take no part; empty if all are such.
    """
    orders = [_order(address, port) for address, port, _ in servers]
    turns = _turns([weight for _, _, weight in servers])
    if not any(turns):
        return []
    # Only who takes part has a say in who has to be visited, round after round.
    visited = [place for place, count in enumerate(turns) for _ in range(count)]
    slots = [-1] * SLOTS
    free = SLOTS
    while True:
        for place in visited:
            slot, step = orders[place]
            while slots[slot] >= 0:
                slot = (slot + step) % SLOTS
            slots[slot] = place
            orders[place] = slot, step
            free -= 1
            if not free:
                return slots


def _order(address: Address, port: int) -> tuple[int, int]:
    """Where a real server starts to take slots, and how far it steps to the next."""
    number = fold(address) + port
    return siphash(_KEY, number) % SLOTS, siphash(_KEY_OF_STEP, number) % (SLOTS - 1) + 1


def _turns(weights: Sequence[int]) -> list[int]:
    """How many slots each takes in a round: its weight, divided and shifted to fit."""
    divisor = math.gcd(*weights)
    if not divisor:
        return [0] * len(weights)
    shift = max((max(weights) // divisor).bit_length() - WEIGHT_BITS, 0)
    return [max(weight // divisor >> shift, min(weight, 1)) for weight in weights]


def slot_of(source: int, port: int = 0) -> int:
    """The slot of a client by its address, given folded, and its port if that counts."""
    return siphash(_KEY, source + port) % SLOTS


def further_slots(first: int, source: int, port: int = 0) -> Iterator[int]:
    """Where *fallback* looks when the real server of the client's slot can't be had."""
    for offset in range(SLOTS):
        yield slot_of((offset + first) % SLOTS + source, port)


class MaglevHashing(Scheduler[C]):
    """Without *fallback*, connections of a real server that can't be had are refused.

    Raises:
        InvalidRequest: the list has more real servers than the table has slots.
    """

    name = "mh"

    def __init__(self, candidates: Sequence[C]) -> None:
        super().__init__(candidates)
        check_room(len(candidates))
        self._slots: list[C] | None = None

    def pick(self, flow: Flow) -> C | None:
        if self._slots is None:
            self._slots = self._filled(self._candidates)
        if not self._slots:
            return None
        source, port = fold(flow.source), flow.source_port if self.flags & PORT else 0
        first = slot_of(source, port)
        further = further_slots(first, source, port) if self.flags & FALLBACK else ()
        found = (self._slots[slot] for slot in chain([first], further))
        return next(filter(usable, found), None)

    @staticmethod
    def _filled(candidates: Sequence[C]) -> list[C]:
        servers = [(candidate.address, candidate.port, candidate.last_weight) for candidate in candidates]
        return [candidates[place] for place in table(servers)]

    def added(self) -> None:
        """Beyond what the table can hold it stays as it was; IPVS says nothing either."""
        if self._slots is None and len(self._candidates) > SLOTS:
            self._slots = self._filled(self._candidates[1:])
        self._changed()

    def edited(self) -> None:
        self._changed()

    def removed(self, candidate: C, index: int) -> None:
        self._changed()

    def _changed(self) -> None:
        # Filled when it is asked for: a thousand real servers added one by one need one table.
        if len(self._candidates) <= SLOTS:
            self._slots = None
