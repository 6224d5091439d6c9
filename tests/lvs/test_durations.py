"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from directrix.lvs.durations import read_duration, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("0.5", 0.5), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("250ms", 0.25)],
)
def test_it_is_read(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "10 m", "10x", "30m1h", "1m1m", "1e3", "inf", "nan", "1h30", "٣s"])
def test_what_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        read_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (-1, "0s"), (59.4, "59s"), (60, "1m"), (130, "2m10s"), (90061, "1d1h")]
)
def test_it_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text
