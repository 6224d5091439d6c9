"""Several machines' virtual routers on links without sockets, by a clock that jumps from event to event."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.effects import Effect, ReleaseAddresses, SendAdvertisement, TakeAddresses
from directrix.vrrp.packet import Advertisement
from directrix.vrrp.routers import Routers
from directrix.vrrp.states import State

LATENCY = 0.0005


class Machine:
    """One machine: it may be dead, and each of its interfaces may be cut off."""

    def __init__(self, number: int, configuration: Configuration, clock: Clock) -> None:
        self.number = number
        self.address = IPv4Address(f"10.0.0.{number}")
        self.configuration = configuration
        self.clock = clock
        self.alive = False
        self.holding: set[int] = set()
        self.deaf: set[str] = set()
        """Interfaces by which nothing comes or goes, though they look up."""
        self.revive()

    def revive(self) -> None:
        """Start it, if it is dead; what it held is gone."""
        if self.alive:
            return
        self.alive = True
        self.holding.clear()
        self.routers = Routers(self.configuration)
        self.routers.conditions.interfaces = {instance.interface: True for instance in self.configuration.instances}
        self.do(self.routers.start(self.clock.now))

    def die(self) -> None:
        """It is gone without a word."""
        self.alive = False
        self.holding.clear()

    def stop(self) -> None:
        """It is stopped in good order; it is dead when it has given everything up."""
        if self.alive:
            self.do(self.routers.stop(self.clock.now))

    def set_link(self, interface: str, up: bool) -> None:
        """An interface goes down, or up."""
        if self.alive:
            self.routers.conditions.interfaces[interface] = up
            self.do(self.routers.reassess(self.clock.now))

    def masters(self) -> list[Instance]:
        return [router.instance for router in self.routers if self.alive and router.state is State.MASTER]

    def do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendAdvertisement(instance, priority):
                    self.clock.carry(self, instance, priority)
                case TakeAddresses(instance):
                    self.holding.add(instance.vrid)
                case ReleaseAddresses(instance):
                    self.holding.discard(instance.vrid)
        self.clock.arm(self)


class Clock:
    """The time, what is due, and the wires between machines."""

    def __init__(self) -> None:
        self.now = 0.0
        self.machines: list[Machine] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def add(self, *configurations: Configuration) -> list[Machine]:
        for configuration in configurations:
            self.machines.append(Machine(len(self.machines) + 1, configuration, self))
        return self.machines

    def at(self, time: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time, next(self._order), call))

    def arm(self, machine: Machine) -> None:
        deadline = machine.routers.deadline
        if deadline is not None:
            routers = machine.routers
            self.at(max(deadline, self.now), lambda: self._wake(machine, routers))

    def _wake(self, machine: Machine, routers: Routers) -> None:
        deadline = routers.deadline
        if machine.alive and machine.routers is routers and deadline is not None and deadline <= self.now:
            machine.do(routers.expire(self.now))

    def carry(self, sender: Machine, instance: Instance, priority: int) -> None:
        advertisement = Advertisement(instance.version, instance.vrid, priority, instance.interval, instance.advertised)
        if instance.interface not in sender.deaf:
            for machine in self.machines:
                if machine is not sender:
                    self.at(self.now + LATENCY, self._arrival(machine, sender, instance, advertisement))

    def _arrival(
        self, machine: Machine, sender: Machine, instance: Instance, advertisement: Advertisement
    ) -> Callable[[], None]:
        def arrive() -> None:
            if not machine.alive or instance.interface in machine.deaf:
                return
            for router in list(machine.routers):
                if router.instance.key == instance.key and machine.routers.conditions.interfaces[instance.interface]:
                    machine.do(machine.routers.hear(router, advertisement, sender.address, machine.address, self.now))

        return arrive

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, call = heapq.heappop(self._due)
            call()
        self.now = end

    def masters(self, vrid: int) -> list[int]:
        """Numbers of the machines that are master of a virtual router."""
        return [machine.number for machine in self.machines for instance in machine.masters() if instance.vrid == vrid]

    def holders(self, vrid: int) -> list[int]:
        """Numbers of the machines that hold its addresses."""
        return [machine.number for machine in self.machines if machine.alive and vrid in machine.holding]
