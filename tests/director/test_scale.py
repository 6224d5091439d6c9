"""Many real servers: two thousand checks a second go on in time while somebody reads everything, or it is reloaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from director_making import setup

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, success
from directrix.director import running_checks, views
from directrix.director.balancer import Balancer
from directrix.director.streaming import in_turns, pieces
from directrix.director.table_work import counts
from directrix.director.told import Checked
from directrix.director.turns import AT_ONCE
from directrix.lvs import RealServer, ServiceKey, ServiceState
from directrix.table.memory import MemoryTable

SERVICES, SERVERS, CHECKED = 100, 100, 20
"""Virtual servers, real servers of each, and those of them that are checked, once a second."""
GOAL = 0.05
"""Seconds within which a result shall be in the table."""


class Ready(Checker):
    """Finds every server well, after the one system call that it takes to wait."""

    async def attempt(self, item: int) -> Outcome:
        await asyncio.sleep(0.001)
        return success()


def configuration() -> str:
    def lines() -> Iterator[str]:
        for service in range(SERVICES):
            yield f"virtual_server 10.0.{service}.1 80 {{\ndelay_loop 1\nlvs_sched wrr\nlvs_method DR\nprotocol TCP"
            for server in range(SERVERS):
                check = "TCP_CHECK { connect_timeout 1\n }" if server < CHECKED else ""
                yield f"real_server 10.{service + 1}.0.{server + 1} 80 {{ weight 1\n {check} }}"
            yield "}"

    return "\n".join(lines())


class Watched:
    """A director, as far as views look at it."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.orders = None


@pytest.mark.slow
def test_checks_go_on_in_time_while_a_table_of_ten_thousand_servers_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[float] = []
    made = 0

    def checked(result: Checked) -> None:
        nonlocal made
        made += 1

    async def feel() -> None:
        """How late this loop is to what is due."""
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - due)

    async def story() -> float:
        table = MemoryTable()
        director: Any = Watched(Balancer(table, lambda told: None, checked=checked))
        monkeypatch.setattr(running_checks, "checker", lambda settings, wires: Ready())
        director.balancer.start(setup(configuration()))
        there = counts(table)
        await asyncio.sleep(1.5)
        feeling = asyncio.create_task(feel())
        nonlocal made
        made, began = 0, time.perf_counter()
        for _ in range(4):
            said = b"".join([part async for part in in_turns(pieces(views.services(director, there)))])
            assert said.count(b'"alive":true') == SERVICES * SERVERS
            async for _ in in_turns(pieces(views.checks(director, 32))):
                pass
        took = time.perf_counter() - began
        feeling.cancel()
        await director.balancer.stop()
        return made / took

    rate = asyncio.run(story())
    late.sort()
    # The tenth that waited longest has waited for a processor, too, where others are at work.
    assert late[len(late) * 9 // 10] < GOAL
    assert rate > SERVICES * CHECKED / 2


class Counting(MemoryTable):
    """A table that counts what is read of it and changed since it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._work = 0

    def work(self) -> int:
        done, self._work = self._work, 0
        return done

    def each_service(self) -> Iterator[ServiceState]:
        for state in self.services():
            self._work += len(state.servers)
            yield state

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        self._work += 1
        super().edit_server(key, server)

    def weights(self) -> set[int]:
        return {entry.server.weight for state in self.services() for entry in state.servers}


def test_a_reload_gives_everybody_else_a_turn_after_each_two_hundred_real_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Counting()
    turns: list[int] = []

    async def take_turns() -> None:
        while True:
            turns.append(table.work())
            await asyncio.sleep(0)

    async def story() -> None:
        monkeypatch.setattr(running_checks, "checker", lambda settings, wires: Ready())
        balancer = Balancer(table, lambda told: None)
        text = configuration()
        balancer.start(setup(text))
        changed = setup(text.replace("weight 1", "weight 3"))
        table.work()
        taking = asyncio.create_task(take_turns())
        changes = await balancer.reload(changed)
        taking.cancel()
        assert len(changes) == SERVICES * SERVERS
        assert table.weights() == {3}
        await balancer.stop()

    asyncio.run(story())
    assert sum(turns) > SERVICES * SERVERS
    assert max(turns) <= 2 * AT_ONCE
