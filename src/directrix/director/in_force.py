"""The table as the director keeps it: what shall stand there, carried out by the difference to what stands there.

What was last carried out is remembered, so that a change by a check costs no look at the table. Where the table turns
out to be another one than remembered, because somebody else changed it, it is looked at and put right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from directrix.director.plan import Change, WantedService, carry_out, make_plan
from directrix.lvs import ServiceKey, TableError
from directrix.lvs.errors import NoSuchService
from directrix.lvs.state import ServerState, ServiceState
from directrix.table.interface import Table

_log = logging.getLogger("directrix.director")


class InForce:
    """What the director has put into a table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known: dict[ServiceKey, WantedService] = {}
        self.astray: set[ServiceKey] = set()
        """Services that could not be made as they shall be; `mend` tries again."""

    def have(self, wanted: Sequence[WantedService], ours: Callable[[ServiceKey], bool]) -> tuple[Change, ...]:
        """Make the whole table as wanted, whatever is there; of other services, delete those that are `ours`.

        Raises:
            TableError: the table refuses; it holds what could be made before that.
        """
        self._known = {}
        changes = make_plan(self.table.services(), wanted, ours)
        carry_out(self.table, changes)
        self._known = {want.service.key: want for want in wanted}
        self.astray.clear()
        return changes

    def settle(self, wanted: Iterable[WantedService]) -> None:
        """Make some services as wanted. What is refused is told in the log, and remembered as astray."""
        for want in wanted:
            key = want.service.key
            known = self._known.get(key)
            try:
                try:
                    carry_out(self.table, make_plan(_states(known), [want]))
                except TableError as error:
                    _log.warning("%s is not as it was left (%s); it is put right", key, error)
                    carry_out(self.table, make_plan(self._look(key), [want]))
                self.astray.discard(key)
            except TableError as error:
                _log.error("%s can't be made as it shall be: %s", key, error)
                self.astray.add(key)
            self._known[key] = want

    def mend(self) -> None:
        """Try again with what is astray."""
        for key in tuple(self.astray):
            want = self._known.get(key)
            if want is None:
                self.astray.discard(key)
                continue
            try:
                carry_out(self.table, make_plan(self._look(key), [want]))
            except TableError:
                continue
            _log.info("%s is as it shall be again", key)
            self.astray.discard(key)

    def _look(self, key: ServiceKey) -> list[ServiceState]:
        try:
            return [self.table.service(key)]
        except NoSuchService:
            return []


def _states(known: WantedService | None) -> list[ServiceState]:
    return [] if known is None else [ServiceState(known.service, tuple(map(ServerState, known.servers)))]
