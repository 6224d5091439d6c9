"""The table as the director keeps it: what shall stand there, carried out by the difference to what stands there.

What was last carried out is remembered, so that a change by a check costs no look at the table, and little more in a
service with thousands of real servers than in one with two. Where the table turns out to be another one than
remembered, because somebody else changed it, it is looked at and put right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from directrix.checks.actions import ServerKey
from directrix.director.budgeting import BudgetChange, budgets_of
from directrix.director.plan import Change, ServerChange, WantedService, carry_out, carrying_out, make_plan
from directrix.director.turns import at_once, pausing
from directrix.director.virtual import Adjusted
from directrix.lvs import RealServer, ServiceKey, TableError, VirtualService
from directrix.lvs.budget import Budget
from directrix.lvs.errors import NoSuchService
from directrix.lvs.state import ServiceState
from directrix.table.interface import Table

_log = logging.getLogger("directrix.director")


@dataclass(slots=True)
class _Known:
    """A service as it shall be."""

    service: VirtualService
    servers: dict[ServerKey, RealServer]


class InForce:
    """What the director has put into a table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known: dict[ServiceKey, _Known] = {}
        self.astray: set[ServiceKey] = set()
        """Services that could not be made as they shall be; `mend` tries again."""
        self._later: list[Adjusted] | None = None
        self.settled = asyncio.Event()
        """Whether all that `adjust` was asked for is done, or refused; not while it is held back."""
        self.settled.set()
        self.budgets: dict[ServiceKey, Budget] = {}
        """Those that the configuration has given."""

    def have(self, wanted: Iterable[WantedService], ours: Callable[[ServiceKey], bool]) -> tuple[Change, ...]:
        """Make the whole table as wanted, whatever is there; of other services, delete those that are `ours`.

        Raises:
            TableError: the table refuses; it holds what could be made before that, and all is astray.
        """
        return at_once(self.having(wanted, ours))

    def having(
        self, wanted: Iterable[WantedService], ours: Callable[[ServiceKey], bool]
    ) -> Generator[None, None, tuple[Change, ...]]:
        """The same in turns. What `adjust` is asked for meanwhile it does at the end, so `wanted` may be made late.

        Raises:
            TableError: as `have`.
        """
        with self.held_back():
            wants = yield from pausing(wanted, lambda want: len(want.servers))
            present = yield from pausing(self.table.each_service(), lambda state: len(state.servers))
            changes = make_plan(present, wants, ours, budgets_of(self.table), self.budgets)
            self._known = {
                want.service.key: _Known(want.service, {server.key: server for server in want.servers})
                for want in wants
            }
            self.astray = set(self._known)
            self.budgets = {want.service.key: want.budget for want in wants if want.budget is not None}
            yield from carrying_out(self.table, changes)
            for change in changes:
                if isinstance(change, BudgetChange) and change.by_hand and change.after is not None:
                    _log.warning("%s: the budget that was set by hand gives way to the configuration's", change.key)
            self.astray.clear()
            return changes

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """What `adjust` is asked for meanwhile it does at the end. Not to be nested."""
        self._later = []
        self.settled.clear()
        try:
            yield
        finally:
            later, self._later = self._later, None
            self.settled.set()
            self.adjust(later)

    def adjust(self, adjusted: Sequence[Adjusted]) -> None:
        """Change some real servers. What is refused is told in the log, and remembered as astray."""
        if self._later is not None:
            self._later += adjusted
            return
        for one in adjusted:
            key = one.service.key
            known = self._known.setdefault(key, _Known(one.service, {}))
            changes = _changes(known, one)
            for server, after in one.servers.items():
                if after is None:
                    known.servers.pop(server, None)
                else:
                    known.servers[server] = after
            try:
                try:
                    carry_out(self.table, changes)
                except TableError as error:
                    _log.warning("%s is not as it was left (%s); it is put right", key, error)
                    self._put_right(key, known)
                    self.astray.discard(key)
            except TableError as error:
                _log.error("%s can't be made as it shall be: %s", key, error)
                self.astray.add(key)

    def mend(self) -> None:
        """Try again with what is astray."""
        if self._later is not None:
            return
        for key in tuple(self.astray):
            known = self._known.get(key)
            if known is None:
                self.astray.discard(key)
                continue
            try:
                self._put_right(key, known)
            except TableError:
                continue
            _log.info("%s is as it shall be again", key)
            self.astray.discard(key)

    def _put_right(self, key: ServiceKey, known: _Known) -> None:
        wanted = WantedService(known.service, tuple(known.servers.values()), self.budgets.get(key))
        budgets = budgets_of(self.table)
        carry_out(self.table, make_plan(self._look(key), [wanted], budgets=budgets, own_budgets=self.budgets))

    def _look(self, key: ServiceKey) -> list[ServiceState]:
        try:
            return [self.table.service(key)]
        except NoSuchService:
            return []


def _changes(known: _Known, adjusted: Adjusted) -> list[Change]:
    """The changes of single servers: those that come before those that go."""
    key = adjusted.service.key
    found = [(known.servers.get(server), after) for server, after in adjusted.servers.items()]
    found.sort(key=lambda change: change[1] is None)
    return [ServerChange(key, before, after) for before, after in found if before != after]
