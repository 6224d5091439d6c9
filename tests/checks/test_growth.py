"""A weight on its way up, by the time and by what it grows to."""

from __future__ import annotations

from directrix.checks.growth import Growth

GROWTH = Growth(began=100.0, over=10.0)


def test_it_has_its_part_of_whatever_the_weight_is_by_then() -> None:
    assert [GROWTH.weight(now, 20) for now in (99.0, 100.0, 105.0, 110.0, 999.0)] == [1, 1, 10, 20, 20]
    assert GROWTH.weight(105.0, 100) == 50


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
