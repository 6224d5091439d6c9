"""Thresholds of the memory table: when a real server is full, and when it takes connections again."""

from __future__ import annotations

import pytest
from memory_cluster import HTTP, Cluster

from directrix.lvs import VirtualService

RR = VirtualService(HTTP, "rr")


def filled(upper: int, lower: int = 0) -> Cluster:
    """One server at its upper threshold, with connections from ports 0, 1, ..."""
    cluster = Cluster(RR)
    cluster.add(1, upper=upper, lower=lower)
    assert [cluster.send(port) for port in range(upper)] == [1] * upper
    assert cluster.send(9999) == "no_server"
    return cluster


def close(cluster: Cluster, *ports: int) -> None:
    """End connections: reset them and wait for the end, while the others are kept alive."""
    for port in ports:
        cluster.send(port, "A", "R")
    cluster.wait(10)


def test_each_server_takes_as_many_connections_as_its_upper_threshold() -> None:
    cluster = Cluster(RR)
    for number in (1, 2, 3):
        cluster.add(number, upper=2)
    assert [cluster.send(port) for port in range(8)] == [3, 2, 1, 3, 2, 1, "no_server", "no_server"]


def test_inactive_connections_count() -> None:
    cluster = filled(2)
    cluster.send(0, "A", "F")
    assert cluster.counts(1) == (1, 1)
    assert cluster.send(9999) == "no_server"


@pytest.mark.parametrize(
    ("upper", "lower", "closed", "open_again"),
    [(4, 0, 1, False), (4, 0, 2, True), (4, 4, 1, True), (4, 2, 2, False), (4, 2, 3, True), (8, 0, 2, False)],
)
def test_a_full_server_opens_again_below_its_lower_threshold_or_three_quarters(
    upper: int, lower: int, closed: int, open_again: bool
) -> None:
    cluster = filled(upper, lower)
    close(cluster, *range(closed))
    assert cluster.send(9999) == (1 if open_again else "no_server")


def test_raising_or_lifting_the_upper_threshold_opens_a_full_server_at_once() -> None:
    for upper in (5, 0):
        cluster = filled(4)
        cluster.edit(1, upper=upper)
        assert cluster.send(9999) == 1


def test_an_edit_that_keeps_or_lowers_the_upper_threshold_does_not() -> None:
    for upper in (4, 3):
        cluster = filled(4)
        cluster.edit(1, upper=upper)
        assert cluster.send(9999) == "no_server"


def test_lowering_the_upper_threshold_is_noticed_with_the_next_connection() -> None:
    cluster = Cluster(RR, 1)
    assert [cluster.send(port) for port in range(4)] == [1] * 4
    cluster.edit(1, upper=2)
    assert [cluster.send(port) for port in range(4, 6)] == [1, "no_server"]


def test_a_full_server_keeps_its_connections() -> None:
    cluster = filled(1)
    assert cluster.send(0, "A") == 1
