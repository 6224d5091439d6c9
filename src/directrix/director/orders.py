"""What an operator may order of a real server, as values: a weight, a drain, an admission. Pure: `now` is an argument.

An order stands until another one takes its place or it is taken back; it outlives a reload, and a director that was
killed. What checks decide is none of its business: a server they have taken out is out, whatever weight it is to have.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass

from directrix.lvs.slow_start import SlowStart


def clock() -> float:
    """Seconds since the machine was started, which orders are dated by: they outlive the director, not the machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Kind(enum.StrEnum):
    """What is ordered. The value is the word in JSON."""

    WEIGHT = "weight"
    """This weight, until the order is taken back; 0 quiesces."""
    DRAIN = "drain"
    """Weight 0, and its connections watched until none is left or time is up."""
    ADMIT = "admit"
    """A weight that grows to what it shall be."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order for one real server.

    Attributes:
        kind: what is ordered.
        began: when, in seconds since the machine was started.
        weight: WEIGHT: the weight; ADMIT: what it grows to, None for what configuration and checks say.
        seconds: DRAIN: how long it may take, None for as long as it wants; ADMIT: how long it takes.
        expire: DRAIN: end what is left when time is up.
        udp_now: DRAIN: end UDP flows at once.
        leaves: DRAIN: the configuration has the server no more; it goes when nothing is left of it.
        start: ADMIT: the weight it began with.
        ended: DRAIN: how it ended, in the words of `draining.course.Stage`; empty while it goes on.
        left: DRAIN: connections that were left then, none of those that were ended.
        expired: DRAIN: connections that were ended.
    """

    kind: Kind
    began: float
    weight: int | None = None
    seconds: float | None = None
    expire: bool = False
    udp_now: bool = False
    leaves: bool = False
    start: int = 0
    ended: str = ""
    left: int = 0
    expired: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is something left to be done about it."""
        return self.kind is Kind.ADMIT or (self.kind is Kind.DRAIN and not self.ended)

    def held(self, now: float, checked: int) -> int | None:
        """The weight by this order; None for what checks say.

        Args:
            now: seconds since the machine was started.
            checked: the weight by configuration and checks.
        """
        match self.kind:
            case Kind.WEIGHT:
                return self.weight
            case Kind.DRAIN:
                return 0
            case Kind.ADMIT:
                elapsed = now - self.began
                return self.weight if self._arrived(elapsed) else self._growth(checked).weight(elapsed)

    def next_step(self, now: float, checked: int) -> float | None:
        """ADMIT: when the weight is to be set next; None: it has arrived."""
        due = self._growth(checked).next_step(now - self.began)
        return None if due is None else self.began + due

    def target(self, checked: int) -> int:
        """ADMIT: what the weight grows to."""
        return checked if self.weight is None else self.weight

    def _arrived(self, elapsed: float) -> bool:
        return elapsed >= (self.seconds or 0.0)

    def _growth(self, checked: int) -> SlowStart:
        target = self.target(checked)
        return SlowStart(target, self.seconds or 0.0, min(self.start, target))
