"""Handshakes of clients with one real server, as they are counted."""

from __future__ import annotations

import math

from directrix.lvs.handshakes import OCTAVES, SPACING, TIMED, Handshakes, half_open, octave
from directrix.lvs.sctp import SctpState
from directrix.lvs.tcp import TcpState

_FRACTION = 10
_OPEN = (TcpState.ESTABLISHED, SctpState.ESTABLISHED)


class HandshakeCounts:
    """What `Handshakes` shows, and how it comes about. Averages are IPVS's, as those of connections."""

    __slots__ = ("_averages", "_last", "begun", "completed", "failed", "times")

    def __init__(self) -> None:
        self.begun = self.completed = self.failed = 0
        self.times = [0] * OCTAVES
        self._last = [0, 0]
        self._averages = [0, 0]

    def moved(self, before: TcpState | SctpState, after: TcpState | SctpState, begun: float, now: float) -> float:
        """A connection went from one state to another; returns when its handshake began, infinity if it isn't timed."""
        if half_open(before) == half_open(after):
            return begun
        if half_open(after):
            timed = self.begun - self._last[0] < TIMED or self.begun % SPACING == 0
            self.begun += 1
            return now if timed else math.inf
        if after in _OPEN:
            self.completed += 1
            if begun < math.inf:
                self.times[octave(now - begun)] += 1
        else:
            self.failed += 1
        return begun

    def tick(self) -> None:
        """The estimator's turn, every two seconds."""
        for i, count in enumerate((self.begun, self.completed)):
            rate = (count - self._last[i]) << (_FRACTION - 1)
            self._averages[i] += (rate - self._averages[i]) >> 2
            self._last[i] = count

    def value(self) -> Handshakes:
        """What is shown."""
        begun, completed = (average / (1 << _FRACTION) for average in self._averages)
        return Handshakes(self.begun, self.completed, self.failed, begun, completed, tuple(self.times))
