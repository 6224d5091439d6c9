"""Floods as the data plane counts them, and what it would do in one: `bpf/flood.h`, seen from user space."""

from __future__ import annotations

import time
from collections.abc import Sequence

from directrix.lvs import Address, ServiceKey
from directrix.lvs.flood import Flood, FloodCounts, FloodState
from directrix.scheduling import by_hash
from directrix.table.xdp import layout, sysctls
from directrix.table.xdp.keys import key_from
from directrix.table.xdp.maps import Maps

_FLOOD, _FLOODING, _SERVICE = layout.FLOOD, layout.FLOODING, layout.SERVICE
_SECOND = 1e9
_MASK64 = by_hash.MASK64
_PIECES = 56


class Floods:
    """Reads what floods did. Who starts a service afresh holds the table's lock."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def state(self) -> FloodState:
        """Whether there is one."""
        return FloodState(layout.FRONT.get(self._maps.front.bytes, 0, "flood"))

    def report(self, services: Sequence[int]) -> Flood:
        """Everything there is to tell, of these services by number."""
        state = self.state()
        shared = self._maps.flooding.bytes
        began, ended, floods = (_FLOODING.get(shared, 0, name) for name in ("began", "ended", "floods"))
        lasted = over = None
        if floods:
            now = time.monotonic_ns()
            until = now if state is FloodState.ON else ended
            lasted = max(until - began, 0) / _SECOND
            over = None if state is FloodState.ON else max(now - ended, 0) / _SECOND
        return Flood(
            mode=sysctls.number(self._maps.front.bytes, "flood_defence"),
            state=state,
            floods=floods,
            lasted=lasted,
            over=over,
            services={self._key(number): self._counts(number, state) for number in services},
        )

    def _key(self, number: int) -> ServiceKey:
        start = number * _SERVICE.size + _SERVICE.offsets["key"]
        return key_from(bytes(self._maps.services.bytes[start : start + layout.SERVICE_KEY.size]))

    def _counts(self, number: int, state: FloodState) -> FloodCounts:
        raw = _FLOOD.whole.unpack_from(self._maps.floods.bytes, number * _FLOOD.size)
        place = _FLOOD.places
        names = ["unentered", "admitted", "ended"]
        if state is not FloodState.OFF:
            names += ["rate_unentered", "rate_admitted"]
        return FloodCounts(*(raw[place[name]] for name in names))

    def service_starts(self, number: int) -> None:
        """A number is given to another service."""
        start = number * _FLOOD.size
        self._maps.floods.bytes[start : start + _FLOOD.size] = bytes(_FLOOD.size)

    # What the data plane would do.

    def knows(self, flow: int) -> bool:
        """Whether the sketch knows the connection of this flow_hash()."""
        epoch = _FLOODING.get(self._maps.flooding.bytes, 0, "epoch")
        return any(self._knows_in(flow, one) for one in (epoch, epoch - 1))

    def _knows_in(self, flow: int, epoch: int) -> bool:
        place = (epoch & 1) << layout.SKETCH_BITS | flow >> 18 & (1 << layout.SKETCH_BITS) - 1
        word = int.from_bytes(self._maps.sketch.bytes[place * 8 : place * 8 + 8], "little")
        mask = 0
        for shift in (0, 6, 12):
            mask |= 1 << ((flow >> shift & 63) * _PIECES >> 6)
        return word >> _PIECES == epoch & 0xFF and word & mask == mask

    def client_hash(self, number: int, client: Address) -> int:
        """client_hash(): what stands for a persistent client of this service."""
        seed = int.from_bytes(self._maps.parameter_bytes("seed")[:8], "little")
        start = number * _SERVICE.size + _SERVICE.offsets["mask"]
        mask = self._maps.services.bytes[start : start + 16].cast("I")
        words = memoryview(client.packed.ljust(16, b"\0")).cast("I")
        found = (number + seed) * by_hash.PRIME & _MASK64
        found = (found ^ (words[0] & mask[0])) * by_hash.PRIME & _MASK64
        if client.version == 6:
            for place in range(1, 4):
                found = (found ^ found >> 32 ^ (words[place] & mask[place])) * by_hash.PRIME & _MASK64
        return found ^ found >> 32

    def pick(self, unit: int, hash_: int) -> int | None:
        """flood_pick(): the number of the real server that a hash stands for in the set that begins at this unit."""
        count = layout.SERVER_SET.get(self._maps.sets.bytes, unit * layout.SET_UNIT_SIZE, "count") if unit else 0
        if not count:
            return None
        units = -(-count // layout.SET_UNIT_ENTRIES)
        first = ((hash_ & 0xFFFFFFFF) * count >> 32) // layout.SET_UNIT_ENTRIES
        for step in range(units):
            found = by_hash.pick(hash_, self._usable(unit, (first + step) % units, count))
            if found is not None:
                return found
        return None

    def _usable(self, unit: int, place: int, count: int) -> list[tuple[int, int]]:
        """Number and weight of the servers in a unit of a set that connections may go to, oldest first."""
        start = (unit + 1 + place) * layout.SET_UNIT_SIZE
        there = min(count - place * layout.SET_UNIT_ENTRIES, layout.SET_UNIT_ENTRIES)
        entries = layout.SET_ENTRY.whole.iter_unpack(
            self._maps.sets.bytes[start : start + there * layout.SET_ENTRY.size]
        )
        return [(number, weight) for number, weight in reversed(list(entries)) if weight and self._open(number)]

    def _open(self, server: int) -> bool:
        return not layout.SERVER.get(self._maps.servers.bytes, server * layout.SERVER.size, "overload")
