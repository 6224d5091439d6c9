"""Budgets that a configuration gives its services: what has to change for them in the table.

A budget that the configuration has is in force, whatever somebody has set by hand. One that it has not is somebody
else's and stays, unless it is the very one that the configuration had before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from directrix.lvs import ServiceKey
from directrix.lvs.budget import Budget
from directrix.table.interface import Table

ByService = Mapping[ServiceKey, Budget]


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """A change of a service's budget; None is none.

    Attributes:
        by_hand: the one before is none of the configuration's.
    """

    key: ServiceKey
    before: Budget | None
    after: Budget | None
    by_hand: bool = False


def budget_changes(there: ByService, wanted: Mapping[ServiceKey, Budget | None], own: ByService) -> list[BudgetChange]:
    """What has to change.

    Args:
        there: what the table has.
        wanted: the services that shall be, with what the configuration says.
        own: what the configuration had said before.
    """
    changes = []
    for key, after in wanted.items():
        before, known = there.get(key), own.get(key)
        goes = after is None and before is not None and before == known
        if goes or (after is not None and before != after):
            changes.append(BudgetChange(key, before, after, by_hand=before is not None and before != known))
    return changes


def budgets_of(table: Table) -> dict[ServiceKey, Budget]:
    """What a table has.

    Raises:
        TableError: it can't be read.
    """
    return {key: state.budget for key, state in table.budgets().items()}


def words(budget: Budget) -> str:
    """A budget as keepalived.conf has it, in a line."""
    found = []
    if budget.service is not None:
        found.append(f"rate {budget.service.text} burst {budget.service.burst}")
    if budget.source is not None:
        found.append(f"source_rate {budget.source.text} burst {budget.source.burst}")
        found.append(f"source_prefix {budget.prefix4} source_prefix6 {budget.prefix6}")
    return " ".join(found)
