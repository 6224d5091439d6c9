"""A real server as the table keeps it: what the operator said, and what goes on at it."""

from __future__ import annotations

from dataclasses import dataclass, field

from directrix.lvs import Address, RealServer, ServerState
from directrix.table.memory.handshakes import HandshakeCounts
from directrix.table.memory.statistics import Statistics


@dataclass(slots=True, eq=False)
class Destination:
    """A real server of one service.

    Outlives its service and its own removal for as long as connections refer to it: it is not
    `available` then. Schedulers see it as their Candidate. `last_weight` is its last weight above
    0 since it was added. `service_statistics` are those of the service it belongs to, or last did.
    """

    server: RealServer
    available: bool = False
    overloaded: bool = False
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    statistics: Statistics = field(default_factory=Statistics)
    service_statistics: Statistics = field(default_factory=Statistics)
    last_weight: int = 0
    handshakes: HandshakeCounts = field(default_factory=HandshakeCounts)

    @property
    def address(self) -> Address:
        return self.server.address

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def weight(self) -> int:
        return self.server.weight

    @property
    def referenced(self) -> bool:
        """Whether a connection or template still leads here."""
        return self.active + self.inactive + self.persistent > 0

    def define(self, server: RealServer) -> None:
        """Take new weight, method, thresholds and tunnel data."""
        # A higher or lifted limit makes room at once; a lower one is noticed with the next connection.
        if server.upper_threshold == 0 or server.upper_threshold > self.server.upper_threshold:
            self.overloaded = False
        self.server = server
        self.last_weight = server.weight or self.last_weight

    def reached(self) -> None:
        """A connection or template was bound here: note it if the upper threshold is reached."""
        upper = self.server.upper_threshold
        if upper and self.active + self.inactive >= upper:
            self.overloaded = True

    def relieved(self) -> None:
        """A connection or template left: below the lower threshold there is room again."""
        count = self.active + self.inactive
        upper, lower = self.server.upper_threshold, self.server.lower_threshold
        if lower:
            below = count < lower
        elif upper:
            below = count * 4 < upper * 3
        else:
            below = True
        if below:
            self.overloaded = False

    def state(self) -> ServerState:
        """What a listing shows."""
        return ServerState(
            self.server,
            self.active,
            self.inactive,
            self.persistent,
            self.statistics.counters,
            self.statistics.rates,
        )
