"""What `lblc` and `lblcr` remember: by destination address, which real servers have its content.

The cache is a table of 1,024 chains. Once a minute it is *collected*, as IPVS does by a timer:

- every 30th minute, entries unused for longer than the expiration (a day) go;
- in the minutes between, only if there are more entries than 16,384, those unused for six minutes
  go, chain after chain from where the last such collection ended, until enough have gone.

A minute in which entries were too many does not count among the 30. Here the first look at the
cache starts the clock, and each later one first does the collections that were due since.
"""

from __future__ import annotations

import math
from typing import Generic, Protocol, TypeVar

from directrix.lvs import Address
from directrix.scheduling.hashing import fold, hash_32

BITS = 10
CHAINS = 1 << BITS

MOST_ENTRIES = 16 * CHAINS
"""With more entries than this, collections of unused ones begin."""

FULL = MOST_ENTRIES * 3 // 2
"""With so many entries no more are taken in."""

INTERVAL = 60.0
"""Seconds between two collections."""

FULL_CHECK = 30
"""Which collection looks at the expiration."""

UNUSED = 360.0
"""Seconds after which an entry may go if there are too many."""

EXPIRATION = 86400.0
"""Seconds after which an unused entry goes: IPVS's default of `lblc_expiration` and `lblcr_expiration`."""


class Entry(Protocol):
    """What is remembered of an address; `last_use` is when that was last of use, in seconds."""

    last_use: float


E = TypeVar("E", bound=Entry)


class LocalityCache(Generic[E]):
    """Entries by address. Times are those of `Flow.now`.

    Attributes:
        expiration: seconds after which an unused entry goes.
    """

    def __init__(self, expiration: float = EXPIRATION) -> None:
        self.expiration = expiration
        self._chains: list[dict[Address, E]] = [{} for _ in range(CHAINS)]
        self._count = 0
        self._next_collection = math.inf
        self._quiet_minutes = 1
        self._rover = 0

    def __len__(self) -> int:
        return self._count

    def find(self, address: Address, now: float) -> E | None:
        """The entry of an address, which is of use now."""
        if self._next_collection == math.inf:
            self._next_collection = now + INTERVAL
        while self._next_collection <= now:
            self._collect(self._next_collection)
            self._next_collection += INTERVAL
        entry = self._chain(address).get(address)
        if entry is not None:
            entry.last_use = now
        return entry

    def peek(self, address: Address) -> E | None:
        """The entry of an address, of use or not."""
        return self._chain(address).get(address)

    def put(self, address: Address, entry: E) -> None:
        """Remember this of an address, instead of what was; a full cache takes in no new address."""
        chain = self._chain(address)
        if address not in chain:
            if self._count >= FULL:
                return
            self._count += 1
        chain[address] = entry

    def _chain(self, address: Address) -> dict[Address, E]:
        return self._chains[hash_32(fold(address), BITS)]

    def _collect(self, now: float) -> None:
        if self._quiet_minutes == FULL_CHECK:
            self._quiet_minutes = 1
            for chain in self._chains:
                self._drop_unused(chain, now - self.expiration)
        elif self._count <= MOST_ENTRIES:
            self._quiet_minutes += 1
        else:
            self._make_room(now)

    def _make_room(self, now: float) -> None:
        goal = min((self._count - MOST_ENTRIES) * 4 // 3, MOST_ENTRIES // 2)
        for _ in range(CHAINS):
            self._rover = (self._rover + 1) % CHAINS
            goal -= self._drop_unused(self._chains[self._rover], now - UNUSED)
            if goal <= 0:
                return

    def _drop_unused(self, chain: dict[Address, E], since: float) -> int:
        unused = [address for address, entry in chain.items() if entry.last_use <= since]
        for address in unused:
            del chain[address]
        self._count -= len(unused)
        return len(unused)
