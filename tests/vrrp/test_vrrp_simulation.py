"""Elections among several machines: whatever happened, in the end there is one master, and the right one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vrrp_making import instance
from vrrp_simulation import LATENCY, Clock, Machine

from directrix.vrrp.configuration import Configuration, Group


def alone(priority: int, **changes: object) -> Configuration:
    return Configuration((instance(priority=priority, **changes),))


def cluster(*priorities: int, **changes: object) -> Clock:
    clock = Clock()
    clock.add(*(alone(priority, **changes) for priority in priorities))
    return clock


def time_until(clock: Clock, masters: list[int], limit: float = 20.0) -> float:
    """How long it takes until these are the masters of virtual router 51, in steps of a millisecond."""
    begin = clock.now
    while clock.masters(51) != masters:
        assert clock.now - begin < limit, f"still {clock.masters(51)}"
        clock.run(0.001)
    return clock.now - begin


def test_the_highest_priority_wins_the_first_election() -> None:
    clock = cluster(100, 150, 120)
    clock.run(10)
    assert clock.masters(51) == clock.holders(51) == [2]


def test_at_a_tie_the_highest_address_wins() -> None:
    clock = cluster(100, 100, 100)
    clock.run(10)
    assert clock.masters(51) == [3]


def test_a_dead_master_is_replaced_after_its_backups_master_down_interval() -> None:
    clock = cluster(150, 100)
    clock.run(10.0)
    assert clock.masters(51) == [1]
    clock.machines[0].die()
    took = time_until(clock, [2])
    assert 2.0 + 156 / 256 < took <= 3.001 + LATENCY + 156 / 256


def test_fast_adverts_make_a_fast_replacement() -> None:
    clock = cluster(150, 100, version=3, interval=10)
    clock.run(2.0)
    clock.machines[0].die()
    assert time_until(clock, [2]) <= 0.3 + 0.1 * 156 / 256 + 0.002


def test_a_stopped_master_is_replaced_after_skew_time_and_somebody_holds_the_addresses_all_the_while() -> None:
    clock = cluster(150, 100, version=3, interval=100)
    clock.run(10.0)
    clock.machines[0].stop()
    begin = clock.now
    while clock.holders(51) != [2]:
        assert clock.holders(51), "the addresses are gone"
        clock.run(0.001)
    assert clock.now - begin <= 156 / 256 + 2 * LATENCY + 0.002


def test_a_machine_that_comes_back_with_more_priority_takes_over_and_never_lets_the_addresses_drop() -> None:
    clock = cluster(150, 100, version=3, interval=100)
    clock.run(10.0)
    clock.machines[0].die()
    clock.run(10.0)
    assert clock.masters(51) == [2]
    clock.machines[0].revive()
    while clock.holders(51) != [1]:
        assert clock.holders(51)
        clock.run(0.001)
    assert clock.masters(51) == [1]


def test_with_nopreempt_a_machine_that_comes_back_stays_backup() -> None:
    clock = cluster(150, 100, nopreempt=True)
    clock.run(10.0)
    clock.machines[0].die()
    clock.run(10.0)
    clock.machines[0].revive()
    clock.run(20.0)
    assert clock.masters(51) == [2]


def test_a_broken_link_makes_the_group_change_machines_as_a_whole() -> None:
    def both(priority: int) -> Configuration:
        return Configuration(
            (
                instance("inside", 1, interface="eth1", priority=priority, version=3, interval=20),
                instance("outside", 2, interface="eth0", priority=priority, version=3, interval=20),
            ),
            groups=(Group("G", ("inside", "outside")),),
        )

    clock = Clock()
    clock.add(both(150), both(100))
    clock.run(5.0)
    assert (clock.masters(1), clock.masters(2)) == ([1], [1])
    clock.machines[0].set_link("eth1", False)
    clock.run(1.0)
    assert (clock.masters(1), clock.masters(2)) == ([2], [2])
    clock.machines[0].set_link("eth1", True)
    clock.run(2.0)
    assert (clock.masters(1), clock.masters(2)) == ([1], [1])


happenings = st.lists(
    st.tuples(
        st.sampled_from(["die", "revive", "stop", "down", "up", "cut", "heal"]),
        st.integers(0, 2),
        st.floats(0.0, 3.0),
    ),
    max_size=25,
)


def happen(machine: Machine, what: str) -> None:
    match what:
        case "die":
            machine.die()
        case "revive":
            machine.revive()
        case "stop":
            machine.stop()
            machine.clock.run(6.0)
            machine.die()
        case "down":
            machine.set_link("eth0", False)
        case "up":
            machine.set_link("eth0", True)
        case "cut":
            machine.deaf.add("eth0")
        case "heal":
            machine.deaf.clear()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 254), min_size=3, max_size=3, unique=True),
    st.sampled_from([(2, 100), (3, 30)]),
    happenings,
)
def test_whatever_happens_the_strongest_healthy_machine_is_the_one_master_in_the_end(
    priorities: list[int], protocol: tuple[int, int], events: list[tuple[str, int, float]]
) -> None:
    version, interval = protocol
    clock = cluster(*priorities, version=version, interval=interval)
    for what, number, pause in events:
        happen(clock.machines[number], what)
        clock.run(pause)
    for machine in clock.machines:
        machine.deaf.clear()
    clock.run(15.0)
    healthy = [m for m in clock.machines if m.alive and m.routers.conditions.interfaces["eth0"]]
    strongest = max(healthy, key=lambda m: priorities[m.number - 1], default=None)
    expected = [] if strongest is None else [strongest.number]
    assert clock.masters(51) == clock.holders(51) == expected


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["die", "revive", "down", "up"]),
            st.integers(0, 1),
            st.sampled_from(["eth0", "eth1"]),
            st.floats(0, 2),
        ),
        max_size=20,
    )
)
def test_a_group_is_never_split_once_things_have_settled(events: list[tuple[str, int, str, float]]) -> None:
    def both(priority: int) -> Configuration:
        return Configuration(
            (
                instance("a", 1, interface="eth0", priority=priority, version=3, interval=20),
                instance("b", 2, interface="eth1", priority=priority, version=3, interval=20),
            ),
            groups=(Group("G", ("a", "b")),),
        )

    clock = Clock()
    clock.add(both(150), both(100))
    for what, number, interface, pause in events:
        machine = clock.machines[number]
        if what in ("down", "up"):
            machine.set_link(interface, what == "up")
        else:
            happen(machine, what)
        clock.run(pause)
    clock.run(5.0)
    assert clock.masters(1) == clock.masters(2)
    healthy = [m.number for m in clock.machines if m.alive and all(m.routers.conditions.interfaces.values())]
    assert clock.masters(1) == healthy[:1]


def test_the_simulation_would_notice_two_masters() -> None:
    clock = cluster(150, 100)
    clock.machines[0].deaf.add("eth0")
    clock.run(10.0)
    assert clock.masters(51) == [1, 2]
    clock.machines[0].deaf.clear()
    clock.run(1.5)
    assert clock.masters(51) == [1]


@pytest.mark.parametrize("version", [2, 3])
def test_priority_0_of_a_machine_that_dies_right_after_changes_nothing_for_the_worse(version: int) -> None:
    clock = cluster(150, 120, 100, version=version)
    clock.run(10.0)
    clock.machines[0].stop()
    clock.machines[0].die()
    assert time_until(clock, [2]) < 136 / 256 + 0.01
