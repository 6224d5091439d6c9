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
from dataclasses import dataclass, field, replace

from directrix.system.commands import CommandFailed
from directrix.system.facts.fact import Command, Fact, FactStatus, status_of
from directrix.system.facts.ledger import Book, Entry, Ledger
from directrix.system.facts.setting import Setting
from directrix.system.host_error import HostError
from directrix.system.signals import uninterrupted


@dataclass(frozen=True, slots=True)
class Done:
    """What a start or a stop did, or would do.

    Attributes:
        commands: as a person would type them.
        left: the facts that somebody else changed meanwhile, and that were therefore left alone.
        unknown: the holders there was nothing to stop of.
    """

    commands: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """What a holder wants.

    Attributes:
        holder: its name.
        facts: in the order in which they are to be made.
        notes: what the ledger keeps of it beside.
    """

    holder: str
    facts: Sequence[Fact]
    notes: Mapping[str, str]


@dataclass(slots=True)
class _Plan:
    ledger: Ledger
    commands: list[Command] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def done(self) -> Done:
        return Done(tuple(command.text for command in self.commands), tuple(self.left))


def start(book: Book, holdings: Sequence[Holding], *, rehearse: bool = False) -> Done:
    """Have facts for some holders: for all of them, or, if that fails, for none more than before.

    Facts a holder had and doesn't want any more are put back. With `rehearse`, nothing is done.

    Raises:
        HostError: another holder wants something to be otherwise, or a change failed; all is as it was.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    if rehearse:
        plan = _started(book.read(), holdings)
        return _narrowed(holdings, plan).done
    with book.locked() as lock:
        ledger = book.read()
        plan = _started(ledger, holdings)
        book.write(plan.ledger, "nothing was changed")
        try:
            _carry_out(plan.commands, lock)
        except BaseException as error:
            with uninterrupted():
                _carry_back(book, plan.ledger, ledger, lock)
            raise _explained(error, "nothing was changed") from None
        narrowed = _narrowed(holdings, _Plan(plan.ledger))
        try:
            _carry_out(narrowed.commands, lock)
        except (CommandFailed, OSError) as error:
            raise _explained(error, "what was there before is still noted") from None
        book.write(narrowed.ledger)
        return Done((*plan.done.commands, *narrowed.done.commands), tuple(narrowed.left))


def stop(book: Book, holders: Sequence[str], *, rehearse: bool = False) -> Done:
    """Put back what some holders had, as far as nobody else holds it. With `rehearse`, nothing is done.

    Raises:
        HostError: something could not be put back; another stop will try again.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    if rehearse:
        known = book.read()
        return replace(_all_let_go(known, holders).done, unknown=_unknown(known, holders))
    with book.locked() as lock:
        known = book.read()
        plan = _all_let_go(known, holders)
        try:
            _carry_out(plan.commands, lock)
        except (CommandFailed, OSError) as error:
            raise _explained(error, "not all was put back; try again when that is mended") from None
        book.write(plan.ledger, "all was put back, and is still noted; try again when that is mended")
        return replace(plan.done, unknown=_unknown(known, holders))


def _unknown(known: Ledger, holders: Sequence[str]) -> tuple[str, ...]:
    return tuple(holder for holder in holders if holder not in known.holders)


def status(facts: Sequence[Fact]) -> tuple[FactStatus, ...]:
    """Hold facts against the host; those that needn't be so, since others have their effect, don't count.

    Raises what `Fact.now` raises.
    """
    found = [(fact, status_of(fact)) for fact in facts]
    return tuple(
        status for fact, status in found if status.holds or not (isinstance(fact, Setting) and fact.is_covered())
    )


def _started(ledger: Ledger, holdings: Sequence[Holding]) -> _Plan:
    plan = _Plan(ledger.copy())
    making: dict[str, list[Command]] = {}
    for holding in holdings:
        plan.ledger.holders[holding.holder] = dict(holding.notes)
        for fact in holding.facts:
            now = fact.now()
            plan.ledger.hold(holding.holder, fact, now)
            if not fact.holds(now):
                making.setdefault(fact.key, fact.make(now))
    plan.commands = [command for commands in making.values() for command in commands]
    return plan


def _narrowed(holdings: Sequence[Holding], plan: _Plan) -> _Plan:
    """The same, and each holder keeps only what it wants now."""
    for holding in holdings:
        wanted = {fact.key for fact in holding.facts}
        gone = [entry for entry in plan.ledger.held_by(holding.holder) if entry.fact.key not in wanted]
        plan = _let_go(plan, holding.holder, gone)
    return plan


def _all_let_go(ledger: Ledger, holders: Sequence[str]) -> _Plan:
    """Some holders let go of everything, and are gone."""
    plan = _Plan(ledger)
    for holder in holders:
        plan = _let_go(plan, holder, plan.ledger.held_by(holder))
        plan.ledger.holders.pop(holder, None)
    return plan


def _let_go(plan: _Plan, holder: str, entries: Sequence[Entry]) -> _Plan:
    """A plan in which a holder lets go of some facts, too, the last made first."""
    plan = _Plan(plan.ledger.copy(), list(plan.commands), list(plan.left))
    for entry in reversed(entries):
        if entry.holders == (holder,):
            _undo(entry, plan)
    plan.ledger.let_go(holder, [entry.fact.key for entry in entries])
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


def _carry_back(book: Book, started: Ledger, before: Ledger, lock: int) -> None:
    """Undo what a start that failed has made so far, and leave the ledger as it found it."""
    plan = _Plan(before)
    for entry in reversed(started.entries.values()):
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
