"""The virtual routers of this network namespace, alive on an asyncio loop.

    service = VrrpService(configuration)
    await service.start()
    await service.reload(another)
    await service.stop()

Everything happens on the loop, in calls that don't wait: a datagram or the kernel's news is read and told to `Routers`
with the loop's time as `now`, the effects are carried out in order, and one timer is set to the next deadline. When it
goes off, what has arrived meanwhile is heard before anything expires, so that a process that was held up doesn't take
its own silence for the master's.

Virtual addresses that an earlier life left behind stay until a master is heard, so that a daemon that comes back alone
takes nothing away; `memory` says when it can even go on as master at once.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from directrix.lvs.addresses import Address, Family
from directrix.system.interfaces import InterfaceAddress
from directrix.vrrp.acceptance import Acceptance
from directrix.vrrp.addresses import Belongings
from directrix.vrrp.announcer import Announcer
from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.effects import (
    Announce,
    Effect,
    GroupChanged,
    Note,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    TakeAddresses,
)
from directrix.vrrp.interfaces import Interfaces
from directrix.vrrp.memory import Memory
from directrix.vrrp.notifications import Notifier
from directrix.vrrp.packet import Advertisement
from directrix.vrrp.router import VirtualRouter
from directrix.vrrp.routers import Routers
from directrix.vrrp.speaker import Speaker
from directrix.vrrp.states import State
from directrix.vrrp.status import InstanceStatus, Statistics, Stranger, TrackedStatus
from directrix.vrrp.steady_links import SteadyLinks
from directrix.vrrp.virtual_macs import VirtualMacs
from directrix.vrrp.watchers import Watchers

_log = logging.getLogger("directrix.vrrp")

_LONGEST_STOP = 5.0
"""Seconds after which a stop no longer waits for another master."""
_LINGER = 1.0
"""Seconds that notify scripts of a stop are given, as keepalived does."""


class VrrpService:
    """VRRP for one configuration at a time."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        on_effect: Callable[[Effect], None] = lambda effect: None,
        memory: Path | None = None,
    ) -> None:
        """Nothing happens yet.

        Args:
            configuration: what to do.
            on_effect: is told everything VRRP does and every change of state, after it was done.
            memory: a directory in /run, of this network namespace alone, by which a daemon that was killed can go on as
                master; None to do without.

        Raises:
            OSError: that directory can't be made.
        """
        self._configuration = configuration
        self._on_effect = on_effect
        self._routers = Routers(configuration)
        self._memory = Memory(memory) if memory is not None else None
        self._since: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._tracked_since: dict[tuple[str, str], float] = {}
        self._leftovers: set[tuple[str, Family, int]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._beginning: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()
        self._running = False

    async def start(self) -> None:
        """Begin: virtual MAC devices, sockets, what is tracked; then each instance as far as it may.

        Raises:
            OSError: no privilege (CAP_NET_RAW, CAP_NET_ADMIN), or a virtual MAC device that can't be made. Nothing is
                left behind then.
        """
        self._loop = asyncio.get_running_loop()
        with ExitStack() as undo:
            self._interfaces = Interfaces()
            undo.callback(self._interfaces.close)
            self._macs = VirtualMacs(self._interfaces)
            self._belongings = Belongings(self._interfaces)
            self._announcer = Announcer(self._interfaces, self._belongings)
            undo.callback(self._announcer.close)
            self._speaker = Speaker(self._interfaces, self._hear)
            undo.callback(self._speaker.close)
            undo.callback(self._macs.remove_all)
            self._macs.make(self._configuration.instances)
            undo.pop_all()
        self._links = SteadyLinks(self._follow_interfaces)
        self._macs_told = self._interfaces.macs()
        self._links.configure(self._configuration.link_delays)
        self._acceptance = Acceptance()
        self._notifier = Notifier()
        self._notifier.configure(self._configuration.fifos)
        self._watchers = Watchers(self._script_ended, self._file_says, self._process_is)
        await self._watchers.configure(self._configuration)
        self._speaker.configure(self._routers)
        self._loop.add_reader(self._interfaces.events, self._news)
        self._leftovers = {router.instance.key for router in self._routers}
        self._running = True
        if self._configuration.startup_delay:
            self._beginning = self._loop.call_later(self._configuration.startup_delay, self._begin)
        else:
            self._begin()

    def vet(self, configuration: Configuration) -> None:
        """Look for what `reload` would refuse, as far as it can be foreseen.

        Raises:
            FileExistsError: a virtual MAC device can't be made, because another one has its name.
        """
        self._macs.check(configuration.instances)

    async def reload(self, configuration: Configuration) -> None:
        """Go on with another configuration: what is the same virtual router in both keeps its state.

        Raises:
            OSError: a virtual MAC device can't be made; the old configuration then stays.
        """
        self._macs.make(configuration.instances)
        self._configuration = configuration
        before = list(self._routers)
        self._notifier.configure(configuration.fifos)
        self._links.configure(configuration.link_delays)
        effects = self._routers.reload(configuration, self._loop.time())
        self._speaker.configure([*before, *self._routers.leaving, *self._routers])
        self._do(effects)
        self._speaker.configure([*self._routers.leaving, *self._routers])
        if not self._routers.leaving:
            self._macs.keep_only(configuration.instances)
        await self._watchers.configure(configuration)
        self._follow_interfaces()

    async def stop(self) -> None:
        """Stop: masters resign, keep their addresses until another master is heard, and give them up."""
        if self._beginning is not None:
            self._beginning.cancel()
        self._running = False
        self._quiet.clear()
        self._do(self._routers.stop(self._loop.time()))
        try:
            async with asyncio.timeout(_LONGEST_STOP):
                await self._quiet.wait()
        except TimeoutError:
            self._do(self._routers.release(self._loop.time()))
        for router in self._routers:
            self._clear_leftovers(router.instance)
        self._links.close()
        await self._watchers.close()
        await self._notifier.close(_LINGER)
        self._loop.remove_reader(self._interfaces.events)
        self._macs.remove_all()
        self._announcer.close()
        self._speaker.close()
        self._interfaces.close()
        if self._memory is not None:
            self._memory.close()

    def states(self) -> tuple[InstanceStatus, ...]:
        """What there is to know of each instance, in the configuration's order; from `start` to `stop`."""
        groups = {member: group.name for group in self._configuration.groups for member in group.members}
        return tuple(self._status(router, groups.get(router.instance.name, "")) for router in self._routers)

    def repeat_states(self) -> None:
        """Tell the named pipes of all states once more (`fifo_write_vrrp_states_on_reload`)."""
        for router in [router for router in self._routers if router.state is not State.LEAVING]:
            self._notifier.repeat(StateChanged(router.instance, router.state, router.priority))
        for unit in self._routers.units:
            if unit.group is not None:
                self._notifier.repeat(GroupChanged(unit.group, unit.state))

    def miss(self, missing: Mapping[str, Sequence[str]]) -> None:
        """Have instances in fault for what is missing, in words, by their names, and no others; before `start`, too."""
        conditions = self._routers.conditions
        before, conditions.missing = conditions.missing, missing
        if self._running and before != missing:
            self._do(self._routers.reassess(self._loop.time()))

    def announce_moved(self) -> None:
        """Tell neighbours of addresses whose device has another MAC: they would send to the old one until they ask.

        It is for the caller to say when, for whoever serves the addresses has to know the new MAC before.
        """
        now = self._interfaces.macs()
        before, self._macs_told = self._macs_told, now
        moved = {name for name, mac in now.items() if before.get(name, mac) != mac}
        for router in self._routers:
            instance = router.instance
            if any(device in moved for device, _ in self._belongings.owned(instance)):
                _log.info("(%s) the MAC of its interface has changed", instance.name)
                self._announcer.announce(instance, instance.gratuitous.master_repeat)

    def tracked(self) -> tuple[TrackedStatus, ...]:
        """All that is followed: scripts, processes, files; from `start` to `stop`."""
        conditions, running = self._routers.conditions, self._watchers.scripts
        found = [
            TrackedStatus("script", name, conditions.scripts[name].well, watch.said, running=watch.running)
            for name, watch in running.items()
            if name in conditions.scripts
        ]
        found += [TrackedStatus("process", name, well) for name, well in conditions.processes.items()]
        found += [TrackedStatus("file", name, None, str(number)) for name, number in conditions.files.items()]
        since = self._tracked_since
        return tuple(replace(one, since=since.get((one.kind, one.name), 0.0)) for one in found)

    def strangers(self) -> tuple[Stranger, ...]:
        """Virtual routers of others that were heard on our interfaces; from `start` to `stop`."""
        return tuple(self._speaker.strangers.values())

    # What happens

    def _begin(self) -> None:
        self._beginning = None
        resumed: list[str] = []
        if self._memory is not None:
            memory = self._memory
            resumed = [router.instance.name for router in self._routers if memory.was_master(router.instance)]
        self._look_at_interfaces()
        self._do(self._routers.start(self._loop.time(), resumed))

    def _hear(self, router: VirtualRouter, advertisement: Advertisement, source: Address, own: Address | None) -> None:
        if advertisement.priority and router.state is State.BACKUP:
            self._clear_leftovers(router.instance)
        self._heard[router.instance.name] = time.time()
        self._do(self._routers.hear(router, advertisement, source, own, self._loop.time()))

    def _wake(self) -> None:
        self._timer = None
        self._speaker.read()
        self._do(self._routers.expire(self._loop.time()))

    def _news(self) -> None:
        changes = self._interfaces.read()
        self._follow_interfaces()
        for change in changes:
            if change.gone and isinstance(change.thing, InterfaceAddress):
                self._restore(change.thing)

    def _script_ended(self, name: str, succeeded: bool) -> None:
        if self._routers.conditions.script_ended(name, succeeded):
            self._tracked_since["script", name] = time.time()
            self._do(self._routers.reassess(self._loop.time()))

    def _file_says(self, name: str, number: int) -> None:
        if self._routers.conditions.files.get(name) != number:
            self._tracked_since["file", name] = time.time()
        self._routers.conditions.files[name] = number
        self._do(self._routers.reassess(self._loop.time()))

    def _process_is(self, name: str, well: bool) -> None:
        self._tracked_since["process", name] = time.time()
        self._routers.conditions.processes[name] = well
        self._do(self._routers.reassess(self._loop.time()))

    # What is done

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendAdvertisement(instance, priority):
                    self._speaker.send(instance, priority)
                    self._remember(instance, master=priority > 0)
                case TakeAddresses(instance):
                    self._leftovers.discard(instance.key)
                    self._belongings.take(instance)
                    self._acceptance.take(instance)
                case ReleaseAddresses(instance):
                    self._announcer.forget(instance)
                    self._acceptance.release(instance)
                    self._belongings.release(instance)
                case Announce(instance, rounds):
                    self._announcer.announce(instance, rounds)
                case StateChanged():
                    self._state_changed(effect)
                case Note(text, level):
                    _log.log(level, "%s", text)
            self._notifier.tell(effect)
            self._on_effect(effect)
        self._arm()

    def _state_changed(self, change: StateChanged) -> None:
        instance, state = change.instance, change.state
        self._since[instance.name] = time.time()
        _log.info("(%s) %s", instance.name, "stopped" if state is State.INITIALIZE else f"now {state.name}")
        port = self._speaker.ports.get(instance.key)
        if port is not None:
            port.enter(state)
        if state is not State.MASTER:
            self._remember(instance, master=False)
        if state is State.FAULT:
            self._clear_leftovers(instance)
        if state is State.INITIALIZE and change.deleted:
            self._macs.keep_only(self._configuration.instances)

    def _remember(self, instance: Instance, *, master: bool) -> None:
        if self._memory is not None:
            if master:
                self._memory.note(instance)
            else:
                self._memory.forget(instance)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._routers.stopped:
            self._quiet.set()
        deadline = self._routers.deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._wake)

    def _follow_interfaces(self) -> None:
        self._look_at_interfaces()
        self._do(self._routers.reassess(self._loop.time()))

    def _look_at_interfaces(self) -> None:
        """Virtual MAC devices whose interface is back are made again; sockets and sources follow."""
        try:
            self._macs.make(self._configuration.instances)
        except OSError as error:
            _log.error("virtual MAC: %s", error.strerror)
        self._speaker.refresh()
        conditions = self._routers.conditions
        conditions.interfaces = self._links.look(self._interfaces.states())
        conditions.without_source = self._speaker.without_source()

    def _restore(self, address: InterfaceAddress) -> None:
        """An address of ours that somebody else took away is put back."""
        for router in self._routers:
            if self._belongings.restore(router.instance, address.index, address.address):
                _log.warning("(%s) %s was taken away, and is put back", router.instance.name, address.address)
                self._announcer.announce(router.instance, 1)

    def _clear_leftovers(self, instance: Instance) -> None:
        """What an earlier life left in place is not needed any more."""
        if instance.key in self._leftovers:
            self._leftovers.discard(instance.key)
            self._belongings.release(instance)

    def _status(self, router: VirtualRouter, group: str) -> InstanceStatus:
        instance = router.instance
        port = self._speaker.ports.get(instance.key)
        assessment = self._routers.assessment(instance.name)
        return InstanceStatus(
            name=instance.name,
            group=group,
            interface=instance.interface,
            family=instance.family,
            vrid=instance.vrid,
            version=instance.version,
            state=router.state,
            since=self._since.get(instance.name, 0.0),
            base_priority=instance.priority,
            priority=router.priority,
            interval=instance.interval / 100,
            source=port.source if port is not None else None,
            master=router.master,
            master_priority=router.master_priority,
            master_heard=self._heard.get(instance.name, 0.0),
            faults=assessment.faults,
            waiting=assessment.undecided,
            addresses=tuple(str(virtual) for virtual in (*instance.addresses, *instance.excluded)),
            garp_delay=instance.gratuitous.master_delay,
            statistics=copy.deepcopy(port.statistics) if port is not None else Statistics(),
        )
