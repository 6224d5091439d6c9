"""The RFCs' intervals, with figures worked out by hand."""

from __future__ import annotations

import pytest

from directrix.vrrp.timing import Timing


@pytest.mark.parametrize(
    ("version", "priority", "interval", "skew", "down"),
    [
        (2, 100, 1.0, 156 / 256, 3 + 156 / 256),
        (2, 254, 1.0, 2 / 256, 3 + 2 / 256),
        (2, 255, 1.0, 1 / 256, 3 + 1 / 256),
        (2, 100, 10.0, 156 / 256, 30 + 156 / 256),
        (3, 100, 1.0, 156 / 256, 3 + 156 / 256),
        (3, 100, 0.1, 0.1 * 156 / 256, 0.3 + 0.1 * 156 / 256),
        (3, 1, 40.0, 40 * 255 / 256, 120 + 40 * 255 / 256),
    ],
)
def test_skew_time_and_master_down_interval_are_those_of_the_rfc_of_the_version(
    version: int, priority: int, interval: float, skew: float, down: float
) -> None:
    timing = Timing(version, priority, interval)
    assert timing.skew == pytest.approx(skew)
    assert timing.master_down == pytest.approx(down)


def test_down_timer_adverts_replaces_the_three_missing_adverts() -> None:
    assert Timing(3, 255, 1.0, down_adverts=2).master_down == pytest.approx(2 + 1 / 256)
