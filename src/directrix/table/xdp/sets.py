"""Sets of real servers, as packets see them.

A set is a run of units in the `sets` array: a header, then the servers newest first, then, for
schedulers that choose by hash, their table. It is never
changed once a service points to it. A change writes a new set elsewhere and stores its number in
the service; room is taken round the array, so that one given back is not written again for a long
time after the last packet left it.
"""

from __future__ import annotations

import struct
from socket import ntohs

from directrix.lvs import Address
from directrix.lvs.errors import InvalidRequest
from directrix.table.xdp import layout
from directrix.table.xdp.draft import Draft
from directrix.table.xdp.keys import address_from
from directrix.table.xdp.maps import Maps

_ENTRY = layout.SET_ENTRY.size
_UNIT = layout.SET_UNIT_SIZE
_SERVER = layout.SERVER
_LOAD_SCHEDULERS = frozenset({"lc", "wlc", "sed", "nq", "fo", "ovf", "twos", "lblc", "lblcr"})
"""Those that remember what they found in a unit, and must hear of every change in it."""


class Sets:
    """Reads and writes sets. The caller holds the table's lock to write."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._used: bytearray | None = None

    def numbers(self, unit: int) -> list[int]:
        """The server numbers of the set that starts at `unit`, newest first; none for 0."""
        if not unit:
            return []
        shared = self._maps.sets.bytes
        count = layout.SERVER_SET.get(shared, unit * _UNIT, "count")
        start = (unit + 1) * _UNIT
        return list(shared[start : start + count * _ENTRY].cast("I")[::2])

    def read(self, unit: int, scheduler: str) -> Draft:
        """The set that starts at `unit`, to be changed; an empty one for 0."""
        draft = Draft(scheduler, [], [], layout.CURSOR_AT_HEAD)
        if unit:
            shared = self._maps.sets.bytes
            count = layout.SERVER_SET.get(shared, unit * _UNIT, "count")
            cursor = layout.SERVER_SET.get(shared, unit * _UNIT, "cursor")
            start = (unit + 1) * _UNIT
            pairs = shared[start : start + count * _ENTRY].cast("I")
            draft = Draft(scheduler, list(pairs[::2])[::-1], list(pairs[1::2])[::-1], cursor)
        return draft

    def forget(self) -> None:
        """Somebody else may have changed the table: look again what is in use."""
        self._used = None

    def write(self, draft: Draft, flags: int, epoch: int) -> int:
        """Write a set where no packet looks; answers its first unit, 0 for an empty set.

        Args:
            draft: the real servers and the scheduler.
            flags: the scheduler's.
            epoch: what tells this scheduler's memories from those of all others.

        Raises:
            InvalidRequest: there is no room.
        """
        count = len(draft.numbers)
        if not count:
            return 0
        entry_units = -(-count * _ENTRY // _UNIT)
        table = self._hash_table(draft)
        units = 1 + entry_units + -(-len(table) * 2 // _UNIT)
        unit = self._room(units)
        shared = self._maps.sets.bytes
        layout.SERVER_SET.pack_into(
            shared,
            unit * _UNIT,
            count=count,
            units=units,
            gcd=draft.gcd,
            max_weight=draft.top,
            cursor=draft.cursor,
            scheduler=layout.SCHEDULERS.index(draft.scheduler),
            flags=flags,
            epoch=epoch,
        )
        pairs = [0] * (2 * count)
        pairs[::2], pairs[1::2] = draft.numbers[::-1], draft.weights[::-1]
        struct.pack_into(f"={2 * count}I", shared, (unit + 1) * _UNIT, *pairs)
        struct.pack_into(f"={len(table)}H", shared, (unit + 1 + entry_units) * _UNIT, *table)
        self._watch(draft, unit + 1, entry_units)
        return unit

    def _hash_table(self, draft: Draft) -> list[int]:
        if draft.scheduler not in ("dh", "sh", "mh"):
            return []
        from directrix.table.xdp import hash_tables  # listings start quicker without it

        def servers() -> list[tuple[Address, int, int]]:
            return [self._hashed(number) for number in reversed(draft.numbers)]

        return hash_tables.table(draft.scheduler, draft.weights[::-1], servers)

    def _hashed(self, number: int) -> tuple[Address, int, int]:
        raw = _SERVER.whole.unpack_from(self._maps.servers.bytes, number * _SERVER.size)
        place = _SERVER.places
        address = address_from(raw[place["address"]], raw[place["family"]])
        return address, ntohs(raw[place["port"]]), raw[place["last_weight"]]

    def _watch(self, draft: Draft, first: int, units: int) -> None:
        """Have what schedulers remember of units that were written forgotten, and of servers whose load changes."""
        asks = draft.scheduler in _LOAD_SCHEDULERS
        if asks:
            words, step = self._maps.summaries.words, layout.SUMMARY.size // 4
            version = layout.SUMMARY.offsets["version"] // 4
            for unit in range(first, first + units):
                words[unit * step + version] = words[unit * step + version] + 1 & 0xFFFFFFFF
        words, step = self._maps.servers.words, _SERVER.size // 4
        field, last = _SERVER.offsets["unit"] // 4, len(draft.numbers) - 1
        for index, number in enumerate(draft.numbers):
            words[number * step + field] = first + (last - index) // layout.SET_UNIT_ENTRIES if asks else 0

    def free(self, unit: int) -> None:
        """Give a set's room back once no service points to it."""
        if unit and self._used is not None:
            units = layout.SERVER_SET.get(self._maps.sets.bytes, unit * _UNIT, "units")
            self._used[unit : unit + units] = bytes(units)

    def _room(self, units: int) -> int:
        if self._used is None:
            self._used = self._find_used()
        front = self._maps.front.bytes
        wanted = bytes(units)
        unit = self._used.find(wanted, layout.FRONT.get(front, 0, "set_cursor"))
        if unit < 0:
            unit = self._used.find(wanted, 1)
        if unit < 0:
            raise InvalidRequest("the table has no room for so many real servers")
        self._used[unit : unit + units] = b"\1" * units
        layout.FRONT.pack_into(front, 0, set_cursor=unit + units)
        return unit

    def _find_used(self) -> bytearray:
        used = bytearray(layout.MAX_SET_UNITS)
        used[0] = 1
        services, sets = self._maps.services.bytes, self._maps.sets.bytes
        for number in range(layout.FRONT.get(self._maps.front.bytes, 0, "service_top")):
            base = number * layout.SERVICE.size
            unit = layout.SERVICE.get(services, base, "set")
            if unit and layout.SERVICE.get(services, base, "in_use"):
                units = layout.SERVER_SET.get(sets, unit * _UNIT, "units")
                used[unit : unit + units] = b"\1" * units
        return used
