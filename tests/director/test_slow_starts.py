"""Slow start in the director: the table follows a weight that grows, people are told, and a crash loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from director_making import KEY, NAME, A, B, service, setup
from director_world import World, play

from directrix.checks.growth import Growth
from directrix.director.memory import Belief, Memory, Remembered
from directrix.director.plan import WantedService, carry_out, make_plan
from directrix.director.views import growing
from directrix.table.memory import MemoryTable

ONE = (NAME, (A, 80))


def text(slow_start: float, *servers: str) -> str:
    made = servers or ("10.0.0.1 80 { weight 100\n }", "10.0.0.2 80 { weight 100\n }")
    return service(*made, more=f"slow_start {slow_start:g}", scheduler="wrr")


def file_checked(tmp_path: Path, slow_start: float) -> str:
    checked = "10.0.0.1 80 { weight 100\n FILE_CHECK { track_file down\n weight 0\n } }"
    return f"track_file down {{ file {tmp_path / 'down'}\n }}\n" + text(
        slow_start, checked, "10.0.0.2 80 { weight 1\n }"
    )


def test_the_weight_of_a_server_that_comes_back_grows_in_the_table_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")

    async def story(world: World) -> None:
        assert world.weights == {A: 100, B: 1}
        (tmp_path / "down").write_text("1")
        await world.until(lambda: A not in world.weights)
        seen: set[int] = set()
        (tmp_path / "down").write_text("0")
        await world.until(lambda: seen.add(world.weights.get(A, 0)) or 100 in seen)
        assert len(seen - {0, 1, 100}) > 0
        assert {what: more for what, _, more in world.said} == {
            "growing": {"weight": 100, "over": 1.0},
            "grown": {"weight": 100},
        }
        assert growing(world.balancer.server(ONE)) is None

    play(story, configuration=file_checked(tmp_path, 1.0))


def test_a_new_server_and_none_that_is_there_grows_at_a_reload_and_a_listing_tells_how_far() -> None:
    async def story(world: World) -> None:
        await world.reload(text(3600.0))
        assert world.weights == {A: 1, B: 100}
        found: dict[str, Any] = growing(world.balancer.server(ONE)) or {}
        assert (found["target"], found["seconds"]) == (100, 3600.0)
        assert 3500 < found["left"] <= 3600
        await world.reload(text(0.0))
        assert world.weights == {A: 100, B: 100}

    play(story, configuration=text(3600.0, "10.0.0.2 80 { weight 100\n }"))


def test_a_new_virtual_server_begins_with_whole_weights() -> None:
    other = text(3600.0).replace("192.0.2.1 80", "192.0.2.2 80")

    async def story(world: World) -> None:
        await world.reload(text(3600.0) + other)
        weights = {entry.server.weight for state in world.table.services() for entry in state.servers}
        assert weights == {100}

    play(story, configuration=text(3600.0))


def test_a_drain_ends_a_growth_and_what_it_gives_back_grows_anew() -> None:
    async def story(world: World) -> None:
        await world.reload(text(3600.0))
        await world.orders.drain(ONE, None)
        assert world.weights == {A: 0, B: 100}
        assert world.balancer.pools[NAME].growing() == {}
        world.orders.release(ONE)
        assert world.weights == {A: 1, B: 100}
        world.orders.admit(ONE, 0.0, 7)
        await world.until(lambda: world.weights == {A: 7, B: 100})

    play(story, configuration=text(3600.0, "10.0.0.2 80 { weight 100\n }"))


def test_a_growth_is_remembered_and_goes_on_where_it_would_be_after_a_crash(tmp_path: Path) -> None:
    async def story() -> None:
        memory = Memory(tmp_path / "memory.json")
        first = World(MemoryTable(), text(3600.0, "10.0.0.2 80 { weight 100\n }"), memory)
        await first.reload(text(3600.0))
        async with asyncio.timeout(30):
            while not memory.recall().growths:
                await asyncio.sleep(0.002)
        [(name, growth)] = memory.recall().growths.items()
        assert (name, growth.over) == ((NAME, "10.0.0.1:80"), 3600.0)
        await first.orders.close()
        await first.balancer.stop()

        now = asyncio.get_running_loop().time()
        down = {(NAME, "10.0.0.2:80", "FILE_CHECK"): Belief(False)}
        memory.keep(Remembered(frozenset({KEY}), down, {}, {name: Growth(now - 1800.0, 3600.0)}))
        table = MemoryTable()
        was = setup(text(3600.0)).virtuals[NAME]
        carry_out(table, make_plan((), [WantedService(was.service(KEY))]))
        again = World(table, text(3600.0), memory)
        assert again.weights == {A: 50, B: 100}
        await again.reload(text(7200.0))
        assert again.weights == {A: 50, B: 100}
        await again.orders.close()
        await again.balancer.stop()

    asyncio.run(story())
