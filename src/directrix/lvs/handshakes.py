"""Handshakes of clients with a real server: what the director sees of a real server's health without asking it.

A connection is half-open from a client's SYN (SCTP: INIT) until the client's next packet opens it, which a client
sends only after the real server's answer. So even in direct routing, where answers pass the director by, it knows how
many connections complete, and the time from SYN to ACK: the real server's time, and the way from the director through
it to the client and back.

Times are kept as a histogram of octaves, each twice as long as the one before: a quantile is right to within its
octave.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from directrix.lvs.sctp import SctpState
from directrix.lvs.tcp import TcpState

CLOCK_SHIFT = 10
"""Times are counted in units of so many bits of nanoseconds: 1.024 µs."""

FIRST_SHIFT = 3
"""An octave's least time is 2 to the power of its number and of this, in units; the first one's is 0."""

OCTAVES = 24
"""How many octaves there are. The last one holds everything above 68 seconds."""

TIMED = 128
"""How many of a server's handshakes are timed in any case between two turns of the estimator."""

SPACING = 64
"""Of those that follow, one in so many is."""

UNIT = (1 << CLOCK_SHIFT) / 1e9
"""Seconds in a unit."""

MEMORY = 8.0
"""Seconds of steady traffic that the recent averages stand for: IPVS's estimator, a quarter new every two seconds."""


def half_open(state: TcpState | SctpState) -> bool:
    """Whether a client in this state has knocked and not come in yet.

    SYN_RECV is what INPUT_ONLY makes of a SYN, SYNACK what SECURE_INPUT_ONLY does.
    """
    if isinstance(state, TcpState):
        return state in (TcpState.SYN_RECV, TcpState.SYNACK)
    return SctpState.NONE < state < SctpState.ESTABLISHED


def octave(seconds: float) -> int:
    """Which octave a time belongs to."""
    return min(max((int(seconds / UNIT) >> FIRST_SHIFT).bit_length() - 1, 0), OCTAVES - 1)


def bounds(number: int) -> tuple[float, float]:
    """From where to where an octave goes, in seconds."""
    most = UNIT * (1 << FIRST_SHIFT + number + 1)
    return (0.0 if number == 0 else most / 2), most


@dataclass(frozen=True, slots=True)
class Handshakes:
    """Handshakes with a real server since it was added; or the sum of several servers'.

    The recent figures are averages a second, of about the last MEMORY seconds. `times` counts completed ones by octave:
    of those begun between two turns of the estimator the first TIMED, then every SPACING-th.
    """

    begun: int = 0
    completed: int = 0
    failed: int = 0
    recent_begun: float = 0.0
    recent_completed: float = 0.0
    times: tuple[int, ...] = (0,) * OCTAVES

    @property
    def half_open(self) -> int:
        """Those that have neither completed nor failed yet."""
        return max(self.begun - self.completed - self.failed, 0)

    @property
    def share(self) -> float | None:
        """The share of the finished ones that completed; None if there are none."""
        finished = self.completed + self.failed
        return self.completed / finished if finished else None

    @property
    def sample(self) -> float:
        """How many connections the recent share is about, older ones counting less."""
        return self.recent_begun * MEMORY

    @property
    def recent_share(self) -> float | None:
        """The share of the recent ones that completed; None if there are none.

        One that never completes counts at once, not only when it has expired a minute later.
        """
        return min(self.recent_completed / self.recent_begun, 1.0) if self.recent_begun else None

    def quantile(self, part: float) -> float | None:
        """The time in seconds that this part of the timed handshakes took at most; None if there are none."""
        rank = part * sum(self.times)
        if not any(self.times):
            return None
        for number, count in enumerate(self.times):
            if count and rank <= count:
                least, most = bounds(number)
                inside = rank / count
                return most * inside if least == 0 else least * math.pow(most / least, inside)
            rank -= count
        return bounds(max(number for number, count in enumerate(self.times) if count))[1]


def together(several: Iterable[Handshakes]) -> Handshakes:
    """The handshakes of several real servers as one's."""
    found = list(several)
    return Handshakes(
        sum(one.begun for one in found),
        sum(one.completed for one in found),
        sum(one.failed for one in found),
        sum(one.recent_begun for one in found),
        sum(one.recent_completed for one in found),
        tuple(sum(column) for column in zip(*(one.times for one in found), strict=True)) or (0,) * OCTAVES,
    )
