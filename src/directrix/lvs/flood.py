"""A flood as the table tells of it: whether there is one, and what it did to each service.

A SYN with an invented source never completes its handshake, and would hold an entry of the table for a minute. While
the table is under flood a SYN gets none; the client's next packet, which only a client sends that has heard the real
server's answer, is let in and gets it. `bpf/flood.h` and `bpf/pressure.h` say how, docs/floods.md for whom.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from directrix.lvs.service import ServiceKey


class FloodState(enum.IntEnum):
    """The numbers are the data plane's.

    ENDING: connections are made as always again; clients whose SYN came in the flood's last seconds are still let in.
    """

    OFF = 0
    ENDING = 1
    ON = 2


@dataclass(frozen=True, slots=True)
class FloodCounts:
    """What floods did to a service since it was added.

    Attributes:
        unentered: SYNs that were sent to a real server without an entry.
        admitted: clients that came back with their second packet and got one.
        ended: half-open connections that were ended to make room.
        unentered_rate, admitted_rate: the same in the last second; 0 without a flood.
    """

    unentered: int = 0
    admitted: int = 0
    ended: int = 0
    unentered_rate: int = 0
    admitted_rate: int = 0

    @property
    def flooded(self) -> bool:
        """Whether more handshakes come to nothing at present than are completed."""
        return self.unentered_rate > 2 * self.admitted_rate


@dataclass(frozen=True, slots=True)
class Flood:
    """How the table stands.

    Attributes:
        mode: flood_defence: 0 off, 1 automatic and not active, 2 automatic and active, 3 always.
        floods: how many there were since the table was made.
        lasted: seconds that the last one has lasted so far, or lasted; None if there was none.
        over: seconds since it ended; None if it goes on, or if there was none.
        services: by key, of all services.
    """

    mode: int
    state: FloodState = FloodState.OFF
    floods: int = 0
    lasted: float | None = None
    over: float | None = None
    services: Mapping[ServiceKey, FloodCounts] = field(default_factory=dict)

    @property
    def on(self) -> bool:
        """Whether SYNs get no entry at present."""
        return self.state is FloodState.ON


NO_FLOOD = Flood(1)
"""A table that never saw one, and that is on its guard."""
