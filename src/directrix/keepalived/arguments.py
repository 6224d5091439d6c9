"""The words of a statement, as kinds of values read them: one after the other, with errors at their places."""

from __future__ import annotations

import re
from collections.abc import Sequence

from directrix.keepalived.blocks import Statement
from directrix.keepalived.faults import Faults, Place
from directrix.keepalived.lines import Word


class Bad(Exception):
    """A word that can't be understood, and why."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place = place
        super().__init__(reason)


_PARAMETER = re.compile(r"\$\{?([A-Za-z_]\w*)")


class Arguments:
    """The words of a statement that a kind reads, one after the other."""

    def __init__(self, statement: Statement, faults: Faults, first: int = 1) -> None:
        self.statement = statement
        self.faults = faults
        self.at = first

    @property
    def keyword(self) -> str:
        """What they are arguments of."""
        return self.statement.keyword

    @property
    def left(self) -> Sequence[Word]:
        """Those not read yet."""
        return self.statement.words[self.at :]

    def maybe(self) -> Word | None:
        """The next one, if there is one."""
        if self.at >= len(self.statement.words):
            return None
        self.at += 1
        return self.statement.words[self.at - 1]

    def next(self, what: str) -> Word:
        """The next one; `what` says what is missing if there is none."""
        word = self.maybe()
        if word is None:
            last = self.statement.words[-1]
            raise Bad(last.place, f"{last.text} needs {what}")
        return word

    def wrong(self, word: Word, reason: str) -> Bad:
        """The error about a word; says so if an undefined parameter was left in it."""
        parameter = _PARAMETER.search(word.text)
        hint = f" (the parameter ${parameter[1]} is not defined)" if parameter else ""
        return Bad(word.place, reason + hint)

    def all_read(self) -> None:
        """Nothing more is wanted: tell of what is left."""
        if self.left:
            self.faults.warn(self.left[0].place, f"{self.left[0].text!r} is one word too many here, and is ignored")
            self.at = len(self.statement.words)
