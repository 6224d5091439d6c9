"""twos: the less loaded of two drawn at random, in the distribution IPVS draws in."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from scheduled_service import Server

from directrix.scheduling import Flow
from directrix.scheduling.twos import PowerOfTwoChoices

FLOW = Flow(IPv4Address("10.1.0.10"), 40000, IPv4Address("10.0.0.1"))


def servers_of(*weights: int, active: tuple[int, ...] = ()) -> list[Server]:
    """Real servers 1, 2, ... in list order, idle unless said otherwise."""
    servers = [Server(number, weight) for number, weight in enumerate(weights, start=1)]
    for server, count in zip(servers, active, strict=False):
        server.active = count
    return servers[::-1]


def drawing(*numbers: int) -> Callable[[int, int], int]:
    """A source that gives these numbers, if asked for those up to 6."""
    rest = list(numbers)

    def draw(least: int, most: int) -> int:
        assert (least, most) == (0, 6)
        return rest.pop(0)

    return draw


@pytest.mark.parametrize(
    ("numbers", "number"),
    [((0, 0), 3), ((3, 6), 3), ((4, 4), 2), ((5, 5), 2), ((6, 6), 1), ((6, 0), 1), ((5, 6), 2)],
)
def test_of_idle_servers_the_first_drawn_by_its_share_wins(numbers: tuple[int, int], number: int) -> None:
    picked = PowerOfTwoChoices(servers_of(1, 2, 3), drawing(*numbers)).pick(FLOW)
    assert picked is not None
    assert picked.number == number


@pytest.mark.parametrize(
    ("active", "numbers", "number"),
    [
        ((0, 1, 0), (4, 6), 1),  # 1 for 2 against 0 for 1: the second is less loaded
        ((1, 1, 0), (4, 6), 2),  # 1 for 2 against 1 for 1
        ((1, 2, 0), (4, 6), 2),  # the same for their weights: the first stays
        ((1, 2, 0), (6, 4), 1),
        ((1, 3, 0), (4, 6), 1),
        ((0, 0, 9), (1, 4), 2),
    ],
)
def test_the_second_drawn_wins_only_if_it_is_less_loaded_for_its_weight(
    active: tuple[int, ...], numbers: tuple[int, int], number: int
) -> None:
    picked = PowerOfTwoChoices(servers_of(1, 2, 3, active=active), drawing(*numbers)).pick(FLOW)
    assert picked is not None
    assert picked.number == number


def test_who_can_not_be_had_is_not_drawn() -> None:
    servers = servers_of(1, 2, 3, 0)
    servers[1].overloaded = True  # number 3
    scheduler = PowerOfTwoChoices(servers, random.Random(1).randint)
    picked = Counter(p.number for p in (scheduler.pick(FLOW) for _ in range(200)) if p)
    assert set(picked) == {1, 2}


def test_idle_servers_are_drawn_as_often_as_their_weights_say() -> None:
    draws = 20_000
    scheduler = PowerOfTwoChoices(servers_of(1, 2, 3), random.Random(7).randint)
    picked = Counter(p.number for p in (scheduler.pick(FLOW) for _ in range(draws)) if p)
    # Of the seven numbers 0 to 6 the first in the list has four: 0 too.
    for number, share in ((3, 4 / 7), (2, 2 / 7), (1, 1 / 7)):
        assert abs(picked[number] / draws - share) < 0.015


def test_one_that_is_loaded_is_picked_only_if_drawn_twice() -> None:
    draws = 20_000
    scheduler = PowerOfTwoChoices(servers_of(2, 2, 2, active=(0, 5, 0)), random.Random(7).randint)
    picked = Counter(p.number for p in (scheduler.pick(FLOW) for _ in range(draws)) if p)
    assert abs(picked[2] / draws - (2 / 7) ** 2) < 0.015


def test_held_connections_spread_evenly() -> None:
    servers = servers_of(1, 1, 1)
    scheduler = PowerOfTwoChoices(servers, random.Random(7).randint)
    for _ in range(3000):
        picked = scheduler.pick(FLOW)
        assert picked is not None
        picked.active += 1
    assert all(abs(server.active - 1000) < 10 for server in servers)


def test_the_same_seed_repeats_the_same_picks() -> None:
    scheduler = PowerOfTwoChoices(servers_of(5, 5, 5))

    def picks() -> list[int]:
        random.seed(3)
        return [p.number for p in (scheduler.pick(FLOW) for _ in range(50)) if p]

    assert picks() == picks()
    assert len(set(picks())) == 3
