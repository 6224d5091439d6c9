"""Asking somebody who may not answer."""

from __future__ import annotations

import itertools
import threading

import pytest

from directrix.lvs.errors import InvalidRequest
from directrix.top.consulting import Consulted, within


def test_an_answer_in_time_is_the_latest_and_each_question_is_put_anew() -> None:
    numbers = itertools.count(1)
    consulted = Consulted(lambda: next(numbers), 0)
    assert [consulted.latest(30.0), consulted.latest(30.0)] == [1, 2]
    assert consulted.silent == 0


def test_without_an_answer_the_one_before_stays_and_nothing_more_is_asked_until_it_comes() -> None:
    answers, asked = iter(("first", "second")), []
    may_answer = threading.Event()
    may_answer.set()

    def ask() -> str:
        asked.append(1)
        may_answer.wait(30.0)
        return next(answers)

    consulted = Consulted(ask, "nothing")
    assert consulted.latest(30.0) == "first"
    may_answer.clear()
    assert [consulted.latest(0.01), consulted.latest(0.01)] == ["first", "first"]
    assert len(asked) == 2
    assert consulted.silent > 0
    may_answer.set()
    assert consulted.latest(30.0) == "second"


def test_a_refusal_leaves_the_answer_before() -> None:
    def ask() -> int:
        raise InvalidRequest("no")

    assert Consulted(ask, 7).latest(30.0) == 7


def test_after_a_fault_of_ours_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda fault: None)
    answers = iter([1])

    def ask() -> int:
        for answer in answers:
            return answer
        raise RuntimeError("a fault of ours")

    consulted = Consulted(ask, 0)
    assert [consulted.latest(30.0) for _ in range(2)] == [1, 1]
    assert consulted.silent == 0
    answers = iter([2])
    assert consulted.latest(30.0) == 2


def test_work_is_waited_for_so_long_and_its_refusal_is_told() -> None:
    def refuse() -> None:
        raise InvalidRequest("no")

    over = threading.Event()
    assert within(30.0, lambda: None)
    assert not within(0.01, lambda: over.wait(30.0) and None)
    over.set()
    with pytest.raises(InvalidRequest):
        within(30.0, refuse)
