"""Weights, faults, scripts, processes and files, by keepalived's rules."""

from __future__ import annotations

import pytest

from directrix.vrrp.tracked import ParameterMatch, Process, Script, Tracked
from directrix.vrrp.tracking import (
    Assessment,
    ScriptHealth,
    Weight,
    assess_condition,
    assess_number,
    has_quorum,
    number_in,
    total,
    weight_of,
)
from directrix.vrrp.values import Command
from directrix.vrrp.watching import matches

FAULT = "fault"
WAITS = "waits"


@pytest.mark.parametrize(
    ("weight", "reverse", "well", "expected"),
    [
        (0, False, True, 0),
        (0, False, False, FAULT),
        (0, True, True, FAULT),
        (0, True, False, 0),
        (0, False, None, WAITS),
        (20, False, True, 20),
        (20, False, False, 0),
        (20, False, None, 0),
        (-20, False, True, 0),
        (-20, False, False, -20),
        (-20, False, None, 0),
        (20, True, True, -20),
        (20, True, False, 0),
        (-20, True, True, 0),
        (-20, True, False, 20),
    ],
)
def test_a_tracked_thing_counts_as_in_keepalived(
    weight: int, reverse: bool, well: bool | None, expected: int | str
) -> None:
    assessment = assess_condition("thing", well, Weight(weight, reverse))
    if expected == FAULT:
        assert assessment == Assessment(faults=("thing",))
    elif expected == WAITS:
        assert assessment == Assessment(undecided=("thing",))
    else:
        assert assessment == Assessment(adjustment=expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "weight", "reverse", "expected"),
    [
        (0, 0, False, 0),
        (1, 0, False, FAULT),
        (-1, 0, False, FAULT),
        (0, 0, True, FAULT),
        (3, 0, True, 0),
        (5, 1, False, 5),
        (5, -2, False, -10),
        (5, 2, True, -10),
        (-253, 1, False, -253),
        (-254, 1, False, FAULT),
        (1, -254, False, FAULT),
        (254, 1, False, 253),
        (100000, 1, False, 253),
    ],
)
def test_a_file_counts_as_its_number_times_its_weight(
    number: int, weight: int, reverse: bool, expected: int | str
) -> None:
    assessment = assess_number("file", number, Weight(weight, reverse))
    assert (FAULT if assessment.faults else assessment.adjustment) == expected


def test_all_that_is_tracked_adds_up() -> None:
    parts = [Assessment(5), Assessment(-20, faults=("a",)), Assessment(faults=("b",), undecided=("c",))]
    assert total(parts) == Assessment(-15, ("a", "b"), ("c",))
    assert total([]) == Assessment()


def script(**changes: object) -> Script:
    return Script("check", Command(("/bin/true",)), **changes)  # type: ignore[arg-type]


def run(health: ScriptHealth, results: str, of: Script) -> list[bool | None]:
    """The states after results: + for a success, - for a failure."""
    states = []
    for result in results:
        health = health.after(result == "+", of)
        states.append(health.well)
    return states


def test_a_script_changes_its_state_after_rise_successes_and_fall_failures_in_a_row() -> None:
    slow = script(rise=3, fall=2)
    assert run(ScriptHealth(True), "-+--", slow) == [True, True, True, False]
    assert run(ScriptHealth(False), "++-+++", slow) == [False, False, False, False, False, True]


def test_the_first_result_of_a_script_counts_at_once() -> None:
    slow = script(rise=3, fall=3)
    assert run(ScriptHealth.of(slow), "+", slow) == [True]
    assert run(ScriptHealth.of(slow), "-", slow) == [False]


def test_a_script_with_init_fail_has_failed_until_it_rose() -> None:
    failed = script(initially_failed=True, rise=2)
    assert ScriptHealth.of(failed).well is False
    assert run(ScriptHealth.of(failed), "++", failed) == [False, True]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("5", 5),
        (" -7\n", -7),
        ("+3 words", 3),
        ("12abc", 12),
        ("abc", 0),
        ("\0\0", 0),
        ("9" * 64, int("9" * 18)),
    ],
)
def test_a_tracked_file_holds_the_number_it_begins_with(text: str, number: int) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    ("quorum", "most", "running", "well"),
    [
        (1, None, 0, False),
        (1, None, 1, True),
        (2, 3, 1, False),
        (2, 3, 3, True),
        (2, 3, 4, False),
        (1, 0, 0, True),
        (1, 0, 1, False),
    ],
)
def test_a_program_has_its_quorum_between_least_and_most(
    quorum: int, most: int | None, running: int, well: bool
) -> None:
    assert has_quorum(Process("p", "nginx", quorum=quorum, quorum_max=most), running) == well


def test_what_is_said_where_a_thing_is_tracked_comes_before_its_definition() -> None:
    defined = Weight(5, True)
    assert weight_of(Tracked("x"), defined) == defined
    assert weight_of(Tracked("x", 0, False), defined) == Weight(0, False)


def test_a_process_is_found_by_the_kernels_name_of_it() -> None:
    assert matches(Process("p", "nginx"), "nginx", ("nginx: master process",))
    assert not matches(Process("p", "ngin"), "nginx", ("nginx",))
    assert matches(Process("p", "a-very-long-name-indeed"), "a-very-long-nam", ())


def test_a_process_is_found_by_its_command_line() -> None:
    line = ("/usr/bin/python3", "-m", "server", "--port=80")

    def found(parameters: tuple[str, ...] | None, match: ParameterMatch = ParameterMatch.EXACT) -> bool:
        return matches(Process("p", "/usr/bin/python3", parameters, match), "python3", line)

    assert found(None)
    assert found(("-m", "server", "--port=80"))
    assert not found(("-m", "server"))
    assert found(("-m", "server"), ParameterMatch.PARTIAL)
    assert not found(("-m", "serv"), ParameterMatch.PARTIAL)
    assert found(("-m", "serv"), ParameterMatch.INITIAL)
    assert not found(("-x",), ParameterMatch.INITIAL)
    assert not found((), ParameterMatch.INITIAL)
    assert not matches(Process("p", "/usr/bin/python3"), "python3", ())
