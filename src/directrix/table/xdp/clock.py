"""The data plane's time: ticks of some 16 ms, counted in 32 bits that wrap.

A tick is a power of two of jiffies, so that a packet gets the time by one load and one shift.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from directrix.lvs import Timeouts, tcp, udp
from directrix.table.xdp import layout

_MASK = 0xFFFFFFFF
_CLOCK_MONOTONIC_COARSE = 6
_TICK_AIM = 0.016


@dataclass(frozen=True, slots=True)
class Ticks:
    """How seconds and ticks translate: `hertz` jiffies a second, `shift` from jiffies to ticks."""

    hertz: int
    shift: int

    @classmethod
    def of_this_kernel(cls) -> Ticks:
        """From the kernel's own resolution of its coarse clock, which is one jiffy."""
        hertz = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))
        shift = 0
        while (1 << shift + 1) / hertz <= _TICK_AIM:
            shift += 1
        return cls(hertz, shift)

    def from_seconds(self, seconds: float) -> int:
        """Ticks in so many seconds."""
        return int(seconds * self.hertz) >> self.shift

    def to_seconds(self, ticks: int) -> float:
        """Seconds in so many ticks."""
        return (ticks << self.shift) / self.hertz

    def until(self, deadline: int, now: int) -> float:
        """Seconds from `now` to `deadline`, both ticks that wrap; negative if it is past."""
        difference = (deadline - now) & _MASK
        if difference > _MASK >> 1:
            difference -= _MASK + 1
        return difference * (1 << self.shift) / self.hertz


def timeout_ticks(timeouts: Timeouts, ticks: Ticks) -> bytes:
    """front.timeout: ticks by state."""
    values = [0] * layout.STATES
    for state in tcp.TcpState:
        values[state] = ticks.from_seconds(tcp.timeout(state, timeouts))
    values[layout.UDP_STATE] = ticks.from_seconds(udp.timeout(timeouts))
    return b"".join(value.to_bytes(4, "little") for value in values)
