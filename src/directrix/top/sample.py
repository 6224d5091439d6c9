"""What the view shows at a moment, and what it remembers of the moments before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from directrix.health.memory import Remembered
from directrix.health.rule import Absence, Rule, Standing, judge
from directrix.lvs import Address, Counters, Rates, ServerState, ServiceKey, ServiceState
from directrix.lvs.flood import NO_FLOOD, FloodCounts
from directrix.lvs.handshakes import Handshakes, together
from directrix.table.interface import Table
from directrix.top.routers import RouterRow

ServerId = tuple[Address, int]
RowKey = tuple[ServiceKey, ServerId | None]
"""A service, or one of its real servers."""

REMEMBERED = 240
"""Moments a sparkline can show."""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A real server. `standing` is the rule's word on it, None where handshakes are not watched."""

    state: ServerState
    handshakes: Handshakes | None = None
    standing: Standing | None = None
    absence: Absence | None = None


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service and its real servers."""

    state: ServiceState
    servers: tuple[ServerRow, ...]
    flood: FloodCounts = field(default_factory=FloodCounts)

    @property
    def handshakes(self) -> Handshakes | None:
        """Those of all its servers; None where they are not watched."""
        watched = [row.handshakes for row in self.servers if row.handshakes is not None]
        return together(watched) if watched else None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The table at a moment, like no other one.

    `clock` is the time of day to be shown, `routers` are those of VRRP, if it is spoken; `flood` tells whether it is
    under flood.
    """

    services: tuple[ServiceRow, ...] = ()
    totals: tuple[Counters, Rates] = (Counters(), Rates())
    clock: str = ""
    routers: tuple[RouterRow, ...] = ()
    flood: bool = False


def take(table: Table, remembered: Remembered, now: float, clock: str, rule: Rule | None = None) -> Sample:
    """A sample of any make of table."""
    handshakes = table.handshakes()
    flood = table.flood() or NO_FLOOD
    rows = []
    for state in table.services():
        absences = remembered.get(state.service.key, {})
        if handshakes is None:
            servers = tuple(ServerRow(one, absence=absences.get(one.server.key)) for one in state.servers)
            rows.append(ServiceRow(state, servers))
            continue
        seen = handshakes.get(state.service.key, {})
        figures = [(one.server, seen.get(one.server.key, Handshakes())) for one in state.servers]
        judged = judge(figures, absences, now, rule or Rule())
        servers = tuple(
            ServerRow(one, judgement.handshakes, judgement.standing, absences.get(one.server.key))
            for one, judgement in zip(state.servers, judged, strict=True)
        )
        rows.append(ServiceRow(state, servers, flood.services.get(state.service.key, FloodCounts())))
    return Sample(tuple(rows), table.totals(), clock, flood=flood.on)


@dataclass(slots=True)
class History:
    """What sparklines are drawn from: packet rates, newest last, for every row and for all together (None)."""

    rates: dict[RowKey | None, deque[int]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Remember a sample; what it doesn't have any more is forgotten, and so is what had no packets for long."""
        found: dict[RowKey | None, int] = {None: sample.totals[1].in_packets}
        for service in sample.services:
            key = service.state.service.key
            found[key, None] = service.state.rates.in_packets
            for row in service.servers:
                found[key, row.state.server.key] = row.state.rates.in_packets
        self.rates = {key: past for key, past in self.rates.items() if key in found and any(past)}
        for row_key, rate in found.items():
            if row_key in self.rates:
                self.rates[row_key].append(rate)
            elif rate:
                self.rates[row_key] = deque([rate], maxlen=REMEMBERED)

    def of(self, key: RowKey | None) -> list[int]:
        """The packet rates of a row."""
        return list(self.rates.get(key, ()))


Sampler = Callable[[], Sample]
