"""Orders carried out while the table is changed, or fails, or a reload is taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from director_making import KEY, NAME, A, B, service, setup
from director_world import World, play

from directrix.director import ordering, turns
from directrix.lvs.errors import InvalidRequest

C = IPv4Address("10.0.0.3")
ONE = (NAME, (A, 80))


def two(more: str = "") -> str:
    return service("10.0.0.1 80 { weight 4\n }", "10.0.0.2 80 { weight 4\n }", more=more)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.01)


def words(world: World) -> list[str]:
    return [what for what, *_ in world.said]


def beside(world: World, before: Callable[[], object]) -> None:
    """Call something before each work at the table."""
    at_table = world.orders._at_table
    do = at_table.do

    async def done(work: Callable[..., object], *args: object) -> object:
        before()
        return await do(work, *args)

    at_table.do = done  # type: ignore[method-assign, assignment]


def test_a_drain_that_is_ordered_while_the_table_is_changed_begins_when_its_weight_is_0_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "AT_ONCE", 1)

    async def story(world: World) -> None:
        assert {world.connect(1000), world.connect(1001)} == {A, B}
        weights: list[int] = []
        reloading = asyncio.create_task(world.reload(two("quorum 1")))
        while world.balancer.in_force.settled.is_set():
            await asyncio.sleep(0)
        await world.orders.drain(ONE, 0.0, expire=True)
        beside(world, lambda: weights.append(world.weights[A]))
        await world.until(lambda: world.balancer.orders[ONE].ended)
        assert reloading.done()
        assert set(weights) == {0}
        assert world.balancer.orders[ONE].expired == 1

    play(story, configuration=two())


@pytest.mark.parametrize(
    "error", [OSError(5, "the process has ended"), InvalidRequest("not now")], ids=("helper", "table")
)
def test_a_drain_goes_on_when_the_table_can_be_looked_at_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        assert {world.connect(1000), world.connect(1001)} == {A, B}
        failures = iter([error] * 3)

        def fail() -> None:
            for failure in failures:
                raise failure

        beside(world, fail)
        with caplog.at_level(logging.ERROR, "directrix.director"):
            await world.orders.drain(ONE, None)
            await world.until(lambda: world.orders.progress(ONE))
        assert [record.getMessage() for record in caplog.records] == [f"{NAME}: 10.0.0.1:80: the drain waits: {error}"]
        assert world.left_at(A) == 1
        world.table.end_connections(KEY, A, 80)
        await world.until(lambda: world.balancer.orders[ONE].ended)
        assert words(world) == ["draining", "drained"]

    play(story, configuration=two())


def test_what_was_ordered_before_a_reload_that_is_taken_back_stands_again() -> None:
    async def story(world: World) -> None:
        assert {world.connect(1000 + number) for number in range(6)} == {A, B, C}
        world.orders.weigh((NAME, (A, 80)), 0)
        await world.orders.drain((NAME, (B, 80)), None)
        await world.until(lambda: world.orders.progress((NAME, (B, 80))))
        before = dict(world.balancer.orders)
        await world.balancer.reload(setup(service("10.0.0.3 80 { weight 4\n drain {\n}\n }")))
        assert not world.balancer.orders
        await world.balancer.reload(setup(three))
        world.orders.restore(before)
        world.orders.resume()
        assert world.balancer.orders == before
        assert world.weights == {A: 0, B: 0, C: 4}
        world.table.end_connections(KEY, B, 80)
        await world.until(lambda: world.balancer.orders[NAME, (B, 80)].ended)

    three = service(*(f"10.0.0.{last} 80 {{ weight 4\n }}" for last in (1, 2, 3)))
    play(story, configuration=three)


def test_one_that_a_reload_has_let_go_does_not_come_back_when_the_reload_is_taken_back() -> None:
    async def story(world: World) -> None:
        world.connect(1000), world.connect(1001)
        await world.reload(one)
        before = dict(world.balancer.orders)
        assert before[ONE].leaves
        await world.balancer.reload(setup(service("10.0.0.2 80 { }", head="192.0.2.2 80")))
        await world.balancer.reload(setup(one))
        world.orders.restore(before)
        world.orders.resume()
        assert (world.balancer.orders, world.balancer.leaving) == ({}, {})
        assert world.weights == {B: 4}

    one = service("10.0.0.2 80 { weight 4\n }", more="drain {\n}")
    play(story, configuration=two("drain {\n}"))
