"""mh: Maglev hashing, as observed on Linux 6.1, and what it is for: little changes for anybody else."""

from __future__ import annotations

import math
import time
from collections import Counter
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduled_service import Service, client, service

from directrix.lvs import Address, SchedulerFlags
from directrix.lvs.errors import InvalidRequest
from directrix.scheduling import scheduler
from directrix.scheduling.hashing import fold
from directrix.scheduling.mh import SLOTS, further_slots, slot_of, table
from directrix.scheduling.scheduler import FALLBACK, PORT

CLIENTS = [client(last) for last in range(10, 130)]
FIRST = IPv4Address("10.0.0.11")


def servers(*weights: int) -> list[tuple[Address, int, int]]:
    """Real servers 1, 2, ... in list order."""
    return [(FIRST + number, 80, weight) for number, weight in enumerate(weights)][::-1]


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ([1, 2, 3], [682, 1364, 2047]),
        ([1, 1, 1], [1364, 1364, 1365]),
        ([10, 20, 30], [682, 1364, 2047]),
        ([0, 0, 7], [0, 0, SLOTS]),
    ],
)
def test_shares_of_the_table(weights: list[int], shares: list[int]) -> None:
    places = table(servers(*weights))
    assert [places.count(len(weights) - number) for number in range(1, len(weights) + 1)] == shares


def test_the_first_slot_taken_is_the_start_of_the_order() -> None:
    assert table(servers(1))[4032] == 0
    places = table([(FIRST, 80, 1), (FIRST, 80, 1)])  # of twins the second gets what the first leaves
    assert (places[4032], places[(4032 + 1541) % SLOTS]) == (0, 1)


@pytest.mark.parametrize(
    ("weights", "removed", "picks"),
    [
        ([1, 1, 1], None, [3, 3, 3, 2, 2, 1, 2, 3, 1, 2, 3, 2]),
        ([1, 2, 3], 3, [1, 2, 2, 2, 2, 1, 2, 2, 1, 2, 1, 2]),
    ],
)
def test_clients_have_their_real_servers(weights: list[int], removed: int | None, picks: list[int]) -> None:
    s = service("mh", *weights)
    if removed:
        s.remove(removed)
    assert s.picks_for(CLIENTS[:12]) == picks


def test_the_slot_of_a_client() -> None:
    assert slot_of(fold(client(10))) == 1190


def test_an_ipv6_client_is_folded() -> None:
    s = service("mh", 1, 2, 3)
    address = ip_address("2001:db8::10")
    assert s.pick(address) == s.pick(IPv4Address(fold(address)))


def test_the_port_counts_with_its_flag_alone() -> None:
    without, with_port = service("mh", 1, 1, 1), service("mh", 1, 1, 1, flags=PORT)
    assert {without.pick(client(10), port) for port in range(1024, 1124)} == {3}
    assert {with_port.pick(client(10), port) for port in range(1024, 1124)} == {1, 2, 3}
    assert with_port.pick(client(10), 1024) == with_port.pick(client(11), 1023)


@pytest.mark.parametrize(("flags", "port"), [(FALLBACK, 0), (FALLBACK | PORT, 40000)])
def test_fallback_looks_at_the_slots_of_other_numbers_in_order(flags: SchedulerFlags, port: int) -> None:
    s = service("mh", 1, 1, 1, flags=flags)
    before = s.picks_for(CLIENTS)
    s.edit(2, 0)
    places = table(servers(1, 1, 1))
    for address, old, new in zip(CLIENTS, before, s.picks_for(CLIENTS), strict=True):
        source = fold(address)
        further = further_slots(slot_of(source, port), source, port)
        numbers = (3 - places[slot] for slot in further)
        assert new == (next(number for number in numbers if number != 2) if old == 2 else old)


def test_fallback_starts_at_the_number_of_the_first_slot_and_tries_every_number() -> None:
    source = fold(client(10))
    looked = list(further_slots(1190, source))
    assert looked[:2] == [slot_of(source + 1190), slot_of(source + 1191)]
    assert sorted(looked) == sorted(slot_of(source + number) for number in range(SLOTS))


def test_with_nobody_left_fallback_ends() -> None:
    s = service("mh", 1, 1, flags=FALLBACK)
    s.edit(1, 0)
    s.edit(2, 0)
    assert s.pick() is None


@given(st.lists(st.integers(1, 100), min_size=2, max_size=6), st.data())
@settings(max_examples=25, deadline=None)
def test_quiescing_a_server_re_maps_nobody_else(weights: list[int], data: st.DataObject) -> None:
    s = service("mh", *weights)
    quiesced = data.draw(st.integers(1, len(weights)))
    before = s.picks_for(CLIENTS)
    s.edit(quiesced, 0)
    assert s.picks_for(CLIENTS) == [None if number == quiesced else number for number in before]
    s.edit(quiesced, weights[quiesced - 1])
    assert s.picks_for(CLIENTS) == before


@given(st.integers(2, 40))
@settings(max_examples=10, deadline=None)
def test_removing_one_of_many_re_maps_few_of_the_others(count: int) -> None:
    before = table(servers(*[1] * count))
    after = table(servers(*[1] * (count - 1)))  # without the newest, the first in the list
    moved = sum(old != new + 1 for old, new in zip(before, after, strict=True) if old != 0)
    assert moved <= SLOTS // 4


@given(st.lists(st.integers(0, 63), min_size=1, max_size=8).filter(any))
@settings(max_examples=50, deadline=None)
def test_every_round_but_the_last_is_whole(weights: list[int]) -> None:
    turns = [weight // math.gcd(*weights) for weight in weights]
    shares = Counter(table(servers(*weights)))
    whole = SLOTS // sum(turns)
    for number, count in enumerate(turns):
        assert whole * count <= shares[len(weights) - 1 - number] <= (whole + 1) * count


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_weights_of_any_size_count_to_a_32nd_of_the_heaviest(weights: list[int]) -> None:
    places = table(servers(*weights))
    if not any(weights):
        assert places == []
        return
    assert len(places) == SLOTS
    heaviest = max(weights)
    full = places.count(len(weights) - 1 - weights.index(heaviest))
    for number, weight in enumerate(weights):
        share = places.count(len(weights) - 1 - number)
        assert (share > 0) == (weight > 0)
        # The last round may be cut short: it has 63 slots for one.
        assert full * (weight / heaviest - 1 / 32) - 63 <= share <= full * (weight / heaviest + 1 / 32) + 63


def test_a_server_that_never_had_a_weight_takes_no_part_until_it_has_one() -> None:
    s = service("mh", 1, 1, 0)
    assert s.picks_for(CLIENTS) == [{0: 2, 1: 1}[table(servers(1, 1))[slot_of(fold(a))]] for a in CLIENTS]
    s.edit(3, 1)
    assert s.picks_for(CLIENTS[:12]) == [3, 3, 3, 2, 2, 1, 2, 3, 1, 2, 3, 2]


def test_a_thousand_servers_are_added_one_by_one_and_looked_up_quickly() -> None:
    start = time.process_time()
    s = service("mh", *range(1, 1001))
    assert s.pick() is not None
    assert time.process_time() - start < 1


@pytest.fixture(scope="module")
def full() -> Service:
    """A service with as many real servers as there are slots."""
    return service("mh", *[1] * SLOTS)


def test_with_as_many_servers_as_slots_each_has_one(full: Service) -> None:
    assert sorted(table(servers(*[1] * SLOTS))) == list(range(SLOTS))
    assert full.pick() is not None


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_server_more_than_slots_leaves_the_table_as_it_was(full: Service, asked_before: bool) -> None:
    s = Service("mh", servers=list(full.servers))
    before = full.picks_for(CLIENTS)
    if asked_before:
        s.pick()
    s.add(SLOTS + 1)
    assert s.picks_for(CLIENTS) == before
    s.add(SLOTS + 2)
    assert s.picks_for(CLIENTS) == before


def test_it_does_not_take_over_more_servers_than_slots(full: Service) -> None:
    with pytest.raises(InvalidRequest, match="4,093"):
        scheduler("mh")([*full.servers, full.servers[0]])
