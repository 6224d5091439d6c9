"""Whatever is reloaded, ordered, ended and killed: the table is as the director means it, and who shall go goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from director_making import service, setup
from director_world import World

from directrix.director import ordering
from directrix.director.balancer import NoSuchServer
from directrix.director.memory import Memory
from directrix.director.refusal import Refused
from directrix.keepalived import FaultyConfiguration
from directrix.lvs import TableError
from directrix.table.memory import MemoryTable

STEPS = 40
DRAINS = ("", "drain {\n}", "drain {\ndeadline 0.01\n}", "drain {\ndeadline 0.01\nthen expire\nudp leave\n}")
SLOW_STARTS = ("", "slow_start 0.05", "slow_start 3600")
BUDGETS = ("", "budget {\nrate 5000\n}", "budget {\nrate 1000\n}")
SORRY = ("", "", "sorry_server 10.0.0.1 80", "sorry_server 10.0.0.9 8080")


class History:
    """A director, and what comes to it."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = Random(seed)
        self.memory = Memory(directory / "memory.json")
        self.table = MemoryTable()
        self.world = World(self.table, self.configuration(), self.memory)
        self.port = 2000

    def configuration(self) -> str:
        """One that makes sense."""
        choice = self.random.choice
        while True:
            servers = [
                f"10.0.0.{last} {choice((80, 80, 8080))} {{ weight {choice((0, 1, 5, 50))}\n {choice(DRAINS)}\n }}"
                for last in (1, 2, 3)
                if self.random.random() < 0.6
            ]
            more = [choice(DRAINS), choice(SLOW_STARTS), choice(BUDGETS), choice(SORRY), f"quorum {choice((1, 1, 40))}"]
            found = service(*servers, more="\n".join(more), scheduler="wlc") if servers else ""
            if choice((True, False)):
                found += service("10.0.0.7 80 { weight 3\n }", head="192.0.2.2 80", more=choice(DRAINS))
            with suppress(Refused, FaultyConfiguration):
                setup(found)
                return found

    async def reload(self) -> None:
        await self.world.reload(self.configuration())

    async def connect(self) -> None:
        with suppress(TableError):
            for _ in range(5):
                self.port += 1
                self.world.connect(self.port)

    async def order(self) -> None:
        virtuals = self.world.balancer.setup.virtuals.values()
        names = [(virtual.name, key) for virtual in virtuals for key in virtual.real_servers]
        if not names:
            return
        name, orders = self.random.choice(names), self.world.orders
        with suppress(NoSuchServer, TableError):  # on its way out; not in the table
            match self.random.choice(("weigh", "quiesce", "drain", "admit", "release")):
                case "weigh":
                    orders.weigh(name, 9)
                case "quiesce":
                    orders.weigh(name, 0)
                case "drain":
                    await orders.drain(name, self.random.choice((None, 0.0)), expire=self.random.choice((True, False)))
                case "admit":
                    orders.admit(name, self.random.choice((0.0, 0.02)), self.random.choice((None, 7)))
                case "release":
                    orders.release(name)

    async def end_connections(self) -> None:
        for state in self.table.services():
            for entry in state.servers:
                self.table.end_connections(state.service.key, *entry.server.key)

    async def be_killed(self) -> None:
        await self.world.stop_hard(self.memory)
        self.world = World(self.table, self.configuration(), self.memory)
        self.world.orders.resume()

    async def wait(self) -> None:
        await asyncio.sleep(self.random.choice((0.0, 0.01, 0.06)))

    def is_as_meant(self) -> None:
        balancer = self.world.balancer
        assert {name for name, order in balancer.orders.items() if order.leaves} == set(balancer.leaving)
        virtuals, pools = balancer.setup.virtuals, balancer.pools
        wanted = [want for name, pool in pools.items() for want in virtuals[name].wanted(pool.table(), pool.sorry_in)]
        assert {want.service.key: set(want.servers) for want in wanted} == {
            state.service.key: {entry.server for entry in state.servers} for state in self.table.services()
        }
        budgets = {want.service.key: want.budget for want in wanted if want.budget is not None}
        assert {key: state.budget for key, state in self.table.budgets().items()} == budgets


@pytest.mark.parametrize("seed", range(6))
def test_the_table_is_as_the_director_means_it_after_every_step(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.002)

    async def story() -> None:
        history = History(seed, tmp_path)
        steps: list[Callable[[], Awaitable[None]]] = [
            *(3 * [history.reload, history.connect]),
            *(2 * [history.order]),
            *(history.end_connections, history.be_killed, history.wait),
        ]
        for _ in range(STEPS):
            await history.random.choice(steps)()
            history.is_as_meant()
            await asyncio.sleep(0)
            history.is_as_meant()
        await history.end_connections()
        await history.world.until(lambda: not history.world.balancer.leaving)
        history.is_as_meant()
        await history.world.orders.close()
        await history.world.balancer.stop()
        assert history.table.services() == []

    asyncio.run(story())
