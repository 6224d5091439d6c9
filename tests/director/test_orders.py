"""The operator's orders: what weight they come to, how they are carried out, and what becomes of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from director_making import KEY, NAME, PLAIN, VIP, A, B, service, setup
from director_world import World, play

from directrix.director import ordering
from directrix.director.balancer import NoSuchServer
from directrix.director.orders import Kind, Order
from directrix.lvs import Address, Protocol, ServiceKey
from directrix.lvs.errors import UnknownToIpvs
from directrix.table.memory import MemoryTable

ONE, TWO = (NAME, (A, 80)), (NAME, (B, 80))


def test_an_order_is_a_weight() -> None:
    assert Order(Kind.WEIGHT, 0.0, 7).held(99.0, 3) == 7
    assert Order(Kind.DRAIN, 0.0).held(99.0, 3) == 0


def test_an_admission_grows_to_what_checks_say_even_as_they_change_it_and_then_is_no_order_any_more() -> None:
    order = Order(Kind.ADMIT, 100.0, seconds=10.0)
    assert [order.held(100.0 + elapsed, 20) for elapsed in (0, 1, 5, 9.9)] == [1, 2, 10, 19]
    assert order.held(105.0, 100) == 50
    assert order.held(110.0, 20) is None
    assert order.next_step(109.9, 20) == 110.0
    assert order.next_step(110.0, 20) is None
    to_seven = Order(Kind.ADMIT, 0.0, 7, 10.0, start=2)
    assert [to_seven.held(elapsed, 20) for elapsed in (0.0, 5.0, 10.0)] == [2, 4, 7]


def test_a_drain_ends_when_the_last_connection_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.01)

    async def story(world: World) -> None:
        assert {world.connect(1000 + number) for number in range(4)} == {A, B}
        await world.orders.drain(ONE, None)
        assert world.weights == {A: 0, B: 2}
        assert {world.connect(2000 + number) for number in range(4)} == {B}
        await world.until(lambda: world.orders.progress(ONE))
        assert world.balancer.orders[ONE].goes_on
        assert world.left_at(A) == 2
        world.table.end_connections(KEY, A, 80)
        await world.until(lambda: not world.balancer.orders[ONE].goes_on)
        assert world.balancer.orders[ONE].ended == "drained"
        assert world.weights == {A: 0, B: 2}
        assert [what for what, *_ in world.said] == ["draining", "drained"]
        world.orders.release(ONE)
        assert world.weights == {A: 1, B: 2}
        assert world.balancer.orders == {}

    play(story)


@pytest.mark.parametrize(("expire", "left", "expired"), [(False, 2, 0), (True, 0, 2)])
def test_at_its_deadline_a_drain_keeps_or_ends_what_is_left(expire: bool, left: int, expired: int) -> None:
    async def story(world: World) -> None:
        for number in range(4):
            world.connect(1000 + number)
        await world.orders.drain(ONE, 0.0, expire=expire)
        await world.until(lambda: not world.balancer.orders[ONE].goes_on)
        order = world.balancer.orders[ONE]
        assert (order.ended, order.left, order.expired) == ("time_up", left, expired)
        assert world.left_at(A) == left

    play(story)


def test_clients_of_a_persistent_service_are_let_go() -> None:
    async def story(world: World) -> None:
        first = world.connect(1000)
        assert first is not None
        other = B if first == A else A
        await world.orders.drain((NAME, (first, 80)), None)
        await world.until(lambda: world.orders.progress((NAME, (first, 80))))
        assert world.connect(1001) == other

    text = service("10.0.0.1 80 { weight 1\n }", "10.0.0.2 80 { weight 1\n }", more="persistence_timeout 300")
    play(story, configuration=text)


def test_a_drain_that_shall_end_connections_where_that_can_t_be_done_changes_nothing() -> None:
    class IpvsLike(MemoryTable):
        def count_connections(
            self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None
        ) -> int:
            raise UnknownToIpvs("this")

    async def story(world: World) -> None:
        with pytest.raises(UnknownToIpvs):
            await world.orders.drain(ONE, 1.0, expire=True)
        with pytest.raises(NoSuchServer):
            await world.orders.drain((NAME, (VIP, 80)), None)
        assert world.weights == {A: 1, B: 2}
        assert world.balancer.orders == {}
        assert world.said == []

    play(story, IpvsLike())


def test_a_weight_grows_and_then_configuration_and_checks_decide() -> None:
    heavy = PLAIN.replace("weight 1", "weight 100")

    async def story(world: World) -> None:
        world.orders.weigh(ONE, 0)
        seen: set[int] = set()
        world.orders.admit(ONE, 0.2)
        while ONE in world.balancer.orders:
            seen.add(world.weights[A])
            await asyncio.sleep(0.001)
        assert world.weights == {A: 100, B: 2}
        assert seen <= set(range(1, 101))
        assert len(seen) > 2
        assert [what for what, *_ in world.said] == ["quiesced", "admitting", "admitted"]

    play(story, configuration=heavy)


def test_a_weight_that_grows_to_another_one_stays_there_until_it_is_given_back() -> None:
    async def story(world: World) -> None:
        world.orders.admit(ONE, 0.01, 9)
        await world.until(lambda: world.weights[A] == 9 and not world.balancer.orders[ONE].goes_on)
        assert world.balancer.orders[ONE].kind is Kind.WEIGHT
        await world.balancer.reload(setup(PLAIN.replace("weight 1", "weight 3")))
        assert world.weights == {A: 9, B: 2}
        with pytest.raises(ValueError, match="weight"):
            world.orders.admit(ONE, 1.0, 1 << 31)

    play(story)


def test_a_server_that_is_no_longer_configured_is_nobody_s_order_any_more() -> None:
    async def story(world: World) -> None:
        for number in range(4):
            world.connect(1000 + number)
        await world.orders.drain(ONE, None)
        await world.balancer.reload(setup(service("10.0.0.2 80 { weight 2\n }")))
        world.orders.resume()
        assert world.balancer.orders == {}
        await world.balancer.reload(setup(PLAIN))
        assert world.weights == {A: 1, B: 2}

    play(story)


def test_after_a_crash_a_drain_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.01)

    async def story(world: World) -> None:
        for number in range(4):
            world.connect(1000 + number)
        await world.orders.drain(ONE, 3600.0)
        await world.until(lambda: world.orders.progress(ONE))
        await world.orders.close()
        world.orders = world.made()
        world.orders.resume()
        with suppress(KeyError):
            await world.until(lambda: world.orders.progress(ONE))
        world.table.end_connections(KEY, A, 80)
        await world.until(lambda: world.balancer.orders[ONE].ended == "drained")

    play(story)
