"""The operator's orders carried out: weights set, drains watched to their end, weights that grow.

Orders are the balancer's to keep and to remember (`Balancer.orders`); here is what goes on about them. Connections are
looked at and ended beside the event loop, for it may take long.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from directrix.checks.pool_values import check_weight
from directrix.director.at_table import AtTable
from directrix.director.balancer import Balancer, NoSuchServer
from directrix.director.leaving import drain_order
from directrix.director.orders import Kind, Order, clock
from directrix.director.table_work import check_ending, end, see
from directrix.director.told import Noted
from directrix.director.virtual import ServerName
from directrix.draining.course import Course, Progress, Seen, Stage
from directrix.draining.leaving import LOOK_SECONDS
from directrix.lvs import Protocol, TableError, endpoint

_log = logging.getLogger("directrix.director")

T = TypeVar("T")


class Ordering:
    """Carries out orders."""

    def __init__(self, balancer: Balancer, at_table: AtTable, happened: Noted) -> None:
        self._balancer = balancer
        self._at_table = at_table
        self._happened = happened
        self._tasks: dict[ServerName, asyncio.Task[None]] = {}
        self._begun: dict[ServerName, Order] = {}
        self._progress: dict[ServerName, Progress] = {}

    # What is ordered

    def weigh(self, name: ServerName, weight: int) -> None:
        """Give a real server a weight, 0 to quiesce it; one that has a `drain` in the configuration is drained so.

        Raises:
            NoSuchServer: there is none.
            ValueError: the weight is out of range.
        """
        drain = self._balancer.drain(name) if not weight else None
        if drain is not None:
            self._begin_drain(name, drain_order(drain, clock()))
            return
        self._order(name, Order(Kind.WEIGHT, clock(), weight))
        self._happened("weight set" if weight else "quiesced", name, {"weight": weight})

    def release(self, name: ServerName) -> None:
        """Let configuration and checks decide again.

        Raises:
            NoSuchServer: there is none.
        """
        self._order(name, None)
        self._happened("enabled", name, {})

    async def drain(
        self, name: ServerName, seconds: float | None, *, expire: bool = False, udp_now: bool = False
    ) -> None:
        """Quiesce a real server and watch its connections end, for so many seconds at most.

        Args:
            name: of virtual server and real server.
            seconds: None for as long as it takes.
            expire: end what is left when time is up.
            udp_now: send its UDP flows elsewhere at once.

        Raises:
            NoSuchServer: there is none.
            TableError: connections shall be ended, and can't be; nothing has changed then.
        """
        self._balancer.server(name)
        if expire or udp_now:
            await self._at_table.do(check_ending, self._balancer.places(name))
        leaves = name in self._balancer.leaving
        order = Order(Kind.DRAIN, clock(), seconds=seconds, expire=expire, udp_now=udp_now, leaves=leaves)
        self._begin_drain(name, order)

    def admit(self, name: ServerName, over: float, weight: int | None = None) -> None:
        """Let a real server's weight grow over so many seconds, from what it is, to what it shall be.

        Args:
            name: of virtual server and real server.
            over: seconds.
            weight: what it grows to; None for what configuration and checks say.

        Raises:
            NoSuchServer: there is none.
            ValueError: the weight is out of range.
        """
        check_weight(weight)
        start = self._balancer.server(name).weight
        order = Order(Kind.ADMIT, clock(), weight, over, start=start)
        # One that has more than it shall have, or all of it, has nothing to grow to.
        if start >= order.target(self._balancer.server(name).checked_weight):
            order = replace(order, seconds=0.0)
        self._order(name, order)
        self._happened("admitting", name, {"over": order.seconds, "weight": weight})

    def resume(self) -> None:
        """Go on with what was ordered before the director was killed, or before it read its configuration again."""
        for name in [name for name in self._tasks if self._balancer.orders.get(name) != self._begun[name]]:
            self._end(name)
        for name, order in self._balancer.orders.items():
            if order.goes_on and name not in self._tasks:
                self._begin(name, order)

    def restore(self, orders: Mapping[ServerName, Order]) -> None:
        """Have what was ordered before a reload that is taken back; `resume` goes on with it.

        Args:
            orders: all that was ordered then.
        """
        for name, order in orders.items():
            if order.leaves is (name in self._balancer.leaving):
                with suppress(NoSuchServer):  # it was on its way out, and the reload has let it go
                    self._balancer.order(name, order)

    def progress(self, name: ServerName) -> Progress | None:
        """How a drain stood when it was last looked at; None before that."""
        return self._progress.get(name)

    async def close(self) -> None:
        """Leave everything as it stands."""
        tasks = list(self._tasks.values())
        for name in list(self._tasks):
            self._end(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    # How it is done

    def _begin_drain(self, name: ServerName, order: Order) -> None:
        self._order(name, order)
        self._happened("draining", name, {"seconds": order.seconds, "then": "expire" if order.expire else "keep"})

    def _order(self, name: ServerName, order: Order | None) -> None:
        if name in self._balancer.leaving and not (order is not None and order.leaves):
            raise NoSuchServer(
                f"the configuration has no real server {endpoint(*name[1])} in virtual server {name[0]} any more, and "
                "it is on its way out: put it back there and reload"
            )
        self._balancer.order(name, order)
        self._end(name)
        if order is not None and order.goes_on:
            self._begin(name, order)

    def _begin(self, name: ServerName, order: Order) -> None:
        work = self._drain(name, order) if order.kind is Kind.DRAIN else self._grow(name, order)
        self._begun[name] = order
        task = self._tasks[name] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._ended(name, done))

    def _end(self, name: ServerName) -> None:
        self._progress.pop(name, None)
        self._begun.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    def _ended(self, name: ServerName, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name], self._begun[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: %s: the order can't be carried out: %s", name[0], endpoint(*name[1]), error)

    def _holds(self, name: ServerName, order: Order) -> bool:
        """Whether this is still what is ordered: a reload has its own way, and `resume` comes only when it is done."""
        return self._balancer.orders.get(name) == order

    async def _grow(self, name: ServerName, order: Order) -> None:
        while self._holds(name, order):
            now = clock()
            due = order.next_step(now, self._balancer.server(name).checked_weight)
            if due is None:
                arrived = None if order.weight is None else Order(Kind.WEIGHT, order.began, order.weight)
                self._balancer.order(name, arrived)
                self._happened("admitted", name, {"weight": self._balancer.server(name).weight})
                return
            self._balancer.order(name, order)
            await asyncio.sleep(max(due - now, 0.0))

    async def _drain(self, name: ServerName, order: Order) -> None:
        # Before its weight is 0 in the table it gets new connections for those that are ended, or seems to have none.
        await self._balancer.in_force.settled.wait()
        if order.udp_now:
            await self._done(name, lambda: self._end_connections(name, Protocol.UDP))
        progress = await self._watch(name, order.began, order.seconds)
        if order.leaves and progress.stage is Stage.TIME_UP and not order.expire:
            # without its server a connection would be lost
            self._balancer.noted("time_up", name, {"left": progress.seen.left})
            progress = await self._watch(name, order.began, None)
        if not self._holds(name, order):
            return
        ended = 0
        if progress.stage is Stage.TIME_UP and order.expire:
            ended = await self._done(name, lambda: self._end_connections(name))
            if not self._holds(name, order):
                return
        left = progress.seen.left if not ended else 0
        if order.leaves:
            self._progress.pop(name, None)
            self._balancer.part(name)
            self._balancer.noted("gone", name, {"expired": ended, "took": round(progress.elapsed, 3)})
            return
        self._balancer.order(name, replace(order, ended=progress.stage.value, left=left, expired=ended))
        took = round(progress.elapsed, 3)
        self._happened(progress.stage.value, name, {"left": left, "expired": ended, "took": took})

    async def _watch(self, name: ServerName, began: float, seconds: float | None) -> Progress:
        course = Course(began, seconds)
        seen = await self._look(name, release=True)
        while (progress := self._looked(name, course, seen)).stage is Stage.GOING:
            left = LOOK_SECONDS if seconds is None else seconds - progress.elapsed
            await asyncio.sleep(min(LOOK_SECONDS, max(left, 0.0)))
            seen = await self._look(name, release=bool(seen.templates))
        return progress

    def _looked(self, name: ServerName, course: Course, seen: Seen) -> Progress:
        # Whatever weight somebody else gave it in the table, here it is 0 until the order is taken back.
        known = seen if seen.weight is None else replace(seen, weight=0)
        progress = self._progress[name] = course.look(known, clock())
        return progress

    async def _look(self, name: ServerName, *, release: bool) -> Seen:
        return await self._done(name, lambda: self._at_table.do(see, self._balancer.places(name), release))

    async def _end_connections(self, name: ServerName, protocol: Protocol | None = None) -> int:
        try:
            return await self._at_table.do(end, self._balancer.places(name), protocol)
        except TableError:  # what is gone meanwhile has no connections
            return 0

    async def _done(self, name: ServerName, work: Callable[[], Awaitable[T]]) -> T:
        """Do it until it is done: a drain outlives that the table, or who looks at it, fails for a while."""
        said = ""
        while True:
            try:
                return await work()
            except (TableError, OSError) as error:
                if said != (said := str(error)):
                    _log.error("%s: %s: the drain waits: %s", name[0], endpoint(*name[1]), error)
            await asyncio.sleep(LOOK_SECONDS)
