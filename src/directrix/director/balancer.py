"""The half of the director that balances: checks run, pools decide, the table follows, and others are told.

A check's result goes to its pool in the same turn of the loop in which it is known, and what the pool decides goes to
the table in the same turn: nothing lies in between that could wait. Scripts, pipes and mail come after that.

    balancer = Balancer(table, told, memory)
    balancer.start(setup)
    await balancer.reload(another)
    await balancer.stop()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from directrix.checks.actions import Action, ServerKey, TellGrowth, TellQuorum, TellServer
from directrix.checks.engine import Report
from directrix.checks.pool import Pool
from directrix.checks.pool_values import ServerView
from directrix.director.in_force import InForce
from directrix.director.keeper import Keeper
from directrix.director.leaving import Leaving, leaving_order, newly_leaving, still_leaving, with_leaving
from directrix.director.memory import Belief, Memory, Remembered
from directrix.director.orders import Order, clock
from directrix.director.passive import Figures, PassiveHealth
from directrix.director.plan import Change, WantedService
from directrix.director.remembering import Recall, names, to_remember
from directrix.director.running_checks import RunningChecks, log_result
from directrix.director.setup import Setup
from directrix.director.table_work import handshakes
from directrix.director.told import Checked, CheckName, Noted, Told
from directrix.director.turns import in_turns, pausing
from directrix.director.virtual import ServerName, Virtual
from directrix.director.waking import Waking
from directrix.keepalived.values import Drain, FlushOnStop, LvsTimeouts, RealServer
from directrix.lvs import ServiceKey, TableError, Timeouts, endpoint
from directrix.table.interface import Table

_log = logging.getLogger("directrix.director")

_MEND = 1.0
"""Seconds between two looks whether what the table refused can be done now."""
_STEP = 0.05
"""Seconds from one step of a pool's weights that grow to the next, at least."""


class NoSuchServer(LookupError):
    """There is no virtual server, or no real server in it, of that name."""


class Balancer:
    """Balances by one setup at a time."""

    def __init__(
        self,
        table: Table,
        told: Callable[[Told], None],
        memory: Memory | None = None,
        *,
        keep_others: bool = False,
        checked: Callable[[Checked], None] = lambda checked: None,
        noted: Noted = lambda what, name, more: None,
        handshakes: Callable[[Sequence[ServiceKey]], Awaitable[Figures | None]] | None = None,
    ) -> None:
        """Nothing happens yet.

        Args:
            table: what follows.
            told: is called with what others are to be told, after the table has followed.
            memory: what outlives the process; None to do without.
            keep_others: services that are in no configuration of ours are somebody else's and stay.
            checked: is called with each result of a check, after the table has followed.
            noted: is called with what else happens to a real server: its weight grows, it is on its way out.
            handshakes: reads those of some services, for passive health; None to ask the table itself.
        """
        self.pools: dict[str, Pool] = {}
        self.orders: dict[ServerName, Order] = {}
        """What the operator has ordered."""
        self.in_force = InForce(table)
        self._told = told
        self._checked = checked
        self.noted = noted
        self.leaving: dict[ServerName, RealServer] = {}
        """Servers that the configuration has no more, while they are drained."""
        self._keeper = None if memory is None else Keeper(memory, self._to_remember)
        self._beliefs: dict[tuple[str, str, str], Belief] = {}
        self._keep_others = keep_others
        self._own: frozenset[ServiceKey] = frozenset()
        self._mending: asyncio.TimerHandle | None = None
        self._reloading = False
        self._parting: list[ServerName] = []
        self._growing = Waking(self._grow)
        passive = PassiveHealth(handshakes or self._handshakes, self.server, self.places)
        self.checks = RunningChecks(self._hear, passive)

    # Beginning, going on, ending

    def start(self, setup: Setup) -> tuple[Change, ...]:
        """Have the table as the setup says, from whatever is in it, and begin to check. Gives what changed.

        Raises:
            Refused: a checker can't be made; nothing has changed then.
            TableError: the table refuses.
        """
        loop = asyncio.get_running_loop()
        made = self.checks.made(dict(setup.each_check()))
        remembered = self._keeper.memory.recall() if self._keeper is not None else Remembered()
        self._own = remembered.services
        self.in_force.budgets = remembered.budgets
        recall = Recall(remembered)
        self.leaving = recall.leaving(setup)
        self._configured, self.setup = setup, with_leaving(setup, self.leaving)
        setup = self.setup
        self.orders = recall.orders(_servers(setup), self.leaving)
        self._order_leaving(self.leaving)
        flush = setup.configuration.globals.lvs_flush
        actions: list[tuple[Virtual, list[Action]]] = []
        for virtual in setup.virtuals.values():
            actions.append((virtual, self._new_pool(virtual, recall, loop.time())))
        changes = self.in_force.have(self._wanted(), (lambda key: True) if flush else self._ours)
        self._own = setup.keys
        self._set_timeouts()
        self._beliefs = dict(self._believed())
        for virtual, done in actions:
            self._tell(virtual, done)
        self.checks.begin(made, lambda name: remembered.beliefs.get(names(name)))
        self._watch_growing()
        self._remember()
        return changes

    async def reload(self, setup: Setup) -> tuple[Change, ...]:
        """Go on by another setup; what is the same in both goes on as it is. Gives what changed.

        It is done in turns, in which checks go on and what they find is heard. Pools change all in one of them; the
        table follows, all at once when everything is in it.

        Raises:
            Refused: a checker can't be made; nothing has changed then.
            TableError: the table refuses, for a reason that could not be foreseen.
        """
        configured = setup
        each = ((one.name, setup.pool_settings(one)) for one in setup.virtuals.values())
        settings = dict(await in_turns(pausing(each, lambda one: len(one[1].servers))))
        before, now = self.setup, asyncio.get_running_loop().time()
        old, new = dict(before.each_check()), dict(setup.each_check())
        made = self.checks.made({name: check for name, check in new.items() if old.get(name) != check})
        believed = await self.checks.end([name for name, check in old.items() if new.get(name) != check])
        # From here on nothing waits: nobody on his way out can go in between. In the turns that follow, `part` waits.
        staying = still_leaving(self.leaving, setup)
        going = newly_leaving(self._configured, setup, self._stands)
        down = [name for name in going if self.server(name).alive]
        back = self.leaving.keys() & frozenset(_servers(setup))
        self._configured, self.leaving = setup, staying | going
        setup = self.setup = with_leaving(setup, self.leaving)
        self._own |= setup.keys
        for virtual_name, key in back:
            self.orders.pop((virtual_name, key), None)
            self.pools[virtual_name].hold(key, None, now)
        actions: list[tuple[Virtual, list[Action]]] = []
        for gone in [name for name in self.pools if name not in setup.virtuals]:
            actions.append((before.virtuals[gone], self.pools.pop(gone).stop(now)))
        for virtual in setup.virtuals.values():
            pool = self.pools.get(virtual.name)
            if pool is None:
                actions.append((virtual, self._new_pool(virtual, Recall(Remembered()), now)))
            else:
                same = configured.virtuals.get(virtual.name) is virtual
                fresh = settings[virtual.name] if same else setup.pool_settings(virtual)
                actions.append((virtual, pool.reload(fresh, now)))
        self._order_leaving(going)
        for virtual_name, key in going:
            self.pools[virtual_name].hold(key, 0, now)
        servers = frozenset(_servers(setup))
        self.orders = {name: order for name, order in self.orders.items() if name in servers}
        self._beliefs = dict(self._believed())
        self._reloading = True
        try:
            changes = await in_turns(self.in_force.having(self._wanted(), self._ours))
            self._own = setup.keys
            self._set_timeouts()
        finally:
            self._watch_astray()
            self.checks.begin(made, believed.get)
            self._remember()
            self._watch_growing()
            try:
                await in_turns(pausing(self._telling(actions, before)))
                self._tell_leaving(going, down, back)
            finally:
                self._reloading = False
                parting, self._parting = self._parting, []
                for parted in parting:
                    self.part(parted)
        return changes

    async def stop(self) -> None:
        """End the checks, and take out of the table what is ours, as `lvs_flush_on_stop` says."""
        await self.checks.close()
        self._growing.close()
        if self._mending is not None:
            self._mending.cancel()
        now = asyncio.get_running_loop().time()
        actions = [(self.setup.virtuals[name], pool.stop(now)) for name, pool in self.pools.items()]
        try:
            if self.setup.configuration.globals.lvs_flush_on_stop is FlushOnStop.ALL:
                self.table.flush()
            else:
                self.in_force.have((), lambda key: key in self._own)
        except TableError as error:
            _log.error("the table can't be cleared: %s", error)
        for virtual, done in actions:
            self._tell(virtual, done)
        if self._keeper is not None:
            await self._keeper.close()
            self._keeper.memory.forget()

    @property
    def table(self) -> Table:
        """What follows."""
        return self.in_force.table

    # What others may ask and do

    def server(self, name: ServerName) -> ServerView:
        """How a real server stands.

        Raises:
            NoSuchServer: there is none.
        """
        virtual, key = name
        if virtual not in self.pools:
            raise NoSuchServer(f"there is no virtual server {virtual!r}")
        try:
            return self.pools[virtual].server(key)
        except KeyError:
            raise NoSuchServer(f"virtual server {virtual} has no real server {endpoint(*key)}") from None

    def places(self, name: ServerName) -> list[tuple[ServiceKey, ServerKey]]:
        """Where a real server stands in the table, if it does; nowhere once it is configured no more."""
        virtual = self.setup.virtuals.get(name[0])
        return [] if virtual is None or name[1] not in virtual.real_servers else list(virtual.places(name[1]))

    def drain(self, name: ServerName) -> Drain | None:
        """How a real server is drained by the configuration, if it is."""
        virtual = self.setup.virtuals.get(name[0])
        server = None if virtual is None else virtual.real_servers.get(name[1])
        return None if server is None else server.drain

    def order(self, name: ServerName, order: Order | None) -> None:
        """The operator's order for a real server from now on; None lets configuration and checks decide again.

        Raises:
            NoSuchServer: there is none.
            ValueError: the weight is out of range.
        """
        checked = self.server(name).checked_weight
        held = None if order is None else order.held(clock(), checked)
        virtual, key = name
        actions = self.pools[virtual].hold(key, held, asyncio.get_running_loop().time())
        if order is None:
            self.orders.pop(name, None)
        else:
            self.orders[name] = order
        self._follow(virtual, actions)
        self._tell(self.setup.virtuals[virtual], actions)
        self._remember()

    @contextmanager
    def table_alone(self) -> Iterator[None]:
        """Leave the table alone, while somebody else has its lock; what is to be changed meanwhile is done at the end.

        Not while a configuration is changed.
        """
        try:
            with self.in_force.held_back():
                yield
        finally:
            self._watch_astray()

    def part(self, name: ServerName) -> None:
        """A server that was on its way out goes; while a configuration is changed, when that is done."""
        if self._reloading:
            self._parting.append(name)
            return
        if name not in self.leaving:
            return
        pool, virtual = self.pools[name[0]], self.setup.virtuals[name[0]]
        setup = with_leaving(self._configured, {one: server for one, server in self.leaving.items() if one != name})
        actions = pool.reload(setup.pool_settings(setup.virtuals[name[0]]), asyncio.get_running_loop().time())
        self._follow(name[0], actions)
        self._tell(virtual, actions)
        del self.leaving[name]
        self.orders.pop(name, None)
        self.setup = setup
        self._remember()

    def suspend(self, away: Callable[[Virtual], bool]) -> None:
        """Let the checks rest of virtual servers with `ha_suspend` whose VIP is `away`, and no others."""
        self.checks.suspend(self.setup, away)

    # What happens

    def _hear(self, name: CheckName, report: Report) -> None:
        virtual, server, check = name
        actions: list[Action] = []
        if report.verdict is not None and virtual in self.pools:
            found, now = report.result.outcome, asyncio.get_running_loop().time()
            pool = self.pools[virtual]
            actions = pool.report(server, check, report.verdict, now, weight=found.weight, standing=found.standing)
            self._follow(virtual, actions)
            known = pool.checker(server, check)
            belief = Belief(known.up, known.adds)
            if self._beliefs.get(names(name)) != belief:
                self._beliefs[names(name)] = belief
                self._remember()
        log_result(name, report, all_failures=self.setup.check(name).timing.log_all_failures)
        if actions:
            self._tell(self.setup.virtuals[virtual], actions, cause=f"{check}: {report.result.outcome.detail}")
        turned = any(isinstance(action, TellServer) for action in actions)
        self._checked(Checked(name, report, turned))

    def _follow(self, name: str, actions: list[Action]) -> None:
        if actions:
            self.in_force.adjust(self.setup.virtuals[name].adjusted(actions))
            self._watch_astray()
            self._watch_growing(name)

    def _grow(self, name: str) -> None:
        if name in self.pools:
            actions = self.pools[name].grow(asyncio.get_running_loop().time())
            self._follow(name, actions)
            self._tell(self.setup.virtuals[name], actions)
            self._watch_growing(name)

    def _watch_growing(self, *names: str) -> None:
        now = asyncio.get_running_loop().time()
        for name in names or tuple(self.pools):
            due = self.pools[name].next_step()
            self._growing.at(name, None if due is None else max(due, now + _STEP))

    def _stands(self, name: ServerName) -> bool:
        return name[0] in self.pools and self.server(name).in_table

    def _order_leaving(self, leaving: Leaving) -> None:
        for name, server in leaving.items():
            self.orders[name] = leaving_order(server, self.orders.get(name), clock())

    def _tell_leaving(self, going: Leaving, down: Iterable[ServerName], back: Iterable[ServerName]) -> None:
        """One on its way out is told of as down when that begins, and as up if it comes back from there."""
        for name in going:
            order = self.orders[name]
            self.noted("leaving", name, {"seconds": order.seconds, "then": "expire" if order.expire else "keep"})
        up = [name for name in back if self.server(name).alive]
        for turned, is_up in ((down, False), (up, True)):
            for virtual, key in turned:
                self._told(Told(self.setup.virtuals[virtual], TellServer(key, is_up)))

    def _telling(self, done: Iterable[tuple[Virtual, list[Action]]], before: Setup) -> Iterator[Action]:
        for virtual, actions in done:
            for action in actions:
                self._tell(virtual, [action], before)
                yield action

    def _tell(
        self, virtual: Virtual, actions: Iterable[Action], before: Setup | None = None, *, cause: str = ""
    ) -> None:
        for action in actions:
            match action:
                case TellServer(key) if (virtual.name, key) in self.leaving:
                    pass
                case TellGrowth(key, weight, over):
                    self.noted("grown" if over is None else "growing", (virtual.name, key), _growth(weight, over))
                    self._remember()
                case TellServer(key) if before is not None and key not in virtual.real_servers:
                    self._told(Told(before.virtuals[virtual.name], action))
                case TellServer() | TellQuorum():
                    self._told(Told(virtual, action, cause))

    def _watch_astray(self) -> None:
        if self.in_force.astray and self._mending is None:
            self._mending = asyncio.get_running_loop().call_later(_MEND, self._mend)

    def _mend(self) -> None:
        self._mending = None
        self.in_force.mend()
        self._watch_astray()

    def _remember(self) -> None:
        if self._keeper is not None:
            self._keeper.soon()

    def _believed(self) -> Iterator[tuple[tuple[str, str, str], Belief]]:
        for name, _ in self.setup.each_check():
            known = self.pools[name[0]].checker(name[1], name[2])
            if known.has_run:
                yield names(name), Belief(known.up, known.adds)

    def _to_remember(self) -> Remembered:
        return to_remember(self._own, self._beliefs, self.orders, self.pools, self.leaving, self.in_force.budgets)

    # Small things

    def _ours(self, key: ServiceKey) -> bool:
        return not self._keep_others or key in self._own

    def _wanted(self) -> Iterator[WantedService]:
        for name, pool in self.pools.items():
            yield from self.setup.virtuals[name].wanted(pool.table(), pool.sorry_in)

    def _new_pool(self, virtual: Virtual, recall: Recall, now: float) -> list[Action]:
        pool = self.pools[virtual.name] = Pool(self.setup.pool_settings(virtual))
        actions = pool.start(now, recall.outcomes(virtual, self.setup))
        for key in virtual.real_servers:
            order = self.orders.get((virtual.name, key))
            if order is not None:
                actions += pool.hold(key, order.held(clock(), pool.server(key).checked_weight), now)
        return actions + pool.resume(recall.growths(virtual), now)

    async def _handshakes(self, keys: Sequence[ServiceKey]) -> Figures | None:
        return handshakes(self.table, keys)

    def _set_timeouts(self) -> None:
        wanted = self.setup.configuration.globals.lvs_timeouts
        if wanted != LvsTimeouts():
            self.table.set_timeouts(Timeouts(wanted.tcp, wanted.tcp_fin, wanted.udp))


def _growth(weight: int, over: float | None) -> dict[str, object]:
    return {"weight": weight} if over is None else {"weight": weight, "over": over}


def _servers(setup: Setup) -> Iterator[ServerName]:
    for virtual in setup.virtuals.values():
        for key in virtual.real_servers:
            yield virtual.name, key
