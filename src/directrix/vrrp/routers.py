"""All virtual routers of a machine: their groups, and what they track. No sockets, no clock.

Instances that are in no group stand alone. The members of a group are master together: when all of them want to be
(none hears a stronger master), they become it at once; when one gives way, all do; when one is in FAULT, all are.
That all must want it keeps a group whose links don't all fail together from going to and fro.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from directrix.lvs.addresses import Address
from directrix.vrrp.conditions import Conditions
from directrix.vrrp.configuration import Configuration, Group, Instance
from directrix.vrrp.effects import Effect, GroupChanged, Note
from directrix.vrrp.packet import Advertisement
from directrix.vrrp.router import Timer, VirtualRouter
from directrix.vrrp.states import Event, State
from directrix.vrrp.tracked import Tracking
from directrix.vrrp.tracking import Assessment


class Unit:
    """What becomes master together: the members of a group, or one instance without a group.

    Attributes:
        members: its virtual routers.
        group: None for an instance that stands alone.
        state: of the group, as it was told of last.
    """

    def __init__(self, members: list[VirtualRouter], group: Group | None = None) -> None:
        self.members = members
        self.group = group
        self.state = State.INITIALIZE

    @property
    def common_state(self) -> State | None:
        """The state of all members; FAULT if it is the state of one; None while they are on their way."""
        states = {member.state for member in self.members}
        return State.FAULT if State.FAULT in states else states.pop() if len(states) == 1 else None


class Routers:
    """The virtual routers of a configuration.

    Attributes:
        configuration: what they are told to do.
        conditions: what is known of tracked things.
        units: groups and single instances.
        leaving: those that a reload took away and that still wait for the new master.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.conditions = Conditions(configuration)
        self.units: list[Unit] = []
        self.leaving: list[VirtualRouter] = []
        self._unit_of: dict[str, Unit] = {}
        self._routers: dict[str, VirtualRouter] = {}
        self._running = False
        self._resumed: frozenset[str] = frozenset()
        self._arrange({instance.name: VirtualRouter(instance) for instance in configuration.instances})

    def __iter__(self) -> Iterator[VirtualRouter]:
        return iter(self._routers.values())

    def __getitem__(self, name: str) -> VirtualRouter:
        return self._routers[name]

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called."""
        deadlines = [router.deadline for router in (*self, *self.leaving)]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    @property
    def stopped(self) -> bool:
        """Whether nobody holds addresses any more."""
        return all(router.state in (State.INITIALIZE, State.FAULT) for router in (*self, *self.leaving))

    def assessment(self, name: str) -> Assessment:
        """What an instance's tracked things come to, those of its group included."""
        group = self._unit_of[name].group
        of_group = Tracking() if group is None else group.tracking
        return self.conditions.assess(self[name].instance, of_group, group is None or group.weights_count)

    def start(self, now: float, resumed: Collection[str] = ()) -> list[Effect]:
        """Take part, as far as what is tracked lets each.

        `resumed` are names of instances that were master in an earlier life, so short ago that nobody else is yet:
        they go on, if all of their group do and nothing tracked speaks against it now.
        """
        self._running = True
        self._resumed = frozenset(resumed)
        effects = self.reassess(now)
        self._resumed = frozenset()
        return effects

    def stop(self, now: float) -> list[Effect]:
        """Stop taking part. Masters resign; they keep their addresses until `stopped`."""
        self._running = False
        effects: list[Effect] = []
        for router in self:
            effects += router.handle(Event.SHUTDOWN, now)
        return effects + self._tell_groups()

    def release(self, now: float) -> list[Effect]:
        """Give up at once what a stop has left in place."""
        effects: list[Effect] = []
        for router in (*self, *self.leaving):
            effects += router.handle(Event.RELEASE_EXPIRED, now)
        return effects + self._tell_groups()

    def reassess(self, now: float) -> list[Effect]:
        """What is known of tracked things has changed: priorities follow, and who may take part."""
        if not self._running:
            return []
        effects: list[Effect] = []
        for unit in self.units:
            assessments = {member.instance.name: self.assessment(member.instance.name) for member in unit.members}
            for member in unit.members:
                effects += member.set_priority(assessments[member.instance.name].adjustment, now)
            if any(assessment.faults for assessment in assessments.values()):
                effects += self._fail(unit, assessments, now)
            elif not any(assessment.undecided for assessment in assessments.values()):
                event = self._beginning(unit)
                for member in unit.members:
                    if member.state in (State.INITIALIZE, State.FAULT):
                        effects += member.handle(event, now)
        return effects + self._tell_groups()

    def hear(
        self, router: VirtualRouter, advertisement: Advertisement, source: Address, own: Address | None, now: float
    ) -> list[Effect]:
        """An advert was admitted for one of them; `own` is the address it sends from."""
        before = router.state
        effects = router.hear(advertisement, source, own, now)
        if before is State.MASTER and router.state is State.BACKUP:
            for member in self._unit_of[router.instance.name].members:
                effects += member.handle(Event.DEMOTED, now)
        return effects + self._tell_groups()

    def expire(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for router in (*self, *self.leaving):
            for timer in router.due(now):
                if timer is Timer.MASTER_DOWN and router.state is State.BACKUP:
                    effects += self._take_over(router, now)
                else:
                    effects += router.expire(timer, now)
        return effects + self._tell_groups()

    def reload(self, configuration: Configuration, now: float) -> list[Effect]:
        """Go on with another configuration. What is the same virtual router in both keeps its state."""
        before, self.configuration = self._routers, configuration
        self.conditions.configure(configuration)
        kept: dict[str, VirtualRouter] = {}
        effects: list[Effect] = []
        for instance in configuration.instances:
            router = before.get(instance.name)
            if router is not None and _same_router(router.instance, instance):
                effects += router.configure(instance, now)
                kept[instance.name] = router
        taken = {instance.key for instance in configuration.instances}
        for name, router in before.items():
            if name in kept:
                continue
            router.deleted = True
            effects += router.handle(Event.SHUTDOWN, now)
            if router.state is State.LEAVING and router.instance.key in taken:
                effects += router.handle(Event.RELEASE_EXPIRED, now)
            elif router.state is State.LEAVING:
                self.leaving.append(router)
        self._arrange(
            {instance.name: kept.get(instance.name) or VirtualRouter(instance) for instance in configuration.instances}
        )
        return effects + self.reassess(now)

    def _arrange(self, routers: dict[str, VirtualRouter]) -> None:
        states = {unit.group.name: unit.state for unit in self.units if unit.group is not None}
        self._routers = routers
        self.units = []
        grouped = set()
        for group in self.configuration.groups:
            unit = Unit([routers[name] for name in group.members], group)
            unit.state = states.get(group.name, State.INITIALIZE)
            self.units.append(unit)
            grouped |= set(group.members)
        self.units += [Unit([router]) for name, router in routers.items() if name not in grouped]
        self._unit_of = {member.instance.name: unit for unit in self.units for member in unit.members}

    def _beginning(self, unit: Unit) -> Event:
        if all(member.instance.name in self._resumed for member in unit.members):
            return Event.RESUMED
        owners = all(member.owner and member.instance.starts_as_master for member in unit.members)
        return Event.OWNER_STARTUP if owners else Event.STARTUP

    def _fail(self, unit: Unit, assessments: dict[str, Assessment], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for member in unit.members:
            if member.state is State.FAULT:
                continue
            name = member.instance.name
            reasons = "; ".join(assessments[name].faults) or "another member of its group"
            effects += [Note(f"({name}) in FAULT: {reasons}"), *member.handle(Event.FAULT, now)]
        return effects

    def _take_over(self, router: VirtualRouter, now: float) -> list[Effect]:
        """Nobody stronger was heard for long enough: become master, if all members of the group see it so."""
        router.wants_master = True
        members = self._unit_of[router.instance.name].members
        effects: list[Effect] = []
        if all(member.wants_master or member.state is State.MASTER for member in members):
            for member in members:
                effects += member.handle(Event.MASTER_DOWN_EXPIRED, now)
        return effects

    def _tell_groups(self) -> list[Effect]:
        self.leaving = [router for router in self.leaving if router.state is State.LEAVING]
        effects: list[Effect] = []
        for unit in self.units:
            state = unit.common_state
            if unit.group is not None and state is not None and state not in (State.LEAVING, unit.state):
                unit.state = state
                effects.append(GroupChanged(unit.group, state))
        return effects


def _same_router(before: Instance, after: Instance) -> bool:
    return (before.key, before.virtual_mac) == (after.key, after.virtual_mac)
