"""Blocks: from lines to statements inside statements.

A statement is the words of a line, or of the part of it up to `{` or `}`. A `{` behind its words, on
that line or on the next one that has anything, opens its block; the matching `}` ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from directrix.keepalived.faults import Faults, Place
from directrix.keepalived.lines import Line, Unterminated, Word, tokens

DEEPEST = 32
"""Blocks inside blocks; keepalived's language needs five."""


@dataclass(slots=True)
class Statement:
    """A keyword, its arguments, and its block if it has one."""

    words: list[Word]
    opened: Word | None = None
    block: list[Statement] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.words[0].place

    @property
    def keyword(self) -> str:
        """Its first word."""
        return self.words[0].text

    @property
    def arguments(self) -> list[Word]:
        """The other words."""
        return self.words[1:]

    def rest(self, first: int = 1) -> str:
        """The text from an argument to the last one, as it was written."""
        if len(self.words) <= first:
            return ""
        return self.words[0].line.text[self.words[first].offset : self.words[-1].end]


def parse(lines: Iterable[Line], faults: Faults) -> list[Statement]:
    """The statements outside of all blocks; mistakes go to `faults`."""
    top: list[Statement] = []
    open_blocks: list[tuple[Statement, Word]] = []
    here = top
    waiting: Statement | None = None  # whether a `{` that comes next is its block
    for line in lines:
        try:
            words = tokens(line)
        except Unterminated as unterminated:
            faults.error(line.place(unterminated.offset), str(unterminated))
            words = unterminated.words
        fresh: list[Word] = []
        for word in words:
            if word.raw not in ("{", "}"):
                fresh.append(word)
                continue
            if fresh:
                waiting = Statement(fresh)
                here.append(waiting)
                fresh = []
            if word.raw == "{":
                if waiting is None:
                    faults.error(word.place, "'{' opens a block that no keyword stands before")
                    waiting = Statement([word])
                waiting.opened = word
                open_blocks.append((waiting, word))
                here = waiting.block
                if len(open_blocks) > DEEPEST:
                    faults.error(word.place, f"blocks stand in each other more than {DEEPEST} deep")
                    return top
            elif open_blocks:
                open_blocks.pop()
                here = open_blocks[-1][0].block if open_blocks else top
            else:
                faults.error(word.place, "'}' closes no block")
            waiting = None
        if fresh:
            waiting = Statement(fresh)
            here.append(waiting)
    for statement, brace in open_blocks:
        faults.error(brace.place, f"the block of {statement.keyword!r} is never closed: '}}' is missing")
    return top
