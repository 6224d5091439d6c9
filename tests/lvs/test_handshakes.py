"""What handshakes tell: shares, and quantiles of a histogram of octaves."""

from __future__ import annotations

import pytest

from directrix.lvs.handshakes import FIRST_SHIFT, OCTAVES, UNIT, Handshakes, bounds, half_open, octave, together
from directrix.lvs.sctp import SctpState
from directrix.lvs.tcp import TcpState


def timed(**counts: int) -> Handshakes:
    """So many handshakes in octaves named o3 and so on."""
    times = tuple(counts.get(f"o{number}", 0) for number in range(OCTAVES))
    return Handshakes(begun=sum(times), completed=sum(times), times=times)


def test_octaves_have_no_gaps_and_double() -> None:
    assert bounds(0) == (0.0, UNIT * (2 << FIRST_SHIFT))
    for number in range(1, OCTAVES):
        least, most = bounds(number)
        assert (least, most) == (bounds(number - 1)[1], 2 * least)


@pytest.mark.parametrize("number", range(1, OCTAVES))
def test_a_time_is_in_the_octave_whose_bounds_hold_it(number: int) -> None:
    least, most = bounds(number)
    assert octave(least * 1.001) == octave(most * 0.999) == number
    assert octave(least * 0.999) == number - 1


def test_every_time_has_an_octave() -> None:
    assert octave(0.0) == 0
    assert octave(1e6) == OCTAVES - 1
    assert octave(60.0) < OCTAVES, "as long as a half-open connection lives"


def test_half_open_is_what_has_knocked_and_not_come_in() -> None:
    assert [state.name for state in TcpState if half_open(state)] == ["SYN_RECV", "SYNACK"]
    assert not half_open(SctpState.NONE)
    assert [state.name for state in (SctpState.INIT1, SctpState.COOKIE_ECHOED) if half_open(state)] == [
        "INIT1",
        "COOKIE_ECHOED",
    ]
    assert not half_open(SctpState.ESTABLISHED)


def test_the_share_leaves_out_what_is_half_open() -> None:
    found = Handshakes(begun=10, completed=6, failed=2)
    assert found.half_open == 2
    assert found.share == 0.75


def test_without_connections_there_is_no_share() -> None:
    assert Handshakes(begun=3).share is None
    assert Handshakes().recent_share is None


def test_the_recent_share_counts_a_connection_that_never_completes_at_once() -> None:
    found = Handshakes(begun=40, recent_begun=5.0, recent_completed=0.0)
    assert found.share is None
    assert found.recent_share == 0.0
    assert found.sample == 40


def test_the_recent_share_is_never_more_than_all() -> None:
    assert Handshakes(recent_begun=1.0, recent_completed=1.5).recent_share == 1.0


def test_a_quantile_lies_in_the_octave_that_has_its_rank() -> None:
    found = timed(o5=90, o9=10)
    assert bounds(5)[0] <= (found.quantile(0.5) or 0) <= bounds(5)[1]
    assert found.quantile(0.9) == pytest.approx(bounds(5)[1])
    assert bounds(9)[0] <= (found.quantile(0.99) or 0) <= bounds(9)[1]
    assert found.quantile(1.0) == pytest.approx(bounds(9)[1])


def test_quantiles_grow_with_their_part() -> None:
    found = timed(o0=3, o1=1, o7=5, o20=2)
    quantiles = [found.quantile(part / 20) or 0.0 for part in range(21)]
    assert quantiles == sorted(quantiles)


def test_without_times_there_is_no_quantile() -> None:
    assert Handshakes(begun=5, completed=5).quantile(0.5) is None


def test_together_they_are_as_one() -> None:
    one = Handshakes(10, 7, 2, 1.5, 1.0, timed(o3=7).times)
    two = Handshakes(4, 4, 0, 0.5, 0.5, timed(o3=1, o4=3).times)
    assert together([one, two]) == Handshakes(14, 11, 2, 2.0, 1.5, timed(o3=8, o4=3).times)
    assert together([]) == Handshakes()
