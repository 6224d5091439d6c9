"""A list of real servers and its scheduler, told of every change as a table would: what the tests speak in.

Real servers are numbered in the order in which they are added, so a scheduler's list of 1, 2, 3
is 3, 2, 1. Number n has the address 10.0.0.10 + n and port 80; clients are 10.1.0.10 and on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from directrix.lvs import Address, SchedulerFlags
from directrix.scheduling import Flow, Scheduler, scheduler

VIP = IPv4Address("10.0.0.1")
CLIENT = IPv4Address("10.1.0.10")


def client(last: int) -> Address:
    """The client 10.1.0.`last`."""
    return IPv4Address("10.1.0.0") + last


@dataclass(eq=False)
class Server:
    number: int
    weight: int = 1
    active: int = 0
    inactive: int = 0
    overloaded: bool = False
    last_weight: int = field(init=False)

    def __post_init__(self) -> None:
        self.last_weight = self.weight

    @property
    def address(self) -> Address:
        return IPv4Address("10.0.0.10") + self.number

    @property
    def port(self) -> int:
        return 80

    @property
    def usable(self) -> bool:
        return self.weight > 0 and not self.overloaded


@dataclass
class Service:
    """`now` is the time of the next picks."""

    name: str
    flags: SchedulerFlags = SchedulerFlags.NONE
    servers: list[Server] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.scheduler: Scheduler[Server] = scheduler(self.name)(self.servers)
        self.scheduler.flags = self.flags

    def add(self, number: int, weight: int = 1) -> None:
        self.servers.insert(0, Server(number, weight))
        self.scheduler.added()

    def bring_back(self, server: Server) -> None:
        """Add one that was removed before: the same one, with its counts."""
        self.servers.insert(0, server)
        self.scheduler.added()

    def __getitem__(self, number: int) -> Server:
        return next(server for server in self.servers if server.number == number)

    def edit(self, number: int, weight: int) -> None:
        server = self[number]
        server.weight = weight
        server.last_weight = weight or server.last_weight
        self.scheduler.edited()

    def remove(self, number: int) -> Server:
        server = self[number]
        index = self.servers.index(server)
        del self.servers[index]
        self.scheduler.removed(server, index)
        return server

    def pick(self, source: Address = CLIENT, port: int = 40000, destination: Address = VIP) -> int | None:
        """The number of the real server for one connection."""
        picked = self.scheduler.pick(Flow(source, port, destination, self.now))
        return picked and picked.number

    def picks(
        self, count: int, *, hold: bool = False, close: bool = False, destination: Address = VIP
    ) -> list[int | None]:
        """Pick so often; `hold` leaves an active connection behind each time, `close` an inactive one."""
        numbers: list[int | None] = []
        for _ in range(count):
            number = self.pick(destination=destination)
            if number is not None:
                self[number].active += hold
                self[number].inactive += close
            numbers.append(number)
        return numbers

    def picks_for(self, sources: Iterable[Address], port: int = 40000) -> list[int | None]:
        """Pick once for each client."""
        return [self.pick(source, port) for source in sources]


def service(name: str, *weights: int, flags: SchedulerFlags = SchedulerFlags.NONE) -> Service:
    """A service with real servers 1, 2, ... of these weights, added in this order."""
    made = Service(name, flags)
    for number, weight in enumerate(weights, start=1):
        made.add(number, weight)
    return made
