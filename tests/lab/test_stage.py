"""Showing things step by step."""

from __future__ import annotations

import io

import pytest

from directrix.lab.stage import Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(out: io.StringIO) -> str:
    stage = Stage(out)
    stage.title("A demonstration")
    stage.step("First")
    stage.say("One thing.\nAnother.")
    stage.show_command("client", ["sh", "-c", "for i in 1 2; do true; done"])
    stage.show_command("", ["echo", "a b"])
    stage.show_output("said  \n\n")
    stage.check(True, "two and two are four", "5")
    stage.step("Second")
    stage.check(False, "pigs fly", "they walk\nand run")
    stage.end()
    assert stage.differences == 1
    return out.getvalue()


PLAIN = """\
A demonstration

1. First
   One thing.
   Another.
   client$ for i in 1 2; do true; done
   $ echo 'a b'
     said
   ✓ two and two are four

2. Second
   ✗ not so: pigs fly
     they walk
     and run

Not everything was as shown; what would have come after that was left out.
"""


def test_steps_are_numbered_commands_as_typed_and_claims_marked() -> None:
    assert show(io.StringIO()) == PLAIN


def test_there_is_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = show(Terminal())
    assert "\x1b[32m✓\x1b[0m two and two" in coloured
    assert "\x1b[31m✗\x1b[0m not so" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert show(Terminal()) == PLAIN
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert show(Terminal()) == PLAIN


def test_without_differences_it_says_so() -> None:
    out = io.StringIO()
    stage = Stage(out)
    stage.check(True, "yes", "no")
    stage.end()
    assert stage.differences == 0
    assert out.getvalue().endswith("\nEverything was as shown.\n")
