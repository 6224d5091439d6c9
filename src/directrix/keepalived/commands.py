"""Kinds of values that are command lines, or whom they run as.

A command line is one word, with its arguments inside the same quotes. It is read twice like words of a
shell: first the whole line, then that word, so that a blank in an argument needs quotes inside the quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.kinds import Kind, Repeat
from directrix.keepalived.lines import Unterminated, Word, quoted, shell_line, shell_quoted, shell_words
from directrix.keepalived.values import Script


def read_shell_word(arguments: Arguments, what: str) -> tuple[str, list[str]]:
    """The next word read like a shell's, and those behind it, to the end of the line."""
    first = arguments.next(what)
    try:
        words = shell_words(arguments.statement.rest(arguments.at - 1))
    except Unterminated as unterminated:
        raise Bad(first.line.place(first.offset + unterminated.offset), str(unterminated)) from None
    arguments.at = len(arguments.statement.words)
    return words[0], words[1:]


def read_command(arguments: Arguments, word: Word, text: str) -> tuple[str, ...]:
    """The words of a command line that was given as one word."""
    try:
        words = tuple(shell_words(text))
    except Unterminated as unterminated:
        raise Bad(word.place, f"in this command {unterminated}") from None
    if not words or not words[0]:
        raise Bad(word.place, f"{arguments.keyword} needs a command")
    if any("\0" in part for part in words):
        raise Bad(word.place, "a command can't have NUL characters")
    return words


@dataclass(frozen=True)
class ScriptKind(Kind):
    """A command line in one word, and whom it runs as. The first one given counts, as in keepalived."""

    repeat = Repeat.FIRST

    @property
    def syntax(self) -> str:
        return "<SCRIPT> [<USER> [<GROUP>]]"

    def read(self, arguments: Arguments) -> Script:
        first = arguments.next("a command")
        arguments.at -= 1
        text, others = read_shell_word(arguments, "a command")
        if len(others) > 2:
            arguments.faults.warn(first.place, f"behind the command stand a user and a group; {others[2]!r} is ignored")
        return Script(read_command(arguments, first, text), *others[:2])

    def write(self, value: Any) -> str:
        whom = [value.user, value.group] if value.group else [value.user] if value.user else []
        return " ".join([shell_line(value.words), *map(shell_quoted, whom)])


@dataclass(frozen=True)
class CommandKind(Kind):
    """A command line in one word; whom it runs as is told elsewhere."""

    @property
    def syntax(self) -> str:
        return "<COMMAND>"

    def read(self, arguments: Arguments) -> tuple[str, ...]:
        first = arguments.next("a command")
        arguments.at -= 1
        text, others = read_shell_word(arguments, "a command")
        if others:
            what = f"arguments of a command stand with it in one pair of quotes; {others[0]!r} is ignored"
            arguments.faults.warn(first.place, what)
        return read_command(arguments, first, text)

    def write(self, value: Any) -> str:
        return shell_line(value)


@dataclass(frozen=True)
class User(Kind):
    """A user and, if given, a group."""

    fields: tuple[str, ...]

    @property
    def syntax(self) -> str:
        return "<USER> [<GROUP>]"

    def read(self, arguments: Arguments) -> dict[str, str]:
        user = arguments.next("a user").text
        group = arguments.maybe()
        return dict(zip(self.fields, (user, group.text if group else ""), strict=True))

    def write(self, value: Any) -> str:
        user, group = (value[field] for field in self.fields)
        return quoted(user) + (f" {quoted(group)}" if group else "")
