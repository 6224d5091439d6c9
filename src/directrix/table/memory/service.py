"""A virtual service as the table keeps it: its real servers in order, its scheduler, its counts."""

from __future__ import annotations

from directrix import scheduling
from directrix.lvs import Address, RealServer, ServiceState, VirtualService
from directrix.lvs.errors import NoSuchScheduler, NoSuchServer
from directrix.lvs.service import PERSISTENCE_ENGINES
from directrix.scheduling import NO_SCHEDULER, Flow, Position, Scheduler
from directrix.scheduling.lblc import LocalityBasedLeastConnection
from directrix.scheduling.lblcr import LocalityBasedLeastConnectionWithReplication
from directrix.table.memory.destination import Destination
from directrix.table.memory.statistics import Statistics


def check_names(definition: VirtualService) -> None:
    """Refuse a scheduler or persistence engine nobody knows.

    Raises:
        NoSuchScheduler: the scheduler or the engine is unknown.
    """
    if definition.scheduler != NO_SCHEDULER:
        scheduling.algorithm(definition.scheduler)
    if definition.engine and definition.engine not in PERSISTENCE_ENGINES:
        raise NoSuchScheduler(definition.engine)


class Service:
    """A virtual service. `destinations` has the newest real server first."""

    def __init__(self, definition: VirtualService) -> None:
        self.destinations: list[Destination] = []
        self.statistics = Statistics()
        self.definition = definition
        self._scheduler = _scheduler(definition, self.destinations)

    def define(self, definition: VirtualService) -> None:
        """Take everything but the key anew. A scheduler that stays goes on where it was."""
        if definition.scheduler != self.definition.scheduler:
            self._scheduler = _scheduler(definition, self.destinations)
        elif self._scheduler is not None:
            self._scheduler.flags = definition.scheduler_flags
        self.definition = definition

    def pick(self, flow: Flow) -> Destination | None:
        """A real server for a new connection, by the service's scheduler."""
        return self._scheduler.pick(flow) if self._scheduler else None

    def position(self, flow: Flow) -> Position[Destination]:
        """Where the scheduler stands, as far as it matters to this connection."""
        return Position() if self._scheduler is None else self._scheduler.position(flow)

    def resume(self, position: Position[Destination], flow: Flow) -> None:
        """Have the scheduler go on where another one stands."""
        if self._scheduler is not None:
            self._scheduler.resume(position, flow)

    def expire_localities(self, seconds: int) -> None:
        """After how long its scheduler, `lblc` or `lblcr`, forgets or shrinks what was unused or unchanged."""
        if isinstance(self._scheduler, (LocalityBasedLeastConnection, LocalityBasedLeastConnectionWithReplication)):
            self._scheduler.cache.expiration = seconds

    def find(self, address: Address, port: int) -> Destination:
        """One of its real servers.

        Raises:
            NoSuchServer: it has none of that address and port.
        """
        for destination in self.destinations:
            if destination.server.key == (address, port):
                return destination
        raise NoSuchServer(f"{address} port {port}")

    def has(self, address: Address, port: int) -> bool:
        """Whether it has a real server of that address and port."""
        return any(destination.server.key == (address, port) for destination in self.destinations)

    def add(self, destination: Destination) -> None:
        """Put a real server at the head of the list."""
        destination.available = True
        destination.last_weight = destination.weight
        destination.service_statistics = self.statistics
        self.destinations.insert(0, destination)
        if self._scheduler is not None:
            self._scheduler.added()

    def edit(self, destination: Destination, server: RealServer) -> None:
        """Define one of its real servers anew."""
        destination.define(server)
        if self._scheduler is not None:
            self._scheduler.edited()

    def remove(self, destination: Destination) -> None:
        """Take a real server out of the list."""
        index = self.destinations.index(destination)
        del self.destinations[index]
        destination.available = False
        if self._scheduler is not None:
            self._scheduler.removed(destination, index)

    def zero(self) -> None:
        """Set counters and rates to zero, those of its real servers too."""
        self.statistics.zero()
        for destination in self.destinations:
            destination.statistics.zero()

    def state(self) -> ServiceState:
        """What a listing shows."""
        return ServiceState(
            self.definition,
            tuple(destination.state() for destination in self.destinations),
            self.statistics.counters,
            self.statistics.rates,
        )


def _scheduler(definition: VirtualService, destinations: list[Destination]) -> Scheduler[Destination] | None:
    if definition.scheduler == NO_SCHEDULER:
        return None
    scheduler = scheduling.scheduler(definition.scheduler)(destinations)
    scheduler.flags = definition.scheduler_flags
    return scheduler
