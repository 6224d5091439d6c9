"""The course of a drain: when it is over, how fast it goes, how long it will take."""

from __future__ import annotations

import pytest

from directrix.draining.course import Course, Progress, Seen, Stage
from directrix.draining.telling import as_object, line


def seen(left: int, weight: int | None = 0) -> Seen:
    """So many TCP connections, all active."""
    return Seen(left, 0, {"tcp": left} if left else {}, 0, weight)


def looks(course: Course, *lefts: int, every: float = 1.0, start: float = 0.0) -> list[Progress]:
    return [course.look(seen(left), start + number * every) for number, left in enumerate(lefts)]


def test_it_is_over_when_none_is_left() -> None:
    stages = [progress.stage for progress in looks(Course(0, None), 2, 1, 0)]
    assert stages == [Stage.GOING, Stage.GOING, Stage.DRAINED]


def test_inactive_connections_are_connections() -> None:
    assert Course(0, None).look(Seen(0, 3, {"tcp": 3}, 0, 0), 1).stage is Stage.GOING


def test_it_is_over_when_time_is_up() -> None:
    stages = [progress.stage for progress in looks(Course(0, 2), 5, 5, 5)]
    assert stages == [Stage.GOING, Stage.GOING, Stage.TIME_UP]


def test_none_left_at_the_deadline_is_drained() -> None:
    assert Course(0, 2).look(seen(0), 2).stage is Stage.DRAINED


@pytest.mark.parametrize(("weight", "stage"), [(5, Stage.REWEIGHTED), (None, Stage.REMOVED)])
@pytest.mark.parametrize("left", [0, 5])
def test_it_is_over_when_somebody_else_has_decided(weight: int | None, stage: Stage, left: int) -> None:
    assert Course(0, 1).look(seen(left, weight), 9).stage is stage


def test_rate_and_rest_follow_from_how_it_went() -> None:
    *_, last = looks(Course(0, None), 100, 90, 80)
    assert (last.rate, last.remaining) == (10, 8)


def test_after_one_look_nobody_knows() -> None:
    (first,) = looks(Course(0, None), 100)
    assert (first.rate, first.remaining) == (None, None)


@pytest.mark.parametrize("lefts", [(5, 5), (5, 6)])
def test_where_none_goes_the_end_is_not_known(lefts: tuple[int, ...]) -> None:
    *_, last = looks(Course(0, None), *lefts)
    assert last.remaining is None


def test_the_rate_is_of_late_and_forgets_the_rush_at_the_beginning() -> None:
    course = Course(0, None)
    looks(course, 1000, 100)
    *_, last = looks(course, *range(100, 60, -1), start=2)
    assert last.rate == 1


def test_a_look_as_a_line_and_as_json() -> None:
    course = Course(0, None)
    course.look(Seen(4, 8, {"tcp": 10, "udp": 2}, 1, 0), 0)
    progress = course.look(Seen(2, 6, {"tcp": 7, "udp": 1}, 1, 0), 2)
    assert line(progress).split("; ") == [
        "     2s  8 connections left",
        "active 2, inactive 6",
        "TCP 7, UDP 1",
        "2.0 a second go",
        "about 4s to go",
    ]
    assert as_object(progress) == {
        "stage": "draining",
        "elapsed": 2,
        "connections": 8,
        "active": 2,
        "inactive": 6,
        "by_protocol": {"tcp": 7, "udp": 1},
        "persistent": 1,
        "rate": 2,
        "remaining": 4,
    }
