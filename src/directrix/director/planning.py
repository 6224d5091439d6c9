"""What a configuration wants of a table while no check has run: for `directrix plan` and `directrix apply`.

It is what the director would begin with: real servers are taken for alive, but for those with a check in `alpha` mode,
which are out (or in with weight 0, by `inhibit_on_failure`) until it has succeeded; quorum and sorry servers follow.
"""

from __future__ import annotations

from collections.abc import Callable

from directrix.checks.pool import Pool
from directrix.director.memory import Memory
from directrix.director.places import directory
from directrix.director.plan import Change, WantedService, make_plan
from directrix.director.setup import Setup, vet
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


def plan(setup: Setup, table: Table, *, keep_others: bool = False) -> tuple[Change, ...]:
    """What has to change in a table.

    Args:
        setup: what is wanted.
        table: what is there.
        keep_others: leave services alone that are not in the setup and were not put there by a director that was
            killed.

    Raises:
        Refused: this make of table would not take it.
    """
    vet(setup, table)
    own = Memory(directory() / "memory.json").recall().services if keep_others else frozenset[ServiceKey]()
    ours: Callable[[ServiceKey], bool] = own.__contains__ if keep_others else lambda key: True
    return make_plan(table.services(), wanted_unchecked(setup), ours)
