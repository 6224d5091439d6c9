"""What becomes of requests, summed up."""

from __future__ import annotations

from collections import Counter

from directrix.lab.clients import SLOW, Request, tally
from directrix.lab.failover_demo import Figures


def test_requests_are_summed_up_by_what_became_of_them() -> None:
    found = tally(
        [
            Request(1.0, 0.01, "rs1"),
            Request(2.0, SLOW, "rs1"),
            Request(3.0, SLOW + 0.5, "rs2"),
            Request(4.0, 5.0, trouble="no answer"),
        ]
    )
    assert (found.requests, found.failed, found.slow, found.slowest) == (4, 1, 1, SLOW + 0.5)
    assert found.servers == Counter(rs1=2, rs2=1)
    assert found.troubles == Counter({"no answer": 1})


def test_without_requests_there_is_nothing_to_sum_up() -> None:
    assert tally([]) == tally([])
    assert (tally([]).requests, tally([]).slowest) == (0, 0.0)


def test_figures_are_plain_data() -> None:
    figures = Figures("d1 is stopped", 0.21349, 181, 0, 0, 0.00612, {"mh": (8, 8), "rr": (8, 3)})
    assert figures.as_object() == {
        "event": "d1 is stopped",
        "seconds": 0.213,
        "requests": 181,
        "failed": 0,
        "slow": 0,
        "slowest": 0.006,
        "kept": {"mh": {"connections": 8, "went_on": 8}, "rr": {"connections": 8, "went_on": 3}},
    }
