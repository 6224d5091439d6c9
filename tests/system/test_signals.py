"""Being interrupted in good order."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from directrix.system.signals import Terminated, ending_in_order, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_unwinds_with_the_status_shells_give(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Terminated) as caught, ending_in_order():
        os.kill(os.getpid(), number)
    assert caught.value.status == 128 + number
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_where_nothing_can_be_raised_is_not_lost() -> None:
    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.001)

    def work() -> None:
        Finalized()
        time.sleep(30)

    before = sys.unraisablehook
    with pytest.raises(Terminated), ending_in_order():
        work()
    assert sys.unraisablehook is before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_held_back_comes_at_the_end() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all")

    with ending_in_order(), pytest.raises(Terminated):
        work()
    assert done == ["all"]
