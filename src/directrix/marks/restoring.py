"""Reading saved mark rules: all of them, or everything that is wrong with them and where."""

from __future__ import annotations

from collections.abc import Iterable

from directrix.lvs import MarkRule, TableError
from directrix.marks.words import BadWords, Names, cut, read_rule
from directrix.table.marks import MarkRules


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
        start = len(line) - len(line.lstrip()) + 1
        try:
            rules.add(read_rule(cut(line), names))
        except BadWords as bad:
            faults.append(f"{file}:{number}:{bad.column or start}: {bad.reason}")
        except TableError as error:
            faults.append(f"{file}:{number}:{start}: {error.reason}")
    if faults:
        raise FaultyRules("\n".join(faults))
    return list(rules)
