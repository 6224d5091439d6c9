"""`directrix ipvsadm`: the table's administration, in ipvsadm's language."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import argparse

HELP = "administer the virtual server table, in the language of ipvsadm"


def configure(parser: argparse.ArgumentParser) -> None:
    """Take every word as it is: ipvsadm's language is not argparse's."""
    parser.add_argument("words", nargs="...")


def run(args: argparse.Namespace) -> int:
    """Carry out the words argparse has left alone."""
    return run_words(args.words)


def run_words(words: Sequence[str]) -> int:
    """Carry out ipvsadm's words over the real table."""
    from directrix.ipvsadm.command import main
    from directrix.table.opening import open_table

    return main(words, open_table, text_input(), sys.stdout, sys.stderr)


def text_input() -> TextIO:
    """Standard input as ipvsadm reads it."""
    if isinstance(sys.stdin, TextIOWrapper):
        # A carriage return is a blank to ipvsadm and no line's end; bytes that are no text are none of its business.
        sys.stdin.reconfigure(newline="\n", errors="surrogateescape")
    return sys.stdin
