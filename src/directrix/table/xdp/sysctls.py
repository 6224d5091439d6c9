"""Sysctls as they lie in the front of the table, `struct sysctls` of `bpf/table.h`.

Each is one store of four aligned bytes, so packets see the old value or the new one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from directrix.lvs.sysctls import SYSCTLS, SysctlValue
from directrix.table.xdp import layout
from directrix.table.xdp.clock import Ticks

_PAIR = struct.Struct("=ii")
_START = layout.FRONT.offsets["sysctl"]
_IN_TICKS = ("lblc_expiration", "lblcr_expiration")
"""Fields of the front, too: a scheduler has no time to convert seconds."""


def read(front: memoryview) -> dict[str, SysctlValue]:
    """The values in a front."""
    found: dict[str, SysctlValue] = {}
    for name, known in SYSCTLS.items():
        at = _START + layout.SYSCTLS.offsets[name]
        one, other = _PAIR.unpack_from(front, at) if isinstance(known.default, tuple) else (number(front, name), 0)
        found[name] = (one, other) if isinstance(known.default, tuple) else one
    return found


def number(front: memoryview, name: str) -> int:
    """The value of one that is a single number."""
    return layout.SYSCTLS.get(front, _START, name)


def write(front: memoryview, values: Mapping[str, SysctlValue], ticks: Ticks) -> None:
    """Store values, which must have been checked, and what the data plane has in ticks of them."""
    for name, value in values.items():
        if name in _IN_TICKS and isinstance(value, int):
            at = layout.FRONT.offsets[name]
            front[at : at + 4].cast("I")[0] = min(ticks.from_seconds(value), 0xFFFFFFFF)
        at = _START + layout.SYSCTLS.offsets[name]
        for place, part in enumerate(value if isinstance(value, tuple) else (value,)):
            front[at + 4 * place : at + 4 * place + 4].cast("i")[0] = part
        if name == "drop_packet":
            set_guard(front, layout.GUARD_DROP_PACKET, up=value != 0)


def set_guard(front: memoryview, guard: int, *, up: bool) -> None:
    """Have new connections asked what this guard (layout.GUARD_…) wants to know, or no longer."""
    at = layout.FRONT.offsets["guards"]
    word = front[at : at + 4].cast("I")
    word[0] = word[0] | guard if up else word[0] & ~guard
