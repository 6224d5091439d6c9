"""How outcomes in a row become up and down, as tables: what came, then what the checker believes and how long it
waits.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.checks.course import Course, PlainCourse, Progress, RoundCourse
from directrix.checks.settings import Timing

LOOP, AGAIN = 10.0, 2.0
PLAIN = PlainCourse()


def told(course: Course, timing: Timing, outcomes: str) -> list[str]:
    """`+` and `-` for up and down after each outcome, `!` if it was decided, and the wait: `l`oop, `r`etry, `0`."""
    progress, lines = course.begin(timing), []
    for outcome in outcomes:
        step = course.step(timing, progress, outcome == "+")
        progress = step.progress
        wait = {0.0: "0", AGAIN: "r", LOOP: "l"}[step.delay]
        lines.append(("+" if progress.up else "-") + ("!" if step.verdict is not None else ".") + wait)
    return lines


def timing(retry: int = 0, alpha: bool = False) -> Timing:
    return Timing(delay_loop=LOOP, retry=retry, delay_before_retry=AGAIN, alpha=alpha)


@pytest.mark.parametrize(
    ("retry", "alpha", "outcomes", "expected"),
    [
        (0, False, "+-+", "+!l -!l +!l"),
        (1, False, "+--+", "+!l +.r -!l +!l"),
        (1, False, "+-+-+--", "+!l +.r +!l +.r +!l +.r -!l"),
        (3, False, "+----", "+!l +.r +.r +.r -!l"),
        # Nothing is borne before the first success or failure.
        (3, False, "-+", "-!l +!l"),
        (3, True, "-+", "-!l +!l"),
        (3, True, "+----", "+!l +.r +.r +.r -!l"),
        # One that is down is not asked sooner.
        (2, False, "-----+", "-!l -!l -!l -!l -!l +!l"),
    ],
)
def test_retries_are_borne_while_up_and_only_then(retry: int, alpha: bool, outcomes: str, expected: str) -> None:
    assert told(PLAIN, timing(retry, alpha), outcomes) == expected.split()


def test_a_checker_that_pursues_retries_while_down_too() -> None:
    expected = ["-!l", "-!r", "-!r", "-!r", "-!l", "-!r", "+!l", "+.r", "+.r", "+.r", "-!l", "-!r"]
    assert told(PlainCourse(pursue=True), timing(3), "------+-----") == expected


@pytest.mark.parametrize("alpha", [False, True])
def test_a_checker_that_is_patient_has_its_retries_from_the_beginning(alpha: bool) -> None:
    begins = "-" if alpha else "+"
    expected = f"{begins}.r {begins}.r -!l -!r".split()
    assert told(PlainCourse(pursue=True, patient=True), timing(2, alpha), "----") == expected


def test_a_checker_begins_up_or_in_alpha_mode_down() -> None:
    assert PLAIN.begin(timing()).up
    assert not PLAIN.begin(timing(alpha=True)).up


def test_a_certain_failure_counts_at_once() -> None:
    step = PLAIN.step(timing(retry=5), Progress(up=True, has_run=True), ok=False, certain=True)
    assert (step.verdict, step.progress.up) == (False, False)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        # One page an attempt; only all of them together decide.
        ("+++", "+.l +.l +!l"),
        # Before all have answered once, one failure is enough; then that page is asked alone, then all.
        ("+-" + "-+" + "+++", "+.l -!l -!l -.l -.l -.l +!l"),
        # Later failures are borne; a page that answers again goes on to the next.
        ("+++" + "-+" + "++", "+.l +.l +!l +.r +.l +.l +!l"),
        ("+++" + "--", "+.l +.l +!l +.r -!l"),
        # A failure in the last round neither begins anew nor counts for more: that page is asked sooner.
        ("+++" + "--" + "++" + "-" + "++", "+.l +.l +!l +.r -!l -.l -.l -!r -.l +!l"),
    ],
)
def test_pages_are_fetched_in_turn_and_recovery_takes_all_of_them(outcomes: str, expected: str) -> None:
    assert told(RoundCourse(3), timing(retry=1), outcomes) == expected.split()


def test_recovery_of_a_single_page_takes_two_successes() -> None:
    assert told(RoundCourse(1), timing(), "+-++") == ["+!l", "-!l", "-.l", "+!l"]


@pytest.mark.parametrize(
    ("alpha", "outcomes", "expected"),
    [
        (True, "+++", "-.0 -.0 +!l"),
        (False, "+++", "+.0 +.0 +!l"),
        (False, "+++-+", "+.0 +.0 +!l -!l -.0"),
        # A page that fails in the hurried round is not asked without a pause.
        (False, "+++-+-", "+.0 +.0 +!l -!l -.0 -!r"),
    ],
)
def test_fast_recovery_takes_out_the_waiting(alpha: bool, outcomes: str, expected: str) -> None:
    assert told(RoundCourse(3, fast_recovery=True), timing(alpha=alpha), outcomes) == expected.split()


COURSES = st.sampled_from(
    [
        PLAIN,
        PlainCourse(pursue=True),
        PlainCourse(pursue=True, patient=True),
        RoundCourse(1),
        RoundCourse(3),
        RoundCourse(2, fast_recovery=True),
    ]
)


@given(COURSES, st.integers(0, 4), st.booleans(), st.lists(st.booleans(), max_size=40))
def test_the_belief_changes_by_verdicts_alone_and_never_against_the_outcome(
    course: Course, retry: int, alpha: bool, outcomes: list[bool]
) -> None:
    rules = timing(retry, alpha)
    progress, in_a_row = course.begin(rules), 0
    for ok in outcomes:
        step = course.step(rules, progress, ok)
        in_a_row = 0 if ok else in_a_row + 1
        assert step.delay >= 0
        if step.verdict is None:
            assert step.progress.up == progress.up
        else:
            assert step.progress.up == step.verdict == ok
            assert step.progress.has_run
        if progress.up and progress.has_run and in_a_row > retry:
            assert not step.progress.up
        progress = step.progress


@given(COURSES, st.integers(0, 4), st.lists(st.booleans(), max_size=30))
def test_enough_successes_always_bring_it_up(course: Course, retry: int, outcomes: list[bool]) -> None:
    rules = timing(retry)
    progress = course.begin(rules)
    for ok in outcomes:
        progress = course.step(rules, progress, ok).progress
    for _ in range(4):
        progress = course.step(rules, progress, True).progress
    assert progress.up
