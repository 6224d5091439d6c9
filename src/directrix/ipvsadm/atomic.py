"""`-R --atomic`: every line of a restore is carried out, or none.

1. All lines are read and made into requests; the first one that can't be ends it.
2. The requests are rehearsed against what the table holds; the first one it would refuse ends it.
3. They are carried out. Should the table refuse one nevertheless (the kernel's IPVS knows more about
   addresses and modules than a rehearsal can), what was done until then is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from directrix.ipvsadm.errors import REFUSED_STATUS, Refusal, words_for
from directrix.ipvsadm.names import Names
from directrix.ipvsadm.parser import parse
from directrix.ipvsadm.request import Request
from directrix.ipvsadm.restore import Word, placed_lines
from directrix.ipvsadm.vocabulary import Command
from directrix.lvs import TableError, Timeouts
from directrix.system.signals import uninterrupted
from directrix.table.interface import Table
from directrix.table.rehearsal import Rehearsal

Change = Callable[[Table, Request], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A line as a request, and where it stands; lines and columns count from 1."""

    line: int
    column: int
    request: Request


def _rehearse_server(rehearsal: Rehearsal, request: Request) -> None:
    assert request.server_address is not None
    rehearsal.delete_server(request.key(), request.server_address, request.server_port)


_REHEARSED: Final[dict[Command, Callable[[Rehearsal, Request], None]]] = {
    Command.ADD_SERVICE: lambda rehearsal, request: rehearsal.add_service(request.service()),
    Command.EDIT_SERVICE: lambda rehearsal, request: rehearsal.edit_service(request.service()),
    Command.DELETE_SERVICE: lambda rehearsal, request: rehearsal.delete_service(request.key()),
    Command.FLUSH: lambda rehearsal, request: rehearsal.flush(),
    Command.ADD_SERVER: lambda rehearsal, request: rehearsal.add_server(request.key(), request.server()),
    Command.EDIT_SERVER: lambda rehearsal, request: rehearsal.edit_server(request.key(), request.server()),
    Command.DELETE_SERVER: _rehearse_server,
    Command.SET: lambda rehearsal, request: None,
}
"""The commands that may stand in such a restore: those that can be taken back."""

_WITH_SERVICE = frozenset({Command.ADD_SERVICE, Command.EDIT_SERVICE})
_WITH_SERVER = frozenset({Command.ADD_SERVER, Command.EDIT_SERVER})


def read(lines: Iterable[str], names: Names) -> list[Step]:
    """All lines as requests.

    Raises:
        Refusal: a line is none, or one that can't be taken back.
    """
    steps = []
    for number, words in placed_lines(lines):
        try:
            request = parse(words, names)
        except Refusal as refusal:
            at = refusal.word if isinstance(refusal.word, Word) else words[0]
            raise _refused(number, at.column, refusal.message, refusal.status) from None
        if request.command not in _REHEARSED:
            problem = f"the '{request.command.value}' command can't be taken back, so it may not stand here"
            raise _refused(number, words[0].column, problem)
        steps.append(Step(number, words[0].column, request))
    return steps


def rehearse(steps: Iterable[Step], table: Table) -> None:
    """See whether a table would take them.

    Raises:
        Refusal: it would not.
    """
    rehearsal = Rehearsal(table.services())
    for step in steps:
        request = step.request
        try:
            _REHEARSED[request.command](rehearsal, request)
            if request.command in _WITH_SERVICE:
                table.vet_service(request.service())
            elif request.command in _WITH_SERVER:
                table.vet_server(request.key(), request.server())
        except TableError as error:
            raise _refused_by_table(step, error) from None


def carry_out(steps: Iterable[Step], table: Table, changes: dict[Command, Change]) -> None:
    """Rehearse them and carry them out, all or none.

    Raises:
        Refusal: none.
    """
    with uninterrupted():
        table.begin()
        try:
            rehearse(steps, table)
            _carry_out(steps, table, changes)
        finally:
            _commit(table)


def _commit(table: Table) -> None:
    try:
        table.commit()
    except TableError as error:
        raise Refusal(error.reason, REFUSED_STATUS) from None


def _carry_out(steps: Iterable[Step], table: Table, changes: dict[Command, Change]) -> None:
    states, timeouts = table.services(), table.timeouts()
    done = Rehearsal(states)
    for step in steps:
        request = step.request
        try:
            changes[request.command](table, request)
        except TableError as error:
            _take_back(table, done, Rehearsal(states), timeouts)
            raise _refused_by_table(step, error) from None
        _REHEARSED[request.command](done, request)


def _take_back(table: Table, done: Rehearsal, before: Rehearsal, timeouts: Timeouts) -> None:
    try:
        done.bring_back(table, before)
        table.set_timeouts(timeouts)
    except TableError as error:
        raise Refusal(f"what was done could not be taken back: {error.reason}", REFUSED_STATUS) from None


def restore(
    lines: Iterable[str],
    names: Names,
    open_table: Callable[[bool], Table],
    changes: dict[Command, Change],
    creating: frozenset[Command],
) -> None:
    """Carry out all lines or none.

    `open_table` makes the table if it is told to; one that isn't there is not made for lines that would be refused.

    Raises:
        Refusal: none was carried out; says which line is at fault.
        TableUnavailable: the table can't be reached.
    """
    steps = read(lines, names)
    create = any(step.request.command in creating for step in steps)
    if create:
        with closing(open_table(False)) as table:
            rehearse(steps, table)
    if steps:
        with closing(open_table(create)) as table:
            carry_out(steps, table, changes)


def _refused(line: int, column: int, problem: str, status: int = 2) -> Refusal:
    return Refusal(f"line {line}, column {column}: {problem.rstrip()}; nothing was changed", status)


def _refused_by_table(step: Step, error: TableError) -> Refusal:
    return _refused(step.line, step.column, words_for(error, step.request.command), REFUSED_STATUS)
