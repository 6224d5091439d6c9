"""Budgets in the configuration: in force with it, changed and removed with it; those set by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from director_making import KEY, NAME, PLAIN, A, service, setup
from director_world import World, play

from directrix.director import planning
from directrix.director.budgeting import BudgetChange, budget_changes, words
from directrix.director.memory import Memory
from directrix.director.plan import as_objects, as_text, carry_out
from directrix.director.refusal import Refused
from directrix.director.setup import vet
from directrix.lvs import ServiceKey
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.errors import UnknownToIpvs
from directrix.table.memory import MemoryTable

TEN, HUNDRED = Budget(Rate(10, 1, 10)), Budget(Rate(100, 1, 100))
SOURCES = Budget(None, Rate(5, 60, 20), 24, 56)
SERVERS = ("10.0.0.1 80 { weight 1\n }", "10.0.0.2 80 { weight 2\n }")


def with_budget(inside: str) -> str:
    return service(*SERVERS, more=f"budget {{\n{inside}\n}}")


def in_force(world: World) -> dict[ServiceKey, Budget]:
    return {key: state.budget for key, state in world.table.budgets().items()}


@pytest.mark.parametrize(
    ("there", "wanted", "own", "expected"),
    [
        (None, TEN, None, BudgetChange(KEY, None, TEN)),
        (TEN, TEN, None, None),
        (TEN, HUNDRED, TEN, BudgetChange(KEY, TEN, HUNDRED)),
        (SOURCES, HUNDRED, None, BudgetChange(KEY, SOURCES, HUNDRED, by_hand=True)),
        (SOURCES, HUNDRED, HUNDRED, BudgetChange(KEY, SOURCES, HUNDRED, by_hand=True)),
        (None, HUNDRED, HUNDRED, BudgetChange(KEY, None, HUNDRED)),
        (TEN, None, TEN, BudgetChange(KEY, TEN, None)),
        (SOURCES, None, TEN, None),
        (SOURCES, None, None, None),
    ],
    ids=(
        *("new", "there", "changed", "over one by hand", "changed by hand", "removed by hand"),
        *("goes", "one by hand stays when it goes", "one by hand stays"),
    ),
)
def test_what_the_configuration_says_counts_and_what_is_set_by_hand_beside_it_stays(
    there: Budget | None, wanted: Budget | None, own: Budget | None, expected: BudgetChange | None
) -> None:
    found = budget_changes({} if there is None else {KEY: there}, {KEY: wanted}, {} if own is None else {KEY: own})
    assert found == ([] if expected is None else [expected])


def test_a_budget_comes_with_the_configuration_changes_at_a_reload_and_goes_with_the_word() -> None:
    async def story(world: World) -> None:
        assert in_force(world) == {KEY: TEN}
        await world.reload(with_budget("rate 10"))
        assert in_force(world) == {KEY: TEN}
        await world.reload(with_budget("rate 100"))
        assert in_force(world) == {KEY: HUNDRED}
        await world.reload(PLAIN)
        assert in_force(world) == {}
        world.table.set_budget(KEY, SOURCES)
        await world.reload(PLAIN)
        assert in_force(world) == {KEY: SOURCES}
        await world.reload(with_budget("rate 10"))
        assert in_force(world) == {KEY: TEN}

    play(story, configuration=with_budget("rate 10"))


def test_who_has_lost_his_service_to_somebody_else_gets_it_back_with_its_budget() -> None:
    async def story(world: World) -> None:
        world.table.flush()
        world.orders.weigh((NAME, (A, 80)), 7)
        await world.until(lambda: in_force(world) == {KEY: TEN})

    play(story, configuration=with_budget("rate 10"))


def test_after_a_crash_a_budget_that_is_no_longer_configured_goes(tmp_path: Path) -> None:
    async def story() -> None:
        memory, table = Memory(tmp_path / "memory.json"), MemoryTable()
        first = World(table, with_budget("rate 10"), memory)
        async with asyncio.timeout(30):
            while memory.recall().budgets != {KEY: TEN}:
                await asyncio.sleep(0.002)
        known = memory.recall()
        await first.orders.close()
        memory.keep(known)
        again = World(table, PLAIN, memory)
        assert in_force(again) == {}
        for world in (again, first):
            await world.orders.close()
            await world.balancer.stop()

    asyncio.run(story())


def test_a_table_without_budgets_refuses_them_before_anything_is_done() -> None:
    class IpvsLike(MemoryTable):
        def vet_budget(self, budget: Budget) -> None:
            raise UnknownToIpvs("a budget of new connections")

    with pytest.raises(Refused, match="a budget of new connections"):
        vet(setup(with_budget("rate 10")), IpvsLike())
    vet(setup(PLAIN), IpvsLike())


def test_a_plan_shows_a_budget_and_that_one_was_set_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "directory", lambda: tmp_path)
    table = MemoryTable()
    made = setup(with_budget("rate 10\nsource_rate 5/m burst 20\nsource_prefix 24"))
    assert as_text(planning.plan(made, table)).splitlines()[-1] == (
        "+   budget rate 10/s burst 10 source_rate 5/m burst 20 source_prefix 24 source_prefix6 64"
    )
    carry_out(table, planning.plan(setup(PLAIN), table))
    table.set_budget(KEY, HUNDRED)
    assert planning.plan(setup(PLAIN), table) == ()
    changes = planning.plan(setup(with_budget("rate 10")), table)
    assert as_text(changes) == (f"  {KEY}\n~   budget rate 100/s burst 100 (set by hand) -> rate 10/s burst 10\n")
    told: dict[str, Any] = as_objects(changes)[0]
    assert (told["object"], told["change"], told["by_hand"]) == ("budget", "edit", True)
    assert told["after"] == {"budget": {"rate": 10.0, "text": "10/s", "burst": 10}, "source_budget": None}
    assert words(SOURCES) == "source_rate 5/m burst 20 source_prefix 24 source_prefix6 56"
