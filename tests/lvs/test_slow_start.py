"""A weight that grows, as a function of the time that has passed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.lvs.slow_start import MOST_STEPS, SlowStart


@st.composite
def slow_starts(draw: st.DrawFn) -> SlowStart:
    start = draw(st.integers(0, 1000))
    return SlowStart(start + draw(st.integers(0, 70_000)), draw(st.integers(0, 36_000)) / 10, start)


def test_it_grows_in_proportion_to_the_time() -> None:
    slow = SlowStart(100, 30)
    assert [slow.weight(t) for t in (0, 0.29, 0.3, 3, 15, 29.9, 30, 99)] == [1, 1, 1, 10, 50, 99, 100, 100]


def test_it_goes_on_from_the_weight_there_is() -> None:
    slow = SlowStart(100, 10, start=50)
    assert [slow.weight(t) for t in (0, 2, 10)] == [50, 60, 100]


def test_without_a_time_it_is_there_at_once() -> None:
    assert SlowStart(7, 0).weight(0) == 7
    assert SlowStart(7, 0).next_step(0) is None


def test_a_clock_that_went_back_shrinks_nothing_below_the_start() -> None:
    assert SlowStart(100, 10, start=50).weight(-3) == 50


def test_a_small_weight_has_as_many_steps_as_it_has_units() -> None:
    slow, at, seen = SlowStart(4, 8), 0.0, []
    while at is not None:
        seen.append((at, slow.weight(at)))
        at = slow.next_step(at)
    assert seen == [(0, 1), (2, 1), (4, 2), (6, 3), (8, 4)]


@given(slow_starts(), st.floats(0, 4000), st.floats(0, 4000))
def test_it_never_shrinks_and_stays_between_one_and_the_target(slow: SlowStart, one: float, other: float) -> None:
    early, late = slow.weight(min(one, other)), slow.weight(max(one, other))
    assert min(1, slow.target) <= early <= late <= slow.target
    assert early >= slow.start


@given(slow_starts())
def test_step_by_step_it_arrives_in_time_and_in_few_steps(slow: SlowStart) -> None:
    at, steps = 0.0, 0
    while (due := slow.next_step(at)) is not None:
        assert at < due <= slow.over
        at, steps = due, steps + 1
    assert steps <= MOST_STEPS + 1
    assert slow.weight(at) == slow.target


@pytest.mark.parametrize("over", [-1, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(over: float) -> None:
    with pytest.raises(ValueError, match="slow start"):
        SlowStart(5, over)


@pytest.mark.parametrize(("target", "start"), [(-1, 0), (5, 6), (5, -1)])
def test_weights_that_do_not_grow_are_refused(target: int, start: int) -> None:
    with pytest.raises(ValueError, match="slow start"):
        SlowStart(target, 1, start)
