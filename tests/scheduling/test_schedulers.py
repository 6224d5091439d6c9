"""The exact sequences of rr, wrr, lc and wlc, as they were observed on Linux 6.1, and what holds for every scheduler.

Real servers 1, 2, 3 are added in this order, so a scheduler's list is 3, 2, 1.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduled_service import VIP, Server, Service, service

from directrix.scheduling import ALGORITHMS, Flow, scheduler

BY_HASH = ["dh", "sh", "mh"]
BY_LOCALITY = ["lblc", "lblcr"]
BY_LIST = [name for name in ALGORITHMS if name not in (*BY_HASH, *BY_LOCALITY)]


# -- rr


def test_rr_takes_turns_from_the_newest_and_steps_back_when_its_last_is_removed() -> None:
    s = service("rr", 1, 1, 1)
    assert s.picks(7) == [3, 2, 1, 3, 2, 1, 3]
    s.remove(2)
    assert s.picks(5) == [1, 3, 1, 3, 1]
    s.add(2)
    assert s.picks(6) == [2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize(("picked", "after"), [(1, [3, 2, 3, 2]), (2, [1, 3, 1, 3]), (3, [2, 1, 2, 1])])
def test_rr_goes_on_after_the_place_of_the_removed(picked: int, after: list[int]) -> None:
    s = service("rr", 1, 1, 1)
    assert s.picks(4 - picked)[-1] == picked
    s.remove(picked)
    assert s.picks(4) == after


def test_rr_removing_another_than_the_last_changes_nothing() -> None:
    s = service("rr", 1, 1, 1, 1)
    assert s.picks(2) == [4, 3]
    s.remove(4)
    assert s.picks(4) == [2, 1, 3, 2]


def test_rr_an_added_server_waits_for_the_end_of_the_round() -> None:
    s = service("rr", 1, 1)
    assert s.picks(1) == [2]
    s.add(3)
    assert s.picks(4) == [1, 3, 2, 1]


def test_rr_ignores_how_heavy_a_server_is() -> None:
    assert service("rr", 100, 1, 7).picks(6) == [3, 2, 1, 3, 2, 1]


def test_rr_keeps_its_place_while_nobody_is_to_be_had() -> None:
    s = service("rr", 1, 1, 1)
    assert s.picks(1) == [3]
    for number in (1, 2, 3):
        s[number].overloaded = True
    assert s.picks(2) == [None, None]
    for number in (1, 2, 3):
        s[number].overloaded = False
    assert s.picks(2) == [2, 1]


# -- wrr


@pytest.mark.parametrize(
    ("weights", "cycle"),
    [
        ((1, 2, 3), [3, 2, 1, 3, 3, 2]),
        ((3, 2, 1), [3, 2, 1, 1, 2, 1]),
        ((4, 3, 2), [3, 2, 1, 1, 2, 1, 3, 2, 1]),
        ((2, 4, 6), [3, 2, 1, 3, 3, 2]),
        ((1, 0, 3), [3, 1, 3, 3]),
        ((5, 1, 1), [3, 2, 1, 1, 1, 1, 1]),
    ],
)
def test_wrr_visits_everybody_once_and_then_the_heavy_ones(weights: tuple[int, ...], cycle: list[int]) -> None:
    assert service("wrr", *weights).picks(3 * len(cycle)) == 3 * cycle


def test_wrr_an_edit_starts_a_lap_at_the_head() -> None:
    s = service("wrr", 1, 1, 1)
    assert s.picks(1) == [3]
    s.edit(1, 3)
    assert s.picks(11) == [3, 2, 1, 1, 1, 3, 2, 1, 1, 1, 3]


def test_wrr_bound_to_a_filled_list_starts_with_the_heaviest() -> None:
    servers = [Server(3, 3), Server(2, 2), Server(1, 1)]
    made = scheduler("wrr")(servers)
    flow = Flow(VIP + 1, 40000, VIP)
    assert [picked.number for picked in (made.pick(flow) for _ in range(6)) if picked] == [3, 3, 2, 3, 2, 1]


def test_wrr_refuses_when_all_weights_are_zero() -> None:
    assert service("wrr", 0, 0, 0).picks(3) == [None, None, None]


def test_wrr_after_everyone_was_quiesced_starts_over() -> None:
    s = service("wrr", 2, 1)
    assert s.picks(1) == [2]
    s.edit(1, 0)
    s.edit(2, 0)
    assert s.picks(1) == [None]
    s.edit(1, 2)
    s.edit(2, 1)
    assert Counter(s.picks(30)) == {1: 20, 2: 10}


def test_wrr_steps_by_the_common_divisor_at_levels_that_end_in_one() -> None:
    s = service("wrr", 2, 2)
    s.edit(1, 40)
    s.edit(2, 60)
    assert Counter(s.picks(5 * 20)) == {1: 40, 2: 60}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.data())
def test_wrr_gives_each_its_share_in_every_cycle_whatever_was_edited(weights: list[int], data: st.DataObject) -> None:
    s = service("wrr", *weights)
    for _ in range(data.draw(st.integers(0, 5))):
        s.picks(data.draw(st.integers(0, 7)))
        s.edit(data.draw(st.integers(1, len(weights))), data.draw(st.integers(0, 12)))
    total = sum(server.weight for server in s.servers)
    if total == 0:
        assert s.picks(1) == [None]
        return
    s.picks(total)  # an edit may have left it in the middle of a lap
    assert Counter(s.picks(total)) == {server.number: server.weight for server in s.servers if server.weight}


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=6), st.integers(0, 20))
def test_wrr_finds_a_server_whenever_there_is_one(shape: list[tuple[int, bool]], before: int) -> None:
    s = service("wrr", *(weight for weight, _ in shape))
    s.picks(before)
    for number, (_, overloaded) in enumerate(shape, start=1):
        s[number].overloaded = overloaded
    available = any(weight and not overloaded for weight, overloaded in shape)
    assert all((pick is not None) == available for pick in s.picks(20))


# -- lc


def test_lc_takes_the_least_loaded_and_of_equals_the_newest() -> None:
    s = service("lc", 1, 1, 1)
    assert s.picks(7, hold=True) == [3, 2, 1, 3, 2, 1, 3]
    for number, inactive in ((1, 2), (2, 2), (3, 3)):
        s[number].active, s[number].inactive = 0, inactive
    assert s.picks(7, hold=True) == [2, 1, 3, 2, 1, 3, 2]


def test_lc_counts_an_active_connection_as_256_inactive_ones() -> None:
    s = service("lc", 1, 1)
    s[2].active = 1
    s[1].inactive = 255
    assert s.picks(1) == [1]
    s[1].inactive = 256
    assert s.picks(1) == [2]


def test_lc_ignores_how_heavy_a_server_is() -> None:
    assert service("lc", 100, 1).picks(4, hold=True) == [2, 1, 2, 1]


# -- wlc


@pytest.mark.parametrize("how", [{"hold": True}, {"close": True}], ids=["held", "closed at once"])
def test_wlc_takes_the_least_loaded_for_its_weight(how: dict[str, bool]) -> None:
    assert service("wlc", 1, 2, 3).picks(13, **how) == [3, 2, 1, 3, 2, 3, 3, 2, 1, 3, 2, 3, 3]


def test_wlc_leaves_out_weight_zero() -> None:
    assert service("wlc", 0, 2, 3).picks(6, hold=True) == [3, 2, 3, 2, 3, 3]


def test_wlc_compares_exactly_where_floating_point_would_not() -> None:
    s = service("wlc", 2**31 - 2, 2**31 - 1)
    s[1].active, s[1].inactive = 2**23 - 1, 253
    s[2].active, s[2].inactive = 2**23 - 1, 254
    assert (2**31 - 3) / (2**31 - 2) == (2**31 - 2) / (2**31 - 1)
    assert s.picks(1) == [1]


# -- all of them


@pytest.mark.parametrize("name", ALGORITHMS)
def test_without_servers_there_is_none(name: str) -> None:
    assert service(name).picks(1) == [None]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_last_server_removed_leaves_none(name: str) -> None:
    s = service(name, 1)
    assert s.picks(1) == [1]
    s.remove(1)
    assert s.picks(1) == [None]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_servers_that_never_had_a_weight_get_nothing(name: str) -> None:
    assert service(name, 0, 0, 0).picks(3) == [None, None, None]


@pytest.mark.parametrize("name", BY_LIST)
def test_an_overloaded_server_is_left_out_until_it_is_not(name: str) -> None:
    s = service(name, 1, 1)
    s[2].overloaded = True
    assert s.picks(2, hold=True) == [1, 1]
    s[1].overloaded = True
    assert s.picks(2) == [None, None]
    s[2].overloaded = False
    assert s.picks(2, hold=True) == [2, 2]


@pytest.mark.parametrize("name", ALGORITHMS)
@given(data=st.data())
def test_whatever_happened_a_pick_is_a_usable_member_if_there_is_one(name: str, data: st.DataObject) -> None:
    s = Service(name)
    for number in range(data.draw(st.integers(1, 15))):
        action = data.draw(st.sampled_from(["add", "edit", "remove", "overload", "pick"]))
        if action == "add" or not s.servers:
            s.add(number, data.draw(st.integers(0, 4)))
        elif action == "pick":
            s.picks(data.draw(st.integers(1, 5)), hold=True)
        else:
            chosen = data.draw(st.sampled_from([server.number for server in s.servers]))
            if action == "edit":
                s.edit(chosen, data.draw(st.integers(0, 4)))
            elif action == "remove":
                s.remove(chosen)
            else:
                s[chosen].overloaded = data.draw(st.booleans())
    # What lblc has given to an address before may be overloaded by now: another address shows the rule.
    elsewhere = IPv4Address("10.0.0.2")
    picked = s.scheduler.pick(Flow(data.draw(st.ip_addresses(v=4)), 40000, elsewhere, s.now))
    candidates = [server for server in s.servers if _may_be_picked(name, server)]
    if name in BY_HASH:
        assert picked is None or picked in candidates
    else:
        assert picked in candidates if candidates else picked is None


def _may_be_picked(name: str, server: Server) -> bool:
    return server.usable and (name != "ovf" or server.active <= server.weight)
