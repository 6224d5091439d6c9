"""Cutting the lines of a restore into words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

PROGRAM: Final = "ipvsadm"

_BLANKS = (" ", "\t", "\r")
_WORDS = re.compile(r"[^ \t\r\n]+").findall


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
