"""Budgets of services as they lie in the table: `struct budget` of `bpf/table.h`, at the service's number."""

from __future__ import annotations

import time
from collections.abc import Sequence

from directrix.lvs import Address
from directrix.lvs.budget import Budget, BudgetState, Rate
from directrix.table.xdp import layout, sysctls
from directrix.table.xdp.maps import Maps

_BUDGET = layout.BUDGET
_NS = 1_000_000_000
_UNIT = 1 << layout.BUDGET_SHIFT
_P = _BUDGET.places
_MASK64 = 0xFFFFFFFFFFFFFFFF
_CELL_TIME_BITS = 40
_CELL_TIME = (1 << _CELL_TIME_BITS) - 1


class Budgets:
    """Reads and writes budgets. The caller holds the table's lock to change any."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def state(self, number: int) -> BudgetState | None:
        """The budget of a service; None if it has none."""
        raw = _BUDGET.whole.unpack_from(self._maps.budgets.bytes, number * _BUDGET.size)
        if not raw[_P["in_force"]]:
            return None
        service, source = (
            Rate(raw[_P[f"{whose}rate"]], raw[_P[f"{whose}period"]], raw[_P[f"{whose}most"]])
            if raw[_P[f"{whose}rate"]]
            else None
            for whose in ("", "source_")
        )
        budget = Budget(service, source, raw[_P["prefix4"]], raw[_P["prefix6"]])
        left = None
        if service is not None:
            ahead = max(raw[_P["full"]] - time.monotonic_ns(), 0)
            left = (raw[_P["burst"]] - ahead) // raw[_P["interval"]]
        return BudgetState(budget, raw[_P["over"]], raw[_P["source_over"]], left)

    def source_left(self, number: int, client: Address) -> int | None:
        """How many connections the source of a client may open at once; None if the service has no such budget."""
        raw = _BUDGET.whole.unpack_from(self._maps.budgets.bytes, number * _BUDGET.size)
        if not raw[_P["in_force"]] or not raw[_P["source_interval"]]:
            return None
        hash_ = self._source_hash(raw[_P["in_force"]], client, raw[_P["mask4"]], raw[_P["mask6"]])
        now = time.monotonic_ns() >> layout.BUDGET_SHIFT & _CELL_TIME
        line = hash_ & (1 << layout.BUDGET_LINE_BITS) - 1
        cells = layout.SOURCE_LINE.whole.unpack_from(self._maps.sources.bytes, line * layout.SOURCE_LINE.size)[0]
        ahead = 0
        for cell in memoryview(cells).cast("Q"):
            if cell >> _CELL_TIME_BITS == hash_ >> _CELL_TIME_BITS:
                ahead = (cell - now) & _CELL_TIME
                ahead = 0 if ahead >> _CELL_TIME_BITS - 1 else ahead
        return int((raw[_P["source_burst"]] - ahead) // raw[_P["source_interval"]])

    def _source_hash(self, in_force: int, client: Address, mask4: int, mask6: bytes) -> int:
        """source_hash() in budget.h."""
        seed = int.from_bytes(self._maps.parameter_bytes("seed")[8:], "little")
        found = (in_force + seed) * layout.INDEX_PRIME & _MASK64
        words = memoryview(client.packed).cast("I")
        if client.version == 4:
            found ^= words[0] & mask4
        else:
            for word, mask in zip(words, memoryview(mask6).cast("I"), strict=True):
                found = (found ^ (word & mask)) * layout.INDEX_PRIME & _MASK64
                found ^= found >> 32
        found = (found ^ found >> 32) * 0xD6E8FEB86659FD93 & _MASK64
        return found ^ found >> 29

    def put(self, number: int, budget: Budget, generation: int) -> None:
        """Give a service a budget, in place of the one it has. `generation`: a number no other one ever had."""
        start = number * _BUDGET.size
        shared = self._maps.budgets.bytes
        self.remove(number)  # no packet sees half of each
        values: dict[str, int | bytes] = {
            "mask4": int.from_bytes(_mask(budget.prefix4, 32), "little"),
            "mask6": _mask(budget.prefix6, 128),
            "prefix4": budget.prefix4,
            "prefix6": budget.prefix6,
        }
        for whose, rate, unit in (("", budget.service, 1), ("source_", budget.source, _UNIT)):
            if rate is not None:
                interval = max(round(rate.interval * _NS / unit), 1)
                values |= {
                    f"{whose}interval": interval,
                    f"{whose}burst": interval * rate.burst,
                    f"{whose}rate": rate.count,
                    f"{whose}period": rate.period,
                    f"{whose}most": rate.burst,
                }
        _BUDGET.pack_into(shared, start, **values)
        _BUDGET.pack_into(shared, start, in_force=generation)

    def remove(self, number: int) -> bool:
        """Let a service's clients take what they like. Answers whether it had a budget."""
        start = number * _BUDGET.size
        shared = self._maps.budgets.bytes
        had = bool(_BUDGET.get(shared, start, "in_force"))
        if had:
            _BUDGET.pack_into(shared, start, in_force=0)
            shared[start : start + _BUDGET.size] = bytes(_BUDGET.size)
        return had

    def settle(self, services: Sequence[int]) -> None:
        """Have new connections asked about budgets if any of these services has one."""
        shared = self._maps.budgets.bytes
        some = any(_BUDGET.get(shared, number * _BUDGET.size, "in_force") for number in services)
        sysctls.set_guard(self._maps.front.bytes, layout.GUARD_BUDGETS, up=some)


def _mask(prefix: int, bits: int) -> bytes:
    """A prefix as the bytes that a client's address is and-ed with."""
    return (((1 << prefix) - 1) << (bits - prefix)).to_bytes(bits // 8, "big")
