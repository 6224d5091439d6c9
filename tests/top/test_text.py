"""Numbers and bars in a few columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.top.text import duration, fit, percent, short, sparkline


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (99_999, "99999"), (100_000, "100k"), (1_234_567, "1.2M"), (99_960_000, "100M"), (5e12, "5.0T")],
)
def test_numbers(number: float, text: str) -> None:
    assert short(number) == text


@given(st.integers(0, 1 << 64))
def test_every_number_fits_five_columns(number: int) -> None:
    assert len(short(number)) <= 5


@given(st.floats(0, 1e4))
def test_every_time_fits_five_columns(seconds: float) -> None:
    assert len(duration(seconds)) <= 5


def test_a_share_that_is_not_all_is_not_a_hundred_percent() -> None:
    assert (percent(0.9999), percent(1.0), percent(None)) == ("99%", "100%", "-")


def test_bars_are_as_high_as_their_part_of_the_highest() -> None:
    assert sparkline([0, 1, 4, 8], 4, unicode=True) == " ▂▅█"
    assert sparkline([0, 8], 4, unicode=False) == "   #"
    assert sparkline([5, 5, 0], 2, unicode=True) == "█ "
    assert sparkline([1], 0, unicode=True) == ""


def test_of_a_long_name_the_end_is_kept() -> None:
    assert fit("10.0.0.123:8080", 8) == "~23:8080"
    assert fit("a", 3) == "a  "
