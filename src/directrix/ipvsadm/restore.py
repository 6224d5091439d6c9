"""Cutting the lines of a restore into words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

PROGRAM: Final = "ipvsadm"

_BLANKS = (" ", "\t", "\r")
_WORD = re.compile(r"[^ \t\r\n]+")
_WORDS = _WORD.findall


class Word(str):
    """A word of a line, which knows in what column it begins; columns count from 1."""

    __slots__ = ("column",)
    column: int

    @classmethod
    def at(cls, column: int, text: str) -> Word:
        """The word in this column."""
        word = cls(text)
        word.column = column
        return word


def command_lines(lines: Iterable[str]) -> Iterator[list[str]]:
    """The words of each line that has any, without the word `ipvsadm`, which stands for the program.

    Nothing is quoted and nothing is a comment. A last line that ends in two blanks or more
    instead of a newline is not read, as in ipvsadm.
    """
    for line in lines:
        if line[-1:] in _BLANKS and line[-2:-1] in _BLANKS:
            return
        words = [word for word in _WORDS(line) if word != PROGRAM]
        if words:
            yield words


def placed_lines(lines: Iterable[str]) -> Iterator[tuple[int, list[Word]]]:
    """The same with the number of each line, from 1, and the column of each word; every line is read."""
    for number, line in enumerate(lines, start=1):
        words = [Word.at(found.start() + 1, found[0]) for found in _WORD.finditer(line) if found[0] != PROGRAM]
        if words:
            yield number, words
