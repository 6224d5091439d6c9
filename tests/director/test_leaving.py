"""Servers that a reload takes out while they have connections: drained, told of, brought back, gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from director_making import KEY, NAME, PLAIN, A, B, service, setup
from director_world import World, play

from directrix.director import ordering, table_work, turns
from directrix.director.balancer import NoSuchServer
from directrix.director.exposition import of_drains
from directrix.director.leaving import newly_leaving, with_leaving
from directrix.director.memory import Memory, Remembered
from directrix.director.orders import Kind
from directrix.keepalived.values import Drain, RealServer
from directrix.lvs import ForwardingMethod, Protocol, ServiceKey, Tunnel, TunnelFlags, TunnelType
from directrix.lvs.errors import UnknownToIpvs
from directrix.table.memory import MemoryTable

ONE, TWO = (NAME, (A, 80)), (NAME, (B, 80))


def two(drain: str = "drain {\n}", *, more: str = "") -> str:
    return service("10.0.0.1 80 { weight 4\n }", f"10.0.0.2 80 {{ weight 4\n {more} }}", more=drain)


def one(drain: str = "drain {\n}") -> str:
    return service("10.0.0.2 80 { weight 4\n }", more=drain)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.01)


def connected(world: World) -> None:
    assert {world.connect(1000 + number) for number in range(4)} == {A, B}


def words(world: World) -> list[str]:
    return [what for what, *_ in world.said]


@pytest.mark.parametrize(
    ("before", "after", "stands", "expected"),
    [
        (two(), one(), True, Drain()),
        (two(""), one(""), True, None),
        (two(), one(), False, None),
        (two("drain {\ndeadline 5\n}"), one("drain {\ndeadline 9\n}"), True, Drain(deadline=9.0)),
        (two(""), one(), True, Drain()),
        (two(), one(""), True, None),
        (two(), service("10.0.0.1 80 { weight 1\n }", head="192.0.2.2 80"), True, None),
    ],
    ids=("drained", "without", "not in the table", "as it says now", "since now", "no more", "service goes"),
)
def test_a_server_that_stands_in_the_table_leaves_by_the_drain_of_its_virtual_server(
    before: str, after: str, stands: bool, expected: Drain | None
) -> None:
    found = newly_leaving(setup(before), setup(after), lambda name: stands)
    assert {name: server.drain for name, server in found.items()} == ({} if expected is None else {ONE: expected})


def test_a_server_with_a_drain_of_its_own_leaves_by_that() -> None:
    before = two("drain {\ndeadline 5\n}", more="drain {\ndeadline 60\nthen expire\n}")
    after = service("10.0.0.1 80 { weight 4\n }", more="drain {\ndeadline 7\n}")
    [server] = newly_leaving(setup(before), setup(after), lambda name: True).values()
    assert server.drain == Drain(deadline=60.0, expire=True)
    assert (server.weight, server.checks) == (0, ())
    assert set(with_leaving(setup(after), {TWO: server}).virtuals[NAME].real_servers) == {(A, 80), (B, 80)}


def test_a_server_that_is_taken_out_goes_when_its_last_connection_has_ended() -> None:
    async def story(world: World) -> None:
        connected(world)
        await world.reload(one())
        assert world.weights == {A: 0, B: 4}
        assert world.turned == [(A, False)]
        assert world.balancer.orders[ONE].leaves
        await world.until(lambda: world.orders.progress(ONE))
        assert world.left_at(A) == 2
        assert {world.connect(2000 + number) for number in range(4)} == {B}
        # Another reload changes nothing about it.
        await world.reload(one())
        assert world.weights == {A: 0, B: 4}
        world.table.end_connections(KEY, A, 80)
        await world.until(lambda: A not in world.weights)
        await world.until(lambda: "gone" in words(world))
        assert words(world) == ["leaving", "gone"]
        assert (world.balancer.orders, world.balancer.leaving) == ({}, {})
        assert world.turned == [(A, False)]
        with pytest.raises(NoSuchServer):
            world.balancer.server(ONE)

    play(story, configuration=two())


def test_without_the_word_it_goes_at_once_as_with_keepalived() -> None:
    async def story(world: World) -> None:
        connected(world)
        await world.reload(one(""))
        assert world.weights == {B: 4}
        assert world.balancer.orders == {}

    play(story, configuration=two(""))


@pytest.mark.parametrize("then", ["expire", "keep"])
def test_at_its_deadline_what_is_left_is_ended_or_the_server_waits_for_it(then: str) -> None:
    drain = f"drain {{\ndeadline 0\nthen {then}\n}}"

    async def story(world: World) -> None:
        connected(world)
        await world.reload(one(drain))
        if then == "keep":
            await world.until(lambda: "time_up" in words(world))
            await world.until(lambda: world.orders.progress(ONE))
            assert world.weights == {A: 0, B: 4}
            assert world.left_at(A) == 2
            world.table.end_connections(KEY, A, 80)
        await world.until(lambda: "gone" in words(world))
        assert world.weights == {B: 4}
        _, _, more = world.said[-1]
        assert more["expired"] == (2 if then == "expire" else 0)

    play(story, configuration=two(drain))


def test_where_connections_can_t_be_ended_it_goes_at_its_deadline_all_the_same() -> None:
    class IpvsLike(MemoryTable):
        def end_connections(self, *args: object, **kwargs: object) -> int:
            raise UnknownToIpvs("this")

        def forget_clients(self, *args: object) -> int:
            raise UnknownToIpvs("this")

    drain = "drain {\ndeadline 0\nthen expire\nudp leave\n}"

    async def story(world: World) -> None:
        connected(world)
        await world.reload(one(drain))
        await world.until(lambda: world.weights == {B: 4})

    play(story, IpvsLike(), two(drain))


def test_put_back_before_it_is_gone_it_goes_on_with_its_connections_and_grows() -> None:
    async def story(world: World) -> None:
        connected(world)
        await world.reload(one())
        await world.until(lambda: world.orders.progress(ONE))
        await world.reload(two("drain {\n}\nslow_start 3600"))
        assert world.weights == {A: 1, B: 4}
        assert world.left_at(A) == 2
        assert (world.balancer.orders, world.balancer.leaving) == ({}, {})
        assert world.turned == [(A, False), (A, True)]
        assert words(world) == ["leaving", "growing"]
        world.table.end_connections(KEY, A, 80)
        await asyncio.sleep(0.05)  # nobody drains it any more
        assert world.weights == {A: 1, B: 4}

    play(story, configuration=two())


def test_all_servers_of_a_service_can_be_replaced_at_once_without_losing_the_quorum() -> None:
    async def story(world: World) -> None:
        connected(world)
        world.told.clear()
        await world.reload(service("10.0.0.9 80 { weight 1\n }", more="drain {\n}"))
        assert sorted(world.weights.values()) == [0, 0, 1]
        assert world.turned == [(A, False), (B, False)]
        assert len(world.told) == 2

    play(story, configuration=two())


def test_one_whose_place_in_the_table_another_server_takes_has_nothing_to_leave() -> None:
    # In direct routing the port is the service's: for the table 8080 is the same server.
    other = service("10.0.0.1 8080 { weight 7\n }", "10.0.0.2 80 { weight 4\n }", more="drain {\n}")
    sorry = service("10.0.0.2 80 { weight 4\n }", more="drain {\n}\nsorry_server 10.0.0.1 8080")
    assert newly_leaving(setup(two()), setup(sorry), lambda name: True) == {}

    async def story(world: World) -> None:
        connected(world)
        await world.reload(other)
        assert (world.weights, world.balancer.leaving) == ({A: 7, B: 4}, {})
        await world.reload(one())
        assert world.weights == {A: 0, B: 4}
        await world.reload(two())
        assert (world.weights, world.balancer.leaving) == ({A: 4, B: 4}, {})
        assert world.left_at(A) == 2
        await world.orders.close()

    play(story, configuration=two())


def test_a_drain_the_operator_has_begun_goes_on_and_he_may_hurry_one_but_give_no_weight() -> None:
    async def story(world: World) -> None:
        connected(world)
        await world.orders.drain(ONE, 3600.0)
        await world.reload(one())
        assert world.balancer.orders[ONE].seconds == 3600.0
        for refused in (
            lambda: world.orders.weigh(ONE, 5),
            lambda: world.orders.admit(ONE, 5.0),
            lambda: world.orders.release(ONE),
        ):
            with pytest.raises(NoSuchServer, match="on its way out"):
                refused()
        assert world.weights == {A: 0, B: 4}
        await world.orders.drain(ONE, 0.0, expire=True)
        await world.until(lambda: world.weights == {B: 4})

    play(story, configuration=two())


def test_quiesced_by_an_order_a_server_is_drained_as_the_configuration_says() -> None:
    async def story(world: World) -> None:
        connected(world)
        world.orders.weigh(ONE, 0)
        order = world.balancer.orders[ONE]
        assert (order.kind, order.seconds, order.expire, order.leaves) == (Kind.DRAIN, 0.0, True, False)
        await world.until(lambda: not world.balancer.orders[ONE].goes_on)
        assert (world.left_at(A), world.weights) == (0, {A: 0, B: 4})
        world.orders.release(ONE)
        assert world.weights == {A: 4, B: 4}
        assert words(world) == ["draining", "time_up", "enabled"]

    play(story, configuration=two("drain {\ndeadline 0\nthen expire\n}"))


def test_killed_and_back_it_is_still_on_its_way_out(tmp_path: Path) -> None:
    memory, table = Memory(tmp_path / "memory.json"), MemoryTable()

    async def until(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.002)

    async def story() -> None:
        first = World(table, two(), memory)
        connected(first)
        await first.reload(one())
        await until(lambda: memory.recall().leaving and memory.recall().orders)
        known = memory.recall()
        await first.orders.close()  # and no more is heard of it
        memory.keep(known)

        again = World(table, one(), memory)
        assert again.weights == {A: 0, B: 4}
        assert again.left_at(A) == 2
        again.orders.resume()
        await until(lambda: again.orders.progress(ONE))
        table.end_connections(KEY, A, 80)
        await until(lambda: again.weights == {B: 4})
        await until(lambda: not memory.recall().leaving)
        for world in (again, first):
            await world.orders.close()
            await world.balancer.stop()

    asyncio.run(story())


def test_a_server_that_is_configured_again_while_no_director_ran_is_back(tmp_path: Path) -> None:
    memory, table = Memory(tmp_path / "memory.json"), MemoryTable()

    async def story() -> None:
        first = World(table, two(), memory)
        connected(first)
        await first.reload(one())
        async with asyncio.timeout(30):
            while not memory.recall().leaving:
                await asyncio.sleep(0.002)
        known = memory.recall()
        await first.orders.close()
        memory.keep(known)
        again = World(table, PLAIN, memory)
        assert again.weights == {A: 1, B: 2}
        assert again.balancer.leaving == {}
        for world in (again, first):
            await world.orders.close()
            await world.balancer.stop()

    asyncio.run(story())


def test_the_table_s_names_are_those_of_each_of_its_services() -> None:
    group = "virtual_server_group web {\n192.0.2.1-2 80\n}\n"
    text = two().replace("192.0.2.1 80", "group web", 1)

    async def story(world: World) -> None:
        await world.reload(group + one().replace("192.0.2.1 80", "group web", 1))
        [(name, _)] = world.balancer.leaving.items()
        assert [key for key, _ in world.balancer.places(name)] == [
            ServiceKey.of(Protocol.TCP, KEY.address, 80),  # type: ignore[arg-type]
            ServiceKey.of(Protocol.TCP, KEY.address + 1, 80),  # type: ignore[arg-type, operator]
        ]
        await world.until(lambda: A not in world.weights)

    play(story, configuration=group + text)


@pytest.mark.parametrize(
    "server",
    [
        RealServer(address=A, port=80, method=ForwardingMethod.DIRECT, upper_threshold=9, lower_threshold=3),
        RealServer(
            address=IPv6Address("fd00::1"),
            method=ForwardingMethod.TUNNEL,
            tunnel=Tunnel(TunnelType.GUE, 6080, TunnelFlags.REMCSUM),
        ),
    ],
)
def test_what_the_table_wants_to_know_of_one_on_its_way_out_is_remembered(server: RealServer, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.json")
    memory.keep(Remembered(leaving={(NAME, "it"): replace(server, weight=7)}))
    assert memory.recall().leaving == {(NAME, "it"): replace(server, weight=0)}


def test_metrics_tell_what_is_left_of_one_that_is_drained() -> None:
    async def story(world: World) -> None:
        connected(world)
        await world.reload(one())
        await world.until(lambda: world.orders.progress(ONE))
        lines = [line for line in of_drains(world) if not line.startswith("#")]  # type: ignore[arg-type]
        labels = f'service="{NAME}",remote_address="{A}",remote_port="80"'
        assert lines == [f"directrix_server_draining_connections{{{labels}}} 2"]

    play(story, configuration=two())


def test_one_that_could_go_while_another_configuration_comes_into_force_goes_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "AT_ONCE", 1)

    async def story(world: World) -> None:
        connected(world)
        await world.reload(one())
        balancer = world.balancer
        reloading = asyncio.create_task(world.reload(one("drain {\n}\nquorum 1")))
        while not balancer._reloading:
            await asyncio.sleep(0)
        balancer.part(ONE)
        assert ONE in balancer.leaving
        await reloading
        assert ONE not in balancer.leaving
        assert world.weights == {B: 4}

    play(story, configuration=two())


@pytest.mark.parametrize("ordered", ["admit", "drain"])
def test_an_order_that_comes_to_its_end_while_its_server_is_taken_out_gives_way_to_that(ordered: str) -> None:
    async def story(world: World) -> None:
        connected(world)
        if ordered == "admit":
            world.orders.weigh(ONE, 1)
            world.orders.admit(ONE, 0.05, 2)
        else:
            await world.orders.drain(ONE, 0.05)
        under_way = world.orders._tasks[ONE]
        await world.balancer.reload(setup(one()))  # and what was ordered is looked after only when all else is done
        await asyncio.wait([under_way])
        assert world.balancer.orders[ONE].leaves
        assert world.balancer.orders[ONE].goes_on
        assert world.weights == {A: 0, B: 4}
        world.orders.resume()
        world.table.end_connections(KEY, A, 80)
        await world.until(lambda: world.weights == {B: 4})
        assert (world.balancer.orders, world.balancer.leaving) == ({}, {})
        assert words(world)[-1] == "gone"

    play(story, configuration=two())


def test_one_that_is_brought_back_while_its_connections_are_ended_is_not_told_of_as_gone() -> None:
    async def story(world: World) -> None:
        connected(world)
        at_table = world.orders._at_table
        do = at_table.do

        async def ended_and_brought_back(work: Callable[..., object], *args: object) -> object:
            found = await do(work, *args)
            if work is table_work.end:
                await world.balancer.reload(setup(two()))
            return found

        at_table.do = ended_and_brought_back  # type: ignore[method-assign, assignment]
        await world.reload(one("drain {\ndeadline 0\nthen expire\n}"))
        await asyncio.wait([world.orders._tasks[ONE]])
        assert words(world) == ["leaving"]
        assert world.weights == {A: 4, B: 4}
        assert world.turned == [(A, False), (A, True)]

    play(story, configuration=two())
