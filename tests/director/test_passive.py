"""Passive health as a reason to take a real server out: what handshakes say becomes quiescing, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from director_making import KEY, NAME, A, B, service, setup

from directrix.checks.actions import ServerKey
from directrix.director import passive
from directrix.director.balancer import Balancer
from directrix.director.memory import Belief, Memory, Remembered
from directrix.director.told import Checked, Told
from directrix.lvs import Address, ServiceKey
from directrix.lvs.handshakes import Handshakes
from directrix.table.memory import MemoryTable

CONFIGURATION = service(
    "10.0.0.1 80 { weight 3\n }",
    "10.0.0.2 80 { weight 3\n }",
    "10.0.0.3 80 { weight 3\n }",
    more="quorum 3\npassive_health { hold 60\n }",
)
C = A + 2
ONE = (NAME, (A, 80))


def of(share: float) -> Handshakes:
    """A server of whose recent connections this part completes."""
    return Handshakes(begun=1000, completed=int(1000 * share), recent_begun=100.0, recent_completed=100.0 * share)


@dataclass
class World:
    """A balancer, the handshakes it sees, and a clock that jumps."""

    balancer: Balancer
    table: MemoryTable
    shares: dict[Address, float] = field(default_factory=lambda: {A: 1.0, B: 1.0, C: 1.0})
    told: list[Told] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    now: float = 1000.0

    async def read(self, keys: Sequence[ServiceKey]) -> Mapping[ServiceKey, Mapping[ServerKey, Handshakes]]:
        assert keys == (KEY,)
        return {KEY: {(address, 80): of(share) for address, share in self.shares.items()}}

    @property
    def weights(self) -> dict[Address, int]:
        return {entry.server.address: entry.server.weight for entry in self.table.service(KEY).servers}

    async def judge(self, seconds: float = 2.0) -> None:
        self.now += seconds
        await self.balancer.checks.passive.judge_all()


def play(story: Callable[[World], Awaitable[None]], monkeypatch: object, memory: Memory | None = None) -> None:
    async def played() -> None:
        table = MemoryTable()
        world: World

        async def read(keys: Sequence[ServiceKey]) -> Mapping[ServiceKey, Mapping[ServerKey, Handshakes]]:
            return await world.read(keys)

        balancer = Balancer(
            table,
            lambda told: world.told.append(told),
            memory,
            checked=lambda checked: world.checked.append(checked),
            handshakes=read,
        )
        world = World(balancer, table)
        monkeypatch.setattr(passive, "clock", lambda: world.now)  # type: ignore[attr-defined]
        balancer.start(setup(CONFIGURATION))
        async with asyncio.timeout(30):
            while len(balancer.checks.passive.watched) < 3:
                await asyncio.sleep(0)
        try:
            await story(world)
        finally:
            await balancer.stop()

    asyncio.run(played())


def test_a_server_far_below_its_peers_is_quiesced_told_of_and_comes_back_on_trial(monkeypatch: object) -> None:
    async def story(world: World) -> None:
        await world.judge()
        world.told.clear()
        world.shares[A] = 0.0
        await world.judge()
        assert world.weights == {A: 0, B: 3, C: 3}
        assert [(told.action.up, told.cause.partition(":")[0]) for told in world.told] == [(False, "passive_health")]
        history = world.balancer.checks.history((*ONE, "passive_health"))
        assert history.last is not None
        assert "0% of some" in history.last.outcome.detail
        assert history.last.outcome.detail.endswith("out for 60 s")
        view = world.balancer.server(ONE)
        assert (view.alive, view.quiesced, view.in_table) == (False, True, True)
        await world.judge(59.0)
        assert world.weights == {A: 0, B: 3, C: 3}
        await world.judge(2.0)
        assert world.weights == {A: 3, B: 3, C: 3}

        # As poor as before, it goes again, for twice as long.
        await world.judge()
        assert world.weights[A] == 0
        await world.judge(118.0)
        assert world.weights[A] == 0
        world.shares[A] = 1.0
        await world.judge(2.0)
        await world.judge()
        assert world.weights[A] == 3
        assert history.last.outcome.detail.startswith("good")

    play(story, monkeypatch)


def test_a_flood_that_lowers_everybody_s_share_takes_nobody_out(monkeypatch: object) -> None:
    async def story(world: World) -> None:
        world.shares = dict.fromkeys(world.shares, 0.1)
        await world.judge()
        assert world.weights == {A: 3, B: 3, C: 3}

    play(story, monkeypatch)


def test_the_operator_brings_one_back_at_once(monkeypatch: object) -> None:
    async def story(world: World) -> None:
        world.shares[A] = 0.0
        await world.judge()
        assert world.weights[A] == 0
        world.balancer.checks.passive.forgive(ONE)
        assert world.weights[A] == 3

    play(story, monkeypatch)


def test_who_was_out_before_a_crash_is_out_after_it_and_comes_back_in_time(monkeypatch: object, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.json")
    memory.keep(Remembered(beliefs={(NAME, "10.0.0.1:80", "passive_health"): Belief(False)}))

    async def story(world: World) -> None:
        assert world.weights == {A: 0, B: 3, C: 3}
        await world.judge()
        await world.judge(59.0)
        assert world.weights[A] == 0
        await world.judge(2.0)
        assert world.weights[A] == 3

    play(story, monkeypatch, memory)


def test_without_the_keyword_any_more_a_server_is_in_again(monkeypatch: object) -> None:
    async def story(world: World) -> None:
        world.shares[A] = 0.0
        await world.judge()
        await world.balancer.reload(setup(CONFIGURATION.replace("passive_health { hold 60\n }", "")))
        assert world.weights == {A: 3, B: 3, C: 3}
        assert not world.balancer.checks.passive.watched

    play(story, monkeypatch)
