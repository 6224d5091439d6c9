"""Cutting the lines of a restore into words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PROGRAM = "ipvsadm"
_BLANKS = " \t\r\n"


def command_lines(lines: Iterable[str]) -> Iterator[list[str]]:
    """The words of each line that has any, without the word `ipvsadm`, which stands for the program.

    Nothing is quoted and nothing is a comment. A last line that ends in blanks instead of a
    newline is not read, as in ipvsadm.
    """
    for line in lines:
        if line[-1:] in (" ", "\t", "\r"):
            return
        words = [word for word in line.split() if word != PROGRAM]
        if words:
            yield words
