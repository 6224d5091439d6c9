"""The intervals of RFC 3768 section 6.1 and RFC 5798 section 6.1, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """What the timers of a backup are computed from.

    Attributes:
        version: 2 or 3.
        priority: effective, 1 to 255.
        master_interval: seconds between the master's adverts: ours in version 2, as it announced it in version 3.
        down_adverts: how many of them may be missing; 3 in the RFCs.
    """

    version: int
    priority: int
    master_interval: float
    down_adverts: int = 3

    @property
    def skew(self) -> float:
        """Skew_Time: what a router waits longer the lower its priority is."""
        unit = self.master_interval if self.version == 3 else 1.0
        return (256 - self.priority) * unit / 256

    @property
    def master_down(self) -> float:
        """Master_Down_Interval: silence that means there is no master any more."""
        return self.down_adverts * self.master_interval + self.skew
