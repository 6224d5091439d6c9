"""Who is due when."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from directrix.checks.actions import ServerKey
from directrix.checks.steps import Steps

A: ServerKey = (IPv4Address("10.0.0.1"), 80)
B: ServerKey = (IPv6Address("fd00::1"), 80)
C: ServerKey = (IPv4Address("10.0.0.3"), 80)


def test_the_earliest_come_first_and_each_once_at_the_time_that_was_told_last() -> None:
    steps = Steps()
    assert (steps.first(), steps.take(9.0, 9)) == (None, [])
    for server, due in ((A, 5.0), (B, 5.0), (C, 1.0), (A, 3.0), (C, 7.0)):
        steps.put(server, due)
    assert steps.first() == 3.0
    assert steps.take(2.9, 9) == []
    assert steps.take(6.0, 1) == [A]
    assert steps.take(6.0, 9) == [B]
    assert steps.servers == {C}
    steps.drop(C)
    steps.drop(A)
    assert (steps.first(), steps.take(99.0, 9)) == (None, [])
