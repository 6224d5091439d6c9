"""Options are cut out of words as popt cuts them."""

from __future__ import annotations

import pytest

from directrix.ipvsadm.errors import OptionError
from directrix.ipvsadm.popt import cut


def cuts(*words: str) -> tuple[list[tuple[str, str | None]], list[str]]:
    leftover: list[str] = []
    return [(name, argument) for name, argument, _ in cut(words, leftover)], leftover


@pytest.mark.parametrize(
    "words",
    [
        ("-At10.0.0.1:80",),
        ("-At=10.0.0.1:80",),
        ("-At", "10.0.0.1:80"),
        ("-A", "--tcp-service=10.0.0.1:80"),
        ("--add-service", "--tcp-service", "10.0.0.1:80"),
    ],
)
def test_an_argument_may_be_attached_or_follow(words: tuple[str, ...]) -> None:
    assert cuts(*words) == ([("add-service", None), ("tcp-service", "10.0.0.1:80")], [])


def test_a_required_argument_may_look_like_an_option() -> None:
    assert cuts("-s", "-p") == ([("scheduler", "-p")], [])


def test_an_optional_argument_may_not() -> None:
    assert cuts("-p", "-s", "rr") == ([("persistent", None), ("scheduler", "rr")], [])
    assert cuts("-p", "60") == ([("persistent", "60")], [])
    assert cuts("-p") == ([("persistent", None)], [])


def test_an_empty_argument_is_an_argument() -> None:
    assert cuts("--persistent=", "x") == ([("persistent", "")], ["x"])


def test_other_words_are_put_aside_in_their_order_and_all_after_two_dashes() -> None:
    assert cuts("one", "-L", "-", "", "--", "-n", "--") == ([("list", None)], ["one", "-", "", "-n", "--"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-q",), "-q: unknown option"),
        (("-Lq",), "-Lq: unknown option"),
        (("--numeri",), "--numeri: unknown option"),
        (("--nothing=1",), "--nothing=1: unknown option"),
        (("-s",), "-s: missing argument"),
        (("-Ls",), "-Ls: missing argument"),
        (("--scheduler",), "--scheduler: missing argument"),
        (("-Ln=1",), "-Ln=1: option does not take an argument"),
        (("--stats=",), "--stats=: option does not take an argument"),
    ],
)
def test_a_fault_names_the_word(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        cuts(*words)
    assert caught.value.message == message
    assert caught.value.status == 255
