"""Starting and stopping holders of facts.

What a start does, in this order: it looks how each fact is, writes that into the ledger, and only
then changes what isn't as wanted. So after a kill at any moment each fact of the ledger is either
as it was before, or as wanted, or somebody else's doing, and both `start` and `stop` know which.
A stop changes first and strikes out of the ledger afterwards, for the same reason.

A fact that is neither as it was before nor as we made it was changed by somebody else meanwhile.
It is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from directrix.system.commands import CommandFailed
from directrix.system.facts.fact import Command, Fact, FactStatus, status_of
from directrix.system.facts.ledger import Book, Entry, Ledger
from directrix.system.host_error import HostError
from directrix.system.signals import uninterrupted


@dataclass(frozen=True, slots=True)
class Done:
    """What a start or a stop did, or would do.

    Attributes:
        commands: as a person would type them.
        left: the facts that somebody else changed meanwhile, and that were therefore left alone.
    """

    commands: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class _Plan:
    ledger: Ledger
    commands: list[Command] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def done(self) -> Done:
        return Done(tuple(command.text for command in self.commands), tuple(self.left))


def start(book: Book, holder: str, facts: Sequence[Fact], notes: Mapping[str, str], *, rehearse: bool = False) -> Done:
    """Have facts for a holder; those it held and doesn't want any more are put back. With `rehearse`, nothing is done.

    Raises:
        HostError: another holder wants something to be otherwise, or a change failed; then all is as it was.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    if rehearse:
        ledger = book.read()
        return Done(
            (*_started(ledger, holder, facts, notes).done.commands, *_let_go(ledger, holder, facts).done.commands)
        )
    with book.locked() as lock:
        ledger = book.read()
        plan = _started(ledger, holder, facts, notes)
        book.write(plan.ledger)
        try:
            _carry_out(plan.commands, lock)
        except BaseException as error:
            with uninterrupted():
                _carry_back(book, plan.ledger, ledger, holder, lock)
            raise _explained(error, "nothing was changed") from None
        unwanted = _let_go(plan.ledger, holder, facts)
        try:
            _carry_out(unwanted.commands, lock)
        except (CommandFailed, OSError) as error:
            raise _explained(error, "what it was before is still noted") from None
        book.write(unwanted.ledger)
        return Done((*plan.done.commands, *unwanted.done.commands), tuple(unwanted.left))


def stop(book: Book, holders: Sequence[str], *, rehearse: bool = False) -> Done:
    """Put back what some holders had, as far as nobody else holds it. With `rehearse`, nothing is done.

    Raises:
        HostError: something could not be put back; another stop will try again.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    if rehearse:
        return _all_let_go(book.read(), holders).done
    with book.locked() as lock:
        plan = _all_let_go(book.read(), holders)
        try:
            _carry_out(plan.commands, lock)
        except (CommandFailed, OSError) as error:
            raise _explained(error, "not all was put back; try again when that is mended") from None
        book.write(plan.ledger)
        return plan.done


def status(facts: Sequence[Fact]) -> tuple[FactStatus, ...]:
    """Hold facts against the host. Raises what `Fact.now` raises."""
    return tuple(status_of(fact) for fact in facts)


def _started(ledger: Ledger, holder: str, facts: Sequence[Fact], notes: Mapping[str, str]) -> _Plan:
    plan = _Plan(ledger.copy())
    plan.ledger.holders[holder] = dict(notes)
    for fact in facts:
        now = fact.now()
        plan.ledger.hold(holder, fact, now)
        if not fact.holds(now):
            plan.commands += fact.make(now)
    return plan


def _let_go(ledger: Ledger, holder: str, wanted: Sequence[Fact]) -> _Plan:
    """A holder keeps only what it wants; if it wants nothing, it goes."""
    plan = _Plan(ledger.copy())
    keys = {fact.key for fact in wanted}
    gone = [entry for entry in ledger.held_by(holder) if entry.fact.key not in keys]
    for entry in reversed(gone):
        if entry.holders == (holder,):
            _undo(entry, plan)
    plan.ledger.let_go(holder, (entry.fact.key for entry in gone))
    if not wanted:
        plan.ledger.holders.pop(holder, None)
    return plan


def _all_let_go(ledger: Ledger, holders: Sequence[str]) -> _Plan:
    """Several holders let go of everything."""
    plan = _Plan(ledger)
    for holder in holders:
        one = _let_go(plan.ledger, holder, ())
        plan = _Plan(one.ledger, plan.commands + one.commands, plan.left + one.left)
    return plan


def _undo(entry: Entry, plan: _Plan) -> None:
    now = entry.fact.now()
    if now == entry.before:
        return
    if entry.fact.is_ours(now):
        plan.commands += entry.fact.undo(entry.before)
    elif now is not None:
        plan.left.append(entry.fact.text)


def _carry_out(commands: Sequence[Command], lock: int) -> None:
    # What a command starts keeps the lock: if we are killed, nobody looks before it has ended, too.
    for command in commands:
        try:
            command.do([lock])
        except OSError as error:
            raise OSError(error.errno, f"`{command.text.splitlines()[0]}`: {error.strerror}") from None


def _carry_back(book: Book, started: Ledger, before: Ledger, holder: str, lock: int) -> None:
    """Undo what a start that failed has made so far, and leave the ledger as it found it."""
    plan = _Plan(before)
    for entry in reversed(started.held_by(holder)):
        known = before.entries.get(entry.fact.key)
        if known is None:
            _undo(entry, plan)
        elif known.fact != entry.fact:
            plan.commands += known.fact.make(known.fact.now())
    _carry_out(plan.commands, lock)
    book.write(before)


def _explained(error: BaseException, consequence: str) -> BaseException:
    if isinstance(error, CommandFailed):
        return HostError(str(error), consequence)
    if isinstance(error, OSError):
        return HostError(str(error.strerror), consequence)
    return error
