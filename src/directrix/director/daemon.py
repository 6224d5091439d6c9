"""The director: one asyncio program that joins configuration, checks, VRRP and the table.

What comes first and what last:

- At the start what is static is put in place, for checks may need it, and the table is made as the configuration says,
  from whatever is in it; then checks begin; then VRRP, so that no address comes before its services. The service
  manager hears READY when VRRP knows whether it is master here.
- At the end VRRP goes first: a master resigns and keeps its addresses until another one is heard. The table forwards
  meanwhile, and is cleared when the addresses are gone.
- A reload is refused whole, or done whole: everything that can be wrong is looked for before anything is changed, and
  the balancer goes back if VRRP refuses.
- Killed, it leaves table and addresses as they are, and traffic goes on. It comes back from `memory.py` and VRRP's own
  memory, and changes only what differs.

Signals are keepalived's: HUP reloads, TERM and INT stop, USR1 and USR2 write `dumps.py`'s files. QUIT is ours: it
ends the director and nothing else, for a restart.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from directrix.director import dumps
from directrix.director.api import Api, Listener
from directrix.director.at_table import AtTable
from directrix.director.balancer import Balancer
from directrix.director.collector import Collector
from directrix.director.complaints import warn
from directrix.director.events import EventLog
from directrix.director.host_watch import HostWatch
from directrix.director.memory import Memory
from directrix.director.options import Options
from directrix.director.ordering import Ordering
from directrix.director.places import SOCKET
from directrix.director.presence import is_here
from directrix.director.programs import command
from directrix.director.refusal import Refused
from directrix.director.reloading import go_over, read_again, told_refusal
from directrix.director.reporting import Reporter
from directrix.director.setup import Setup
from directrix.director.static_tracking import StaticTracking
from directrix.director.statics import Statics, statics_of
from directrix.director.syncing import SyncDaemons
from directrix.director.table_work import follow_host, handshakes, lags_behind_host
from directrix.director.telling import run_command
from directrix.director.virtual import ServerName, Virtual
from directrix.draining.remembering import weights_here
from directrix.keepalived.values import GlobalDefinitions, Script
from directrix.lvs import Family, TableError
from directrix.system.service_manager import ServiceManager
from directrix.table.interface import Table
from directrix.table.opening import XDP
from directrix.vrrp.effects import Effect, ReleaseAddresses, StateChanged, TakeAddresses
from directrix.vrrp.service import VrrpService
from directrix.vrrp.states import State
from directrix.vrrp.status import InstanceStatus

_log = logging.getLogger("directrix.director")

_LOOK = 0.05
"""Seconds between two looks whether VRRP has settled."""
_AROUND = 1.0
"""Seconds between two looks at what changes without telling."""


class Director:
    """A director, from its start to its end."""

    def __init__(
        self,
        setup: Setup,
        table: Table,
        place: Path,
        options: Options,
        manager: ServiceManager,
    ) -> None:
        """Nothing happens yet.

        Args:
            setup: what to do, vetted for the table.
            table: what follows.
            place: a directory of this director's own, in /run.
            options: how it is run.
            manager: who is told how it is.

        Raises:
            OSError: the event log can't be opened, or VRRP's memory not made.
        """
        self.setup = setup
        self.options = options
        self.events = EventLog(options.event_log)
        self.reporter = Reporter(setup, self.events)
        self.at_table = AtTable()
        self.balancer = Balancer(
            table,
            self.reporter.told,
            Memory(place / "memory.json"),
            keep_others=options.keep_others,
            checked=self.reporter.checked,
            noted=self.reporter.noted,
            handshakes=lambda keys: self.at_table.do(handshakes, keys),
        )
        self.sync = SyncDaemons(table)
        self.statics = Statics(place / "statics.json")
        self.orders = Ordering(self.balancer, self.at_table, self.reporter.ordered)
        self.vrrp = VrrpService(setup.routers, on_effect=self._effect, memory=place / "vrrp")
        self.started_at = time.time()
        self.reloaded_at = 0.0
        self.refused = ""
        """Why the last reload was refused; empty if it was not."""
        self._place = place
        self._strangers: set[tuple[str, Family, int]] = set()
        self._reloading = asyncio.Lock()
        self._manager = manager
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._ready = False
        self._collector = Collector()
        self._tracking = StaticTracking(self.statics, lambda: self.setup.configuration, self._reloading, self.vrrp.miss)

    async def run(self) -> None:
        """Run until told to stop.

        Raises:
            Refused: a checker can't be made. Nothing has changed then.
            TableError: the table refuses.
            OSError: VRRP can't be started; the table stays as the configuration has it, and forwards.
        """
        self._hear_signals()
        settings = self.setup.configuration.globals
        if settings.umask != GlobalDefinitions().umask:
            os.umask(settings.umask)
        await self._run_bounded(settings.startup_script, settings.startup_script_timeout)
        warn(self.setup, self.options.make)
        self.reporter.configure(self.setup)
        await asyncio.to_thread(self.statics.have, statics_of(self.setup.configuration))
        self.reporter.silent = not settings.rs_init_notifies
        try:
            changes = self.balancer.start(self.setup)
        except (Refused, TableError):
            self.statics.have(())
            raise
        self.reporter.silent = False
        self._forget_other_drains()
        self._synchronise()
        self.orders.resume()
        self._collector.spare()
        _log.info("%d virtual servers; %d changes of the table", len(self.setup.virtuals), len(changes))
        await self._tracking.start()
        try:
            await self.vrrp.start()
        except OSError:
            await self._tracking.close()
            await self.balancer.checks.close()
            raise
        self.reporter.happened("director", "started", changes=len(changes))
        looking = asyncio.create_task(self._look_around())
        watchdog = asyncio.create_task(self._keep_alive())
        settling = asyncio.create_task(self._settle())
        host: HostWatch | None = None
        listener: Listener | None = None
        try:
            host = HostWatch(self._follow_host)
            listener = Listener(Api(self), self._place / SOCKET)
            while await self._wanted.get() != "stop":
                await self.reload()
        finally:
            for task in (looking, settling):
                task.cancel()
            if host is not None:
                await host.close()
            await self._stop(listener)
            watchdog.cancel()

    async def reload(self) -> bool:
        """Read the configuration again and go on by it; False if it is refused, and everything stays as it is."""
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> bool:
        self._manager.reloading()
        self.refused = ""
        try:
            setup = await read_again(self.options, self.setup, self.balancer.table)
            try:
                changes = await go_over(setup, self.setup, self.balancer, self.orders, self.vrrp)
                await self._follow_setup(setup, len(changes))
            finally:
                self.orders.resume()
        except Exception as error:  # whatever is wrong with a new configuration must not end what runs by the old one
            self.refused = told_refusal(error, self.options.path)
        if self.refused:
            _log.error("the configuration is refused; the one before stays in force: %s", self.refused)
            self.reporter.happened("director", "refused", reason=self.refused)
        self._manager.ready(self._status())
        return not self.refused

    async def _follow_setup(self, setup: Setup, changes: int) -> None:
        """What comes of a reload besides table and VRRP."""
        self.setup = setup
        if setup.configuration.globals.fifo_write_vrrp_states_on_reload:
            self.vrrp.repeat_states()
        await asyncio.to_thread(self.statics.have, statics_of(setup.configuration))
        self.reporter.configure(setup)
        self._synchronise()
        self._collector.spare()
        warn(setup, self.options.make)
        try:
            self.events.reopen()
        except OSError as error:
            _log.error("%s: %s", self.options.event_log, error.strerror)
        self.reloaded_at = time.time()
        _log.info("reloaded: %d changes of the table", changes)
        self.reporter.happened("director", "reloaded", changes=changes)

    def stop(self) -> None:
        """Have it come to its end."""
        self._wanted.put_nowait("stop")

    def leave(self) -> None:
        """End this process at once, as if it was killed: table and addresses stay, and the next director goes on."""
        _log.info("leaving: the table and the addresses stay")
        self.events.close()
        os._exit(0)

    def statuses(self) -> tuple[InstanceStatus, ...]:
        """VRRP's instances."""
        return self.vrrp.states()

    @property
    def is_ready(self) -> bool:
        """Whether VRRP knows of every instance whether its addresses are here."""
        return self._ready

    def enable(self, name: ServerName) -> None:
        """Let configuration and checks decide on a real server again.

        Raises:
            NoSuchServer: there is none.
        """
        self.orders.release(name)
        self.balancer.checks.passive.forgive(name)

    # Ending

    async def _stop(self, listener: Listener | None) -> None:
        self._manager.stopping()
        _log.info("stopping")
        closing = [listener.close()] if listener is not None else []
        await self._tracking.close()
        await asyncio.gather(self.vrrp.stop(), *closing)
        self.reporter.happened("director", "stopped")
        self.sync.stop()
        await self.orders.close()
        await self.balancer.stop()
        await self.at_table.close()
        await asyncio.to_thread(self.statics.have, ())
        await self.reporter.close()
        settings = self.setup.configuration.globals
        await self._run_bounded(settings.shutdown_script, settings.shutdown_script_timeout)

    # What happens

    def _synchronise(self) -> None:
        configuration = self.setup.configuration
        vrids = {instance.name: instance.virtual_router_id for instance in configuration.instances}
        self.sync.configure(configuration.globals.sync_daemon, vrids)

    def _effect(self, effect: Effect) -> None:
        self.reporter.effect(effect)
        if isinstance(effect, TakeAddresses | ReleaseAddresses):
            asyncio.get_running_loop().call_soon(self._rest_or_go_on)
        if isinstance(effect, StateChanged):
            self.sync.follow(effect.instance.name, effect.state)
            if self._ready:
                self._manager.tell(f"STATUS={self._status()}")

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGQUIT, self.leave)
        loop.add_signal_handler(signal.SIGHUP, self._wanted.put_nowait, "reload")
        loop.add_signal_handler(
            signal.SIGUSR1,
            self._dump,
            self.options.data,
            lambda: dumps.data(self.balancer.setup, self.statuses(), self.balancer.pools),
        )
        loop.add_signal_handler(signal.SIGUSR2, self._dump, self.options.stats, lambda: dumps.stats(self.statuses()))

    def _dump(self, path: Path, text: Callable[[], str]) -> None:
        try:
            dumps.write(path, text())
        except OSError as error:
            _log.error("%s can't be written: %s", path, error.strerror)
        except AttributeError:
            _log.warning("%s is not written: the director has only just begun", path)
        else:
            _log.info("%s is written", path)

    async def _follow_host(self) -> bool:
        followed = self.options.make == XDP and await self._have_table_follow()
        self.vrrp.announce_moved()
        return followed

    async def _have_table_follow(self) -> bool:
        if not await self.at_table.do(lags_behind_host):
            return await self.at_table.do(follow_host)
        # Programs may be loaded under the table's lock, which the loop must not wait for: adverts would be late.
        async with self._reloading:
            with self.balancer.table_alone():
                return await self.at_table.do(follow_host)

    def _forget_other_drains(self) -> None:
        """What `directrix drain` remembers of a table without a director is true no more of what is ours now."""
        try:
            weights_here(self.options.make).forget_services({str(key) for key in self.setup.keys})
        except OSError as error:
            _log.warning("weights that were remembered can't be forgotten: %s", error)

    # Looking after itself

    async def _settle(self) -> None:
        """READY as soon as it is known of every instance whether its addresses are here."""
        while not all(_settled(status) for status in self.statuses()):
            await asyncio.sleep(_LOOK)
        self._ready = True
        self._manager.ready(self._status())
        _log.info("ready: %s", self._status())

    async def _keep_alive(self) -> None:
        if self._manager.watchdog is not None:
            while True:
                self._manager.alive()
                await asyncio.sleep(self._manager.watchdog / 3)

    async def _look_around(self) -> None:
        said = ""
        while True:
            try:
                self._rest_or_go_on()
                self._look_for_strangers()
            except Exception as error:  # a fault of ours in one look must not be the end of looking
                if said != (said := repr(error)):
                    _log.exception("looking around")
            await asyncio.sleep(_AROUND)

    def _look_for_strangers(self) -> None:
        for stranger in self.vrrp.strangers():
            name = stranger.interface, stranger.family, stranger.vrid
            if name not in self._strangers:
                self._strangers.add(name)
                who = {"interface": stranger.interface, "source": stranger.source}
                self.reporter.happened("vrrp", "stranger", who, vrid=stranger.vrid)
                level = logging.INFO if self.setup.configuration.globals.log_unknown_vrids else logging.DEBUG
                _log.log(
                    level,
                    "%s uses VRID %d on %s, which nobody has configured here",
                    stranger.source,
                    *name[2:],
                    name[0],
                )

    def _rest_or_go_on(self) -> None:
        self.balancer.suspend(_is_away)

    def _status(self) -> str:
        pools = self.balancer.pools.values()
        quorate = sum(pool.quorum_up for pool in pools)
        words = [f"{quorate} of {len(pools)} virtual servers have their quorum"]
        states = [status.state for status in self.statuses()]
        words += [f"{states.count(state)} {state.name}" for state in State if state in states]
        return ", ".join(words)

    async def _run_bounded(self, script: Script | None, seconds: float) -> None:
        if script is not None:
            await run_command(command(script, self.setup.configuration.globals), seconds)


def _settled(status: InstanceStatus) -> bool:
    if status.state is State.BACKUP:
        return status.master is not None
    return status.state is not State.INITIALIZE


def _is_away(virtual: Virtual) -> bool:
    addresses = [key.address for key in virtual.keys if key.address is not None]
    return bool(addresses) and not any(map(is_here, addresses))
