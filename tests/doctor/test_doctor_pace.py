"""Checks that look at much: bounded by time, with what was left out told; and findings that are many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from directrix.cli.doctor import Lines
from directrix.doctor.case import Case
from directrix.doctor.examining import Found, examine
from directrix.doctor.finding import EVERYWHERE, Check, Finding, Role, fail, ok
from directrix.doctor.host import Host
from directrix.doctor.pace import Pace
from directrix.doctor.served import Server, Service, parse_service
from directrix.lvs import ForwardingMethod


class Clock:
    """A clock that goes on by a second each time something is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def walk(seconds: float, count: int, size: int = 1) -> tuple[list[list[int]], Pace, list[tuple[int, int]]]:
    clock, told = Clock(), []
    pace = Pace(seconds, lambda done, whole: told.append((done, whole)), clock)
    pace.start()
    parts = []
    for part in pace.in_parts(range(count), size, "things"):
        parts.append(part)
        clock.now += 1
    return parts, pace, told


def test_with_time_enough_all_is_looked_at_and_how_far_it_is_is_told() -> None:
    parts, pace, told = walk(10, 3)
    assert (parts, pace.left_out) == ([[0], [1], [2]], [])
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_when_time_is_up_the_rest_is_left_out_and_counted() -> None:
    parts, pace, _ = walk(2, 1000)
    assert (parts, pace.left_out) == ([[0], [1], [2]], ["997 of 1,000 things"])


def test_no_bound_is_no_bound() -> None:
    parts, pace, _ = walk(0, 500)
    assert (len(parts), pace.left_out) == (500, [])


def test_what_is_asked_together_comes_in_parts() -> None:
    parts, pace, _ = walk(1, 10, 4)
    assert (parts, pace.left_out) == ([[0, 1, 2, 3], [4, 5, 6, 7]], ["2 of 10 things"])


def slow_case(seconds: float) -> tuple[Case, Clock]:
    clock = Clock()
    case = Case(Host(), Role.DIRECTOR, ())
    case.pace = Pace(seconds, clock=clock)
    return case, clock


def test_each_check_has_its_own_time_and_says_what_it_had_none_for() -> None:
    case, clock = slow_case(2)

    def look(case: Case) -> Iterator[Finding]:
        for number in case.pace.each(range(5), "real servers"):
            clock.now += 1
            yield ok(str(number), "well")

    first = Check("first", "the first", "why", EVERYWHERE, look)
    found = examine(case, [first, replace(first, name="second")])
    assert [(each.check.name, each.finding.outcome.value) for each in found] == [
        ("first", "ok"), ("first", "ok"), ("first", "ok"), ("first", "skip"),
        ("second", "ok"), ("second", "ok"), ("second", "ok"), ("second", "skip"),
    ]  # fmt: skip
    assert found[-1].finding.looked_at == "2 of 5 real servers"
    assert found[-1].finding.said == (
        "no time was left for them (2 s); `directrix doctor --only second --time 0` takes as long as it needs"
    )


def test_every_real_server_has_its_turn_before_one_has_a_second() -> None:
    def service(port: int, *servers: int) -> Service:
        reals = (Server(ip_address(f"10.0.0.{each}"), port, ForwardingMethod.DIRECT, 1) for each in servers)
        return replace(parse_service(f"10.0.0.100:{port}"), servers=tuple(reals))

    case = Case(Host(), Role.DIRECTOR, (), (service(80, 1, 2), service(81, 1), service(82, 1, 3)))
    uses = [(server.address.packed[3], service.port) for service, server in case.uses(ForwardingMethod.DIRECT)]
    assert uses == [(1, 80), (2, 80), (3, 82), (1, 81), (1, 82)]


def test_of_many_findings_alike_the_first_are_shown_and_the_rest_counted() -> None:
    check = Check("some", "some", "why", EVERYWHERE, lambda case: ())
    good = [Found(check, ok(f"it {number}", "well")) for number in range(1000)]
    bad = [Found(check, fail(f"it {number}", "ill")) for number in range(100)]
    text = list(Lines(colour=False).of_all([*good, *bad]))
    assert text[24] == "OK    some          976 more; --json tells them all"
    assert text[25:27] == ["FAIL  some          it 0: ill", "      why: why"]
    assert text[-1] == "FAIL  some          52 more; --json tells them all"
