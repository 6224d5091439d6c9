"""lblc and lblcr as observed on Linux 6.1, and how their cache forgets."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from scheduled_service import VIP, service

from directrix.scheduling.hashing import hash_32
from directrix.scheduling.locality import EXPIRATION, FULL, MOST_ENTRIES, LocalityCache

OTHER = VIP + 1
THIRD = VIP + 2
HALF_HOUR = 1800.0
SOON = 1e-6


@pytest.mark.parametrize(
    ("name", "picks"),
    [
        ("lblc", [3, 3, 2, 2, 1, 1, 1, 1, 1]),
        ("lblcr", [3, 3, 2, 2, 1, 1, 1, 2, 3, 1, 2, 3]),
    ],
)
def test_held_connections_to_one_address_go(name: str, picks: list[int]) -> None:
    assert service(name, 1, 1, 1).picks(len(picks), hold=True) == picks


@pytest.mark.parametrize("name", ["lblc", "lblcr"])
class TestBoth:
    def test_an_address_stays_with_its_server_while_others_are_idle(self, name: str) -> None:
        s = service(name, 10, 10, 10)
        assert s.picks(5, hold=True) == [3, 3, 3, 3, 3]
        assert s.picks(2, hold=True, destination=OTHER) == [2, 2]
        assert s.picks(2, hold=True, destination=THIRD) == [1, 1]
        assert s.picks(1, hold=True) == [3]

    def test_more_connections_than_weight_send_an_address_on_if_somebody_is_half_idle(self, name: str) -> None:
        s = service(name, 4, 4)
        assert s.picks(5, hold=True) == [2, 2, 2, 2, 2]
        s[1].active = 2  # not less than half of its weight
        assert s.picks(1) == [2]
        s[1].active = 1
        assert s.picks(1) == [1]

    def test_a_quiesced_server_loses_its_addresses(self, name: str) -> None:
        s = service(name, 1, 1, 1)
        assert s.picks(1) == [3]
        s.edit(3, 0)
        assert s.picks(2) == [2, 2]

    def test_a_removed_server_loses_its_addresses(self, name: str) -> None:
        s = service(name, 1, 1, 1)
        assert s.picks(1) == [3]
        s.remove(3)
        assert s.picks(2) == [2, 2]

    def test_a_server_that_comes_back_before_anybody_asked_has_its_addresses_again(self, name: str) -> None:
        s = service(name, 1, 1)
        assert s.picks(1) == [2]
        returning = s.remove(2)
        returning.inactive = 100
        s.bring_back(returning)
        assert s.picks(1) == [2]

    def test_an_address_unused_for_a_day_is_forgotten(self, name: str) -> None:
        s = service(name, 1, 1)
        assert s.picks(1) == [2]
        s[2].inactive = 1
        s.now = EXPIRATION - SOON
        assert s.picks(1) == [2]
        s.now += EXPIRATION + HALF_HOUR
        assert s.picks(1) == [1]

    def test_the_expiration_is_looked_at_every_half_hour(self, name: str) -> None:
        s = service(name, 1, 1)
        s.scheduler.cache.expiration = 5
        assert s.picks(1) == [2]
        s[2].inactive = 1
        s.now = HALF_HOUR - SOON
        assert s.picks(1, destination=OTHER) == [1]
        assert len(s.scheduler.cache) == 2
        s.now = HALF_HOUR
        assert s.picks(1) == [1]
        assert len(s.scheduler.cache) == 2


def test_lblc_an_overloaded_server_keeps_the_addresses_it_has() -> None:
    s = service("lblc", 1, 1)
    assert s.picks(1) == [2]
    s[2].overloaded = True
    assert s.picks(1) == [2]
    assert s.picks(1, destination=OTHER) == [1]


def test_lblcr_an_overloaded_server_keeps_none() -> None:
    s = service("lblcr", 1, 1)
    assert s.picks(1) == [2]
    s[2].overloaded = True
    assert s.picks(1) == [1]


def test_lblc_an_address_has_one_server_and_forgets_the_one_before() -> None:
    s = service("lblc", 1, 1)
    assert s.picks(3, hold=True) == [2, 2, 1]
    s[2].active = 0
    assert s.picks(1) == [1]


def test_lblcr_an_address_has_all_it_ever_needed() -> None:
    s = service("lblcr", 1, 1, 1)
    assert s.picks(3, hold=True) == [3, 3, 2]
    s[3].active = 0
    assert s.picks(1) == [3]
    assert s.picks(1, destination=OTHER) == [3]


def test_lblcr_a_set_unchanged_for_the_expiration_loses_its_most_loaded_member() -> None:
    s = service("lblcr", 1, 1, 1)
    s.scheduler.cache.expiration = 100
    assert s.picks(5, hold=True) == [3, 3, 2, 2, 1]
    s[1].active, s[2].active, s[3].active = 0, 0, 1
    s.now = 100
    assert s.picks(1) == [1]  # exactly the expiration is not yet longer
    s.now = 100.5
    assert s.picks(1) == [1]  # 3 goes
    s[1].active, s[2].active, s[3].active = 1, 1, 0
    assert s.picks(1) == [1]
    s.now = 201
    assert s.picks(1) == [1]  # of 1 and 2, the newest member first, the first goes
    s[1].active, s[2].active = 0, 1
    assert s.picks(1) == [2]
    s.now = 302
    assert s.picks(1) == [2]  # the last one stays


def test_lblcr_a_member_that_joins_starts_the_expiration_anew() -> None:
    s = service("lblcr", 1, 1, 1)
    s.scheduler.cache.expiration = 100
    assert s.picks(2, hold=True) == [3, 3]
    s.now = 90
    assert s.picks(1, hold=True) == [2]
    s.now = 150
    s[3].active, s[2].active = 0, 1
    assert s.picks(1) == [3]
    s[3].active, s[2].active = 1, 0
    assert s.picks(1) == [2]


# -- the cache


@dataclass
class Use:
    last_use: float


def filled(count: int, now: float = 0.0) -> LocalityCache[Use]:
    """A cache whose clock starts at 0, with addresses from 0.0.0.0 on."""
    cache = LocalityCache[Use]()
    cache.find(IPv4Address(2**32 - 1), 0)
    for number in range(count):
        cache.put(IPv4Address(number), Use(now))
    return cache


def test_a_full_cache_takes_in_no_new_address_but_changes_those_it_has() -> None:
    cache = filled(FULL + 10)
    assert len(cache) == FULL
    again = Use(0)
    cache.put(IPv4Address(0), again)
    assert cache.find(IPv4Address(0), 1) is again
    assert cache.find(IPv4Address(FULL), 1) is None


def test_up_to_its_size_a_cache_keeps_what_is_unused_for_less_than_a_day() -> None:
    cache = filled(MOST_ENTRIES)
    cache.find(IPv4Address(0), 80_000)
    assert len(cache) == MOST_ENTRIES
    cache.find(IPv4Address(0), EXPIRATION + HALF_HOUR)
    assert len(cache) == 1


def test_beyond_its_size_a_cache_drops_chains_of_unused_entries_until_it_has_room() -> None:
    cache = filled(MOST_ENTRIES + 300)
    cache.find(IPv4Address(2**32 - 1), 359.9)
    assert len(cache) == MOST_ENTRIES + 300
    cache.find(IPv4Address(2**32 - 1), 360)
    gone = [number for number in range(MOST_ENTRIES + 300) if cache.find(IPv4Address(number), 360) is None]
    # 400 are to go. They are those of the first chains after number 0, and no chain is left half.
    chains = {hash_32(number, 10) for number in gone}
    assert chains == set(range(1, max(chains) + 1))
    assert 400 <= len(gone) < 400 + len([n for n in gone if hash_32(n, 10) == max(chains)])


def test_the_next_drop_goes_on_where_the_last_ended() -> None:
    cache = filled(MOST_ENTRIES + 300)
    cache.find(IPv4Address(2**32 - 1), 360)
    left = len(cache)
    for number in range(2**24, 2**24 + MOST_ENTRIES + 30 - left):
        cache.put(IPv4Address(number), Use(0))
    cache.find(IPv4Address(2**32 - 1), 420)
    # 40 are to go, and they don't come from the chain after number 0, which has only new ones.
    gone = [n for n in range(2**24, 2**24 + 700) if hash_32(n, 10) == 1 and cache.find(IPv4Address(n), 420) is None]
    assert gone == []
    assert MOST_ENTRIES - 40 < len(cache) <= MOST_ENTRIES - 10


def test_a_minute_with_too_many_does_not_count_toward_the_check_of_the_expiration() -> None:
    quiet, busy = filled(10), filled(MOST_ENTRIES + 1)
    for cache in (quiet, busy):
        cache.expiration = 1
        for number in range(MOST_ENTRIES + 1):
            cache.find(IPv4Address(number), 61)  # at 60 the busy one had too many, all just used
        cache.find(IPv4Address(2**32 - 1), HALF_HOUR)
    assert len(quiet) == 0
    assert len(busy) > 0
    busy.find(IPv4Address(2**32 - 1), HALF_HOUR + 600)
    assert len(busy) == 0
