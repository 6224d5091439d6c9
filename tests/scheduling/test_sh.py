"""sh: by the client's address, as observed on Linux 6.1."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduled_service import VIP, client, service

from directrix.lvs import SchedulerFlags
from directrix.scheduling.hashing import fold
from directrix.scheduling.scheduler import FALLBACK, PORT
from directrix.scheduling.sh import BUCKETS, bucket_of, further_buckets, table

CLIENTS = [client(last) for last in range(10, 130)]


@pytest.mark.parametrize(
    ("weights", "last", "number"),
    [
        ((1, 1, 1), 10, 3),
        ((1, 1, 1), 11, 2),
        ((1, 1, 1), 16, 1),
        ((1, 2, 3), 10, 3),
        ((1, 2, 3), 12, 2),
        ((1, 2, 3), 20, 1),
    ],
)
def test_a_client_has_its_real_server(weights: tuple[int, ...], last: int, number: int) -> None:
    s = service("sh", *weights)
    for port in range(40000, 40010):
        assert s.pick(client(last), port, VIP + port) == number


@pytest.mark.parametrize(
    ("weights", "pattern"),
    [
        ([1, 1, 1], [0, 1, 2]),
        ([3, 2, 1], [0, 0, 0, 1, 1, 2]),
        ([0, 2, 0], [0, 1, 1, 2]),
        ([0], [0]),
        ([2**31 - 1, 1], [0] * BUCKETS),
    ],
)
def test_each_takes_as_many_buckets_in_a_row_as_its_weight_and_at_least_one(
    weights: list[int], pattern: list[int]
) -> None:
    assert table(weights) == (pattern * BUCKETS)[:BUCKETS]


def test_without_real_servers_there_is_no_table() -> None:
    assert table([]) == []


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_every_round_but_the_last_is_whole(weights: list[int]) -> None:
    shares = Counter(table(weights))
    in_a_round = [max(weight, 1) for weight in weights]
    whole = BUCKETS // sum(in_a_round)
    for place, weight in enumerate(in_a_round):
        assert whole * weight <= shares[place] <= (whole + 1) * weight


def by_table(weights: list[int]) -> list[int | None]:
    """What the clients get from real servers 1, 2, ... of these weights."""
    places = table(weights[::-1])
    numbers = [len(weights) - places[bucket_of(fold(address))] for address in CLIENTS]
    return [number if weights[number - 1] else None for number in numbers]


def test_the_table_follows_additions_edits_and_removals() -> None:
    s = service("sh", 1, 1)
    assert s.picks_for(CLIENTS) == by_table([1, 1])
    s.add(3, 5)
    assert s.picks_for(CLIENTS) == by_table([1, 1, 5])
    s.edit(2, 0)
    assert s.picks_for(CLIENTS) == by_table([1, 0, 5])
    s.remove(3)
    assert s.picks_for(CLIENTS) == by_table([1, 0])


def test_without_fallback_a_server_that_can_not_be_had_refuses_its_clients() -> None:
    s = service("sh", 1, 1, 1)
    before = s.picks_for(CLIENTS)
    s[2].overloaded = True
    assert s.picks_for(CLIENTS) == [None if number == 2 else number for number in before]


def test_with_fallback_only_the_clients_of_the_server_that_can_not_be_had_go_elsewhere() -> None:
    s = service("sh", 1, 1, 1, flags=FALLBACK)
    before = s.picks_for(CLIENTS)
    s[2].overloaded = True
    after = s.picks_for(CLIENTS)
    assert [old for old, new in zip(before, after, strict=True) if old != new] == [2] * before.count(2)
    assert set(after) == {1, 3}
    s[1].overloaded = s[3].overloaded = True
    assert set(s.picks_for(CLIENTS)) == {None}


@given(st.integers(0, BUCKETS - 1))
def test_fallback_starts_at_twice_the_bucket_and_goes_once_round(first: int) -> None:
    looked = list(further_buckets(first))
    assert looked[:2] == [2 * first % BUCKETS, (2 * first + 1) % BUCKETS]
    assert sorted(looked) == list(range(BUCKETS))


def test_the_port_counts_with_its_flag_alone() -> None:
    address = client(10)
    without, with_port = service("sh", 1, 1, 1), service("sh", 1, 1, 1, flags=PORT)
    assert {without.pick(address, port) for port in range(1024, 1124)} == {3}
    for port in range(1024, 1124):
        assert with_port.pick(address, port) == [3, 2, 1][bucket_of(fold(address) + port) % 3]
    assert {with_port.pick(address, port) for port in range(1024, 1124)} == {1, 2, 3}


def test_flags_given_later_take_effect_at_once() -> None:
    s = service("sh", 1, 1, 1)
    s[3].overloaded = True
    assert s.pick(client(10)) is None
    s.scheduler.flags = FALLBACK
    assert s.pick(client(10)) in (1, 2)
    s.scheduler.flags = SchedulerFlags.FLAG_3
    assert s.pick(client(10)) is None


def test_address_and_port_are_added_with_wrapping() -> None:
    assert bucket_of(fold(IPv4Address("255.255.255.255")), 1) == bucket_of(0)


def test_an_ipv6_client_is_folded() -> None:
    s = service("sh", 1, 2, 3)
    address = ip_address("2001:db8::10")
    assert s.pick(address) == s.pick(IPv4Address(fold(address)))
