"""What the view shows at a moment, and what it remembers of the moments before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from directrix.health.memory import Remembered
from directrix.health.rule import Absence, Rule, Standing, judge
from directrix.lvs import Address, Counters, Rates, RealServer, ServerState, ServiceKey, ServiceState, endpoint
from directrix.lvs.addresses import read_endpoint
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
class Checked:
    """What the director's checks say of a real server.

    Attributes:
        alive: none of them fails.
        ordered: what the operator has ordered: `weight`, `drain`, `admit`, or nothing.
        failing: the check that fails, and what it found; empty if none does.
        recent: the last results of that check, or of the first one, the newest last; None: it could not be made.
        growing: its weight is on its way up.
    """

    alive: bool
    ordered: str = ""
    failing: str = ""
    recent: tuple[bool | None, ...] = ()
    growing: bool = False

    @property
    def passive(self) -> bool:
        """Whether it is its clients' handshakes that speak against it."""
        return self.failing.startswith("passive_health")


CheckedByName = Mapping[tuple[str, str], Checked]
"""By the names of service and real server, as listings write them."""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A real server.

    Attributes:
        standing: the rule's word on it; None where handshakes are not watched.
        checked: None where no director looks after it.
        in_table: False: its checks have taken it out.
    """

    state: ServerState
    handshakes: Handshakes | None = None
    standing: Standing | None = None
    absence: Absence | None = None
    checked: Checked | None = None
    in_table: bool = True


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

    @property
    def checked(self) -> bool:
        """Whether a director looks after any of it."""
        return any(row.checked is not None for service in self.services for row in service.servers)


def take(
    table: Table,
    remembered: Remembered,
    now: float,
    clock: str,
    rule: Rule | None = None,
    checked: CheckedByName | None = None,
) -> Sample:
    """A sample of any make of table, and of what the director says of it."""
    found = _take(table, remembered, now, clock, rule)
    return found if not checked else replace(found, services=tuple(_with(row, checked) for row in found.services))


def _with(service: ServiceRow, checked: CheckedByName) -> ServiceRow:
    """A service with what checks say of its servers, and with those that they have taken out."""
    name = str(service.state.service.key)
    of_it = {server: one for (key, server), one in checked.items() if key == name}
    there = [replace(row, checked=of_it.pop(endpoint(*row.state.server.key), None)) for row in service.servers]
    out = [
        ServerRow(ServerState(RealServer(address, port, weight=0)), checked=one, in_table=False)
        for (address, port), one in ((read_endpoint(server), one) for server, one in of_it.items())
    ]
    return replace(service, servers=(*there, *out))


def _take(table: Table, remembered: Remembered, now: float, clock: str, rule: Rule | None) -> Sample:
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
