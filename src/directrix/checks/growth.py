"""A real server's weight on its way up, by `slow_start`: when it began, and how long it takes.

The weight it grows to is none of it: configuration, agents and the operator may change that on the way, and the part
that it has come stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.slow_start import SlowStart


@dataclass(frozen=True, slots=True)
class Growth:
    """A slow start that goes on.

    Attributes:
        began: when, in seconds of the pool's clock.
        over: the seconds it takes, more than 0.
    """

    began: float
    over: float

    @property
    def ends(self) -> float:
        """When the weight has grown."""
        return self.began + self.over

    def weight(self, now: float, full: int) -> int:
        """How much of a full weight there is."""
        return SlowStart(full, self.over).weight(now - self.began)

    def next_step(self, now: float, full: int) -> float:
        """When the weight is to be set next; not after the end."""
        due = SlowStart(full, self.over).next_step(now - self.began)
        return self.ends if due is None else self.began + due

    def at_pace(self, over: float, now: float) -> Growth | None:
        """The same with another length: what has grown stays, the rest comes at the new pace. None: it is over."""
        if over == self.over:
            return self
        part = min(max(now - self.began, 0.0) / self.over, 1.0)
        return Growth(now - part * over, over) if over and part < 1.0 else None
