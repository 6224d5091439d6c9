"""What a configuration wants of a table while no check has run: for `directrix plan` and `directrix apply`.

It is what the director would begin with: real servers are taken for alive, but for those with a check in `alpha` mode,
which are out (or in with weight 0, by `inhibit_on_failure`) until it has succeeded; quorum and sorry servers follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from directrix.checks.pool import Pool
from directrix.director.budgeting import budgets_of
from directrix.director.memory import Memory, Remembered
from directrix.director.places import directory
from directrix.director.plan import Change, ServerChange, WantedService, make_plan
from directrix.director.setup import Setup, vet
from directrix.director.virtual import port_in
from directrix.lvs import ServiceKey
from directrix.table.interface import Table


def wanted_unchecked(setup: Setup) -> list[WantedService]:
    """All services with what stands in them before anything is known of any real server."""
    found: list[WantedService] = []
    for virtual in setup.virtuals.values():
        pool = Pool(setup.pool_settings(virtual))
        pool.start(0.0)
        found += virtual.wanted(pool.table(), pool.sorry_in)
    return found


def plan(setup: Setup, table: Table, *, keep_others: bool = False, drains: bool = False) -> tuple[Change, ...]:
    """What has to change in a table.

    Args:
        setup: what is wanted.
        table: what is there.
        keep_others: leave services alone that are not in the setup and were not put there by a director that was
            killed.
        drains: a director runs, which drains servers before they go.

    Raises:
        Refused: this make of table would not take it.
    """
    vet(setup, table)
    known = Memory(directory() / "memory.json").recall()
    ours: Callable[[ServiceKey], bool] = known.services.__contains__ if keep_others else lambda key: True
    changes = make_plan(table.services(), wanted_unchecked(setup), ours, budgets_of(table), known.budgets)
    return _with_drains(changes, setup, known) if drains else changes


def _with_drains(changes: tuple[Change, ...], setup: Setup, known: Remembered) -> tuple[Change, ...]:
    """The same, with what a running director drains before it goes marked so."""
    drained = {key for virtual in setup.virtuals.values() if virtual.settings.drain for key in virtual.keys}
    leaving = {
        (key, (server.address, port_in(server, key)))
        for (name, _), server in known.leaving.items()
        if name in setup.virtuals
        for key in setup.virtuals[name].keys
    }

    def marked(change: Change) -> Change:
        if not isinstance(change, ServerChange) or change.after is not None:
            return change
        return replace(change, drained=change.key in drained or (change.key, change.server.key) in leaving)

    return tuple(map(marked, changes))
