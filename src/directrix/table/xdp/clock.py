"""The data plane's time: ticks of four jiffies, counted in 32 bits that wrap.

A packet gets the time by one load and one shift. At 1,000 jiffies a second the longest timeout
there is, 31 days, still is less than half of what 32 bits can tell apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from directrix.lvs import Timeouts, sctp, tcp, udp
from directrix.table.xdp import layout

_MASK = 0xFFFFFFFF
_CLOCK_MONOTONIC_COARSE = 6
_SHIFT = layout.TICK_SHIFT


def jiffies_a_second() -> int:
    """How many jiffies this kernel counts a second: its coarse clock moves by one at a time."""
    return round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))


@dataclass(frozen=True, slots=True)
class Ticks:
    """How seconds and ticks translate where there are `hertz` jiffies a second."""

    hertz: int

    def from_seconds(self, seconds: float) -> int:
        """Ticks in so many seconds."""
        return int(seconds * self.hertz) >> _SHIFT

    def to_seconds(self, ticks: int) -> float:
        """Seconds in so many ticks."""
        return (ticks << _SHIFT) / self.hertz

    def until(self, deadline: int, now: int) -> float:
        """Seconds from `now` to `deadline`, both ticks that wrap; negative if it is past."""
        difference = (deadline - now) & _MASK
        if difference > _MASK >> 1:
            difference -= _MASK + 1
        return difference * (1 << _SHIFT) / self.hertz


def current_tick(front: memoryview, ticks: Ticks) -> int:
    """The tick it is: the last one the table's clock has noted in struct front, and what has passed since."""
    passed = time.monotonic_ns() - layout.FRONT.get(front, 0, "now_ns")
    return layout.FRONT.get(front, 0, "now") + ticks.from_seconds(max(passed, 0) / 1e9) & 0xFFFFFFFF


def timeout_ticks(timeouts: Timeouts, ticks: Ticks) -> bytes:
    """front.timeout: ticks by state."""
    values = [0] * layout.STATES
    for state in tcp.TcpState:
        values[state] = ticks.from_seconds(tcp.timeout(state, timeouts))
    for sctp_state in sctp.SctpState:
        values[layout.SCTP_STATES + sctp_state] = ticks.from_seconds(sctp.timeout(sctp_state))
    values[layout.UDP_STATE] = ticks.from_seconds(udp.timeout(timeouts))
    return b"".join(value.to_bytes(4, "little") for value in values)
