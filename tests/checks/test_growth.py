"""A weight on its way up, by the time and by what it grows to."""

from __future__ import annotations

from directrix.checks.growth import Growth

GROWTH = Growth(began=100.0, over=10.0)


def test_the_weight_is_a_part_of_the_full_one_as_the_time_that_has_passed_is_of_the_whole() -> None:
    assert {now: GROWTH.weight(now, 20) for now in (102.5, 105.0, 107.5)} == {102.5: 5, 105.0: 10, 107.5: 15}
    assert GROWTH.weight(105.0, 100) == 50


def test_it_begins_with_one_for_none_would_get_nothing_and_at_the_end_is_the_full_one() -> None:
    before, at_first, at_last, after = 99.0, 100.0, 110.0, 999.0
    assert [GROWTH.weight(now, 20) for now in (before, at_first)] == [1, 1]
    assert [GROWTH.weight(now, 20) for now in (at_last, after)] == [20, 20]


def test_it_is_set_again_as_often_as_the_weight_has_steps() -> None:
    assert GROWTH.next_step(100.0, 20) == 100.5
    assert GROWTH.next_step(109.9, 20) == 110.0
    assert GROWTH.next_step(100.0, 1_000_000) == 100.1
    assert GROWTH.next_step(111.0, 20) == GROWTH.ends == 110.0


def test_at_another_pace_what_has_grown_stays_and_without_time_it_is_over() -> None:
    slower = GROWTH.at_pace(100.0, 105.0)
    assert slower == Growth(55.0, 100.0)
    assert slower.weight(105.0, 20) == GROWTH.weight(105.0, 20)
    assert GROWTH.at_pace(10.0, 105.0) is GROWTH
    assert GROWTH.at_pace(0.0, 105.0) is None
    assert GROWTH.at_pace(5.0, 110.0) is None
    assert GROWTH.at_pace(100.0, 99.0) == Growth(99.0, 100.0)
