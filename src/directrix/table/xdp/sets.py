"""Sets of real servers, as packets see them.

A set is a run of units in the `sets` array: a header, then the servers newest first. It is never
changed once a service points to it. A change writes a new set elsewhere and stores its number in
the service; room is taken round the array, so that one given back is not written again for a long
time after the last packet left it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from directrix.lvs.errors import InvalidRequest
from directrix.table.xdp import layout
from directrix.table.xdp.maps import Maps

_ENTRY = layout.SET_ENTRY.size
_UNIT = layout.SET_UNIT_SIZE
_HEAD = layout.CURSOR_AT_HEAD


@dataclass(frozen=True, slots=True)
class ServerSet:
    """A set's content. `entries` are struct set_entry, newest first; `cursor` the scheduler's position."""

    entries: bytes = b""
    cursor: int = _HEAD

    @property
    def numbers(self) -> list[int]:
        """The server numbers, newest first."""
        return list(memoryview(self.entries).cast("I")[::2])

    @property
    def weights(self) -> list[int]:
        """The weights in the same order."""
        return list(memoryview(self.entries).cast("I")[1::2])


def _units_for(entries: bytes) -> int:
    return 1 + -(-len(entries) // _UNIT)


class Sets:
    """Reads and writes sets. The caller holds the table's lock to write."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._used: bytearray | None = None

    def read(self, unit: int) -> ServerSet:
        """The set that starts at `unit`; an empty one for 0."""
        if not unit:
            return ServerSet()
        shared = self._maps.sets.bytes
        count, _, _, _, cursor, _ = layout.SERVER_SET.whole.unpack_from(shared, unit * _UNIT)
        start = (unit + 1) * _UNIT
        return ServerSet(bytes(shared[start : start + count * _ENTRY]), cursor)

    def forget(self) -> None:
        """Somebody else may have changed the table: look again what is in use."""
        self._used = None

    def write(self, content: ServerSet) -> int:
        """Write a set where no packet looks; answers its first unit, 0 for an empty set.

        Raises:
            InvalidRequest: there is no room.
        """
        if not content.entries:
            return 0
        units = _units_for(content.entries)
        unit = self._room(units)
        weights = [weight for weight in content.weights if weight > 0]
        gcd = math.gcd(*weights) or 1
        top = max(weights, default=0)
        shared = self._maps.sets.bytes
        layout.SERVER_SET.whole.pack_into(
            shared,
            unit * _UNIT,
            len(content.entries) // _ENTRY,
            units,
            gcd,
            top - (gcd - 1) if top else 0,
            content.cursor,
            bytes(104),
        )
        start = (unit + 1) * _UNIT
        shared[start : start + len(content.entries)] = content.entries
        return unit

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


# What a change of the list does to the scheduler's position, as IPVS has it.


def fresh_cursor(scheduler: str, entries: bytes) -> int:
    """The position of a scheduler that has just been put in charge."""
    return _wrr_cursor(0, entries) if scheduler == "wrr" else _HEAD


def _wrr_cursor(level: int, entries: bytes) -> int:
    weights = [weight for weight in memoryview(entries).cast("I")[1::2] if weight > 0]
    step = math.gcd(*weights) or 1
    top = max(weights, default=0)
    top = top - (step - 1) if top else 0
    if level > top or not level:
        level = top
    elif step > 1:
        level = level // step * step + 1
    return level << 32 | _HEAD


def cursor_after_add(scheduler: str, cursor: int, entries: bytes) -> int:
    """A server was put at the head of the list: `entries` is the list with it."""
    if scheduler == "wrr":
        return _wrr_cursor(cursor >> 32, entries)
    return cursor if cursor == _HEAD else cursor + 1


def cursor_after_edit(scheduler: str, cursor: int, entries: bytes) -> int:
    """A server's weight changed."""
    return _wrr_cursor(cursor >> 32, entries) if scheduler == "wrr" else cursor


def cursor_after_delete(scheduler: str, cursor: int, entries: bytes, place: int) -> int:
    """The server at `place` was taken out: round robin steps back to the one before it."""
    if scheduler == "wrr":
        return _wrr_cursor(cursor >> 32, entries)
    if cursor == _HEAD or cursor < place:
        return cursor
    return cursor - 1 if cursor else _HEAD
