"""Reading saved mark rules: all of them, or everything that is wrong with them and where."""

from __future__ import annotations

import re
from collections.abc import Iterable

from directrix.lvs import MarkRule, TableError
from directrix.marks.words import OPTIONS, SHORT, BadWords, Names, Word, read_rule
from directrix.table.marks import MarkRules

_WORD = re.compile(r"\S+")


class FaultyRules(Exception):
    """Saved rules that can't be restored; the text names each fault as FILE:LINE:COLUMN."""


def read_rules(lines: Iterable[str], file: str, names: Names) -> list[MarkRule]:
    """The rules of a file called `file`. Empty lines and those that begin with # are left out.

    Raises:
        FaultyRules: with every fault of every line.
    """
    rules, faults = MarkRules(), []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            rules.add(read_line(line, names))
        except BadWords as bad:
            faults.append(f"{file}:{number}:{bad.column}: {bad.reason}")
        except TableError as error:
            column = len(line) - len(line.lstrip()) + 1
            faults.append(f"{file}:{number}:{column}: {error.reason}")
    if faults:
        raise FaultyRules("\n".join(faults))
    return list(rules)


def read_line(line: str, names: Names) -> MarkRule:
    """The rule of one line.

    Raises:
        BadWords: there is none; with the column of the fault.
    """
    found = [(word[0], word.start() + 1) for word in _WORD.finditer(line)]
    words: list[Word] = []
    rest = iter(found)
    for text, column in rest:
        option, equals, value = text.partition("=")
        option = SHORT.get(option, option)
        if option not in OPTIONS or (equals and text in SHORT):
            raise BadWords(f"{text!r} is no word of a mark rule; those are {', '.join((*SHORT, *OPTIONS))}", column)
        if not equals:
            value, at = next(rest, ("", column))
            if not value:
                raise BadWords(f"{text} needs a value", column)
        else:
            at = column + len(text) - len(value)
        words.append(Word(option, value, at))
    try:
        return read_rule(words, names)
    except BadWords as bad:
        if bad.column == 1 and found:
            raise BadWords(bad.reason, found[0][1]) from None
        raise
