"""sed, nq, fo and ovf: the sequences observed on Linux 6.1, and what tells them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduled_service import Service, service

WEIGHTS = st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 5), min_size=1, max_size=8)
ACTIVE = st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 5), min_size=8, max_size=8)


def loaded(name: str, weights: list[int], active: list[int]) -> Service:
    """A service whose real servers have so many active connections."""
    made = service(name, *weights)
    for number, count in enumerate(active[: len(weights)], start=1):
        made[number].active = count
    return made


@pytest.mark.parametrize(
    ("name", "weights", "active", "picks"),
    [
        ("sed", [1, 2, 3], [0, 0, 0], [3, 2, 3, 3, 2, 1, 3, 2, 3, 3, 2, 1, 3]),
        ("sed", [1, 2, 3], [1, 2, 3], [3, 2, 3, 3, 2, 1]),
        ("sed", [2, 2, 2], [0, 0, 0], [3, 2, 1, 3, 2, 1]),
        ("nq", [1, 2, 3], [0, 0, 0], [3, 2, 1, 3, 3, 2, 3, 2, 3, 3, 2, 1, 3]),
        ("nq", [1, 2, 3], [1, 2, 3], [3, 2, 3, 3, 2, 1]),
        ("fo", [1, 2, 3], [0, 0, 0], [3, 3, 3, 3, 3, 3]),
        ("fo", [3, 2, 3], [9, 0, 9], [3, 3, 3]),
        ("ovf", [1, 2, 3], [0, 0, 0], [3, 3, 3, 3, 2, 2, 2, 1, 1, None, None]),
        ("ovf", [2, 2], [0, 0], [2, 2, 2, 1, 1, 1, None]),
    ],
)
def test_connections_that_are_held_go(name: str, weights: list[int], active: list[int], picks: list[int]) -> None:
    assert loaded(name, weights, active).picks(len(picks), hold=True) == picks


@pytest.mark.parametrize("name", ["sed", "nq", "ovf"])
def test_inactive_connections_do_not_count(name: str) -> None:
    s = service(name, 1, 2)
    s[2].inactive = 10_000
    assert s.picks(3, close=True) == [2, 2, 2]


def test_sed_with_nothing_active_always_takes_the_heaviest() -> None:
    assert service("sed", 5, 7, 3).picks(4, close=True) == [2, 2, 2, 2]


def test_sed_compares_exactly_where_floating_point_would_not() -> None:
    s = loaded("sed", [2**31 - 2, 2**31 - 1], [2**31 - 4, 2**31 - 3])
    assert (2**31 - 3) / (2**31 - 2) == (2**31 - 2) / (2**31 - 1)
    assert s.picks(1) == [1]


def test_nq_with_nothing_active_always_takes_the_newest() -> None:
    assert service("nq", 7, 5, 1).picks(4, close=True) == [3, 3, 3, 3]


def test_nq_an_idle_server_comes_before_a_faster_one() -> None:
    s = loaded("nq", [1, 1000], [0, 1])
    assert s.picks(2, hold=True) == [1, 2]
    s[1].active = 0
    assert s.picks(2, hold=True) == [1, 2]


def test_nq_does_not_wait_for_an_idle_server_that_can_not_be_had() -> None:
    s = loaded("nq", [0, 1, 1], [0, 0, 3])
    s[2].overloaded = True
    assert s.picks(2, hold=True) == [3, 3]


def test_fo_goes_over_when_the_heaviest_is_quiesced_and_comes_back() -> None:
    s = service("fo", 1, 2, 3)
    assert s.picks(2, hold=True) == [3, 3]
    s.edit(3, 0)
    assert s.picks(2, hold=True) == [2, 2]
    s.edit(3, 3)
    assert s.picks(2, hold=True) == [3, 3]


def test_ovf_takes_again_when_a_connection_has_ended() -> None:
    s = service("ovf", 1, 2)
    assert s.picks(6, hold=True) == [2, 2, 2, 1, 1, None]
    s[2].active -= 1
    assert s.picks(2, hold=True) == [2, None]


@given(WEIGHTS, ACTIVE)
def test_the_rules_said_otherwise(weights: list[int], active: list[int]) -> None:
    newest_first = sorted(enumerate(zip(weights, active, strict=False), start=1), reverse=True)
    usable = [(number, weight, load) for number, (weight, load) in newest_first if weight]
    room = [(number, weight) for number, weight, load in usable if load < weight + 1]

    def best_by_sed() -> int | None:
        best = None
        for number, weight, load in usable:
            if best is None or (load + 1) * best[1] < (best[2] + 1) * weight:
                best = (number, weight, load)
        return best and best[0]

    idle = [number for number, _, load in usable if load == 0]
    expected = {
        "sed": best_by_sed(),
        "nq": idle[0] if idle else best_by_sed(),
        "fo": max(usable, key=lambda server: (server[1], server[0]), default=[None])[0],
        "ovf": max(room, key=lambda server: (server[1], server[0]), default=[None])[0],
    }
    assert {name: loaded(name, weights, active).pick() for name in expected} == expected
