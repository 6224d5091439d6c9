"""Budgets of new connections, as the memory table keeps them: a bucket a service, and one a source."""

from __future__ import annotations

from directrix.lvs import Address
from directrix.lvs.budget import Bucket, Budget, BudgetState


class Spending:
    """A service's budget, and what is left of it."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._over = self._source_over = 0
        self._bucket = None if budget.service is None else Bucket(budget.service)
        self._sources: dict[int, Bucket] = {}

    def refuses(self, client: Address, now: float) -> bool:
        """Whether a new connection of this client is more than there is; if not, it is taken.

        The source's share is asked first: what is refused there takes nothing from the others.
        """
        if self.budget.source is not None:
            source = self._sources.setdefault(self._source(client), Bucket(self.budget.source))
            if not source.take(now):
                self._source_over += 1
                return True
        if self._bucket is not None and not self._bucket.take(now):
            self._over += 1
            return True
        return False

    def _source(self, client: Address) -> int:
        prefix = self.budget.prefix4 if client.version == 4 else self.budget.prefix6
        return int(client) >> client.max_prefixlen - prefix

    def state(self, now: float) -> BudgetState:
        """How it stands."""
        left = None if self._bucket is None else self._bucket.left(now)
        return BudgetState(self.budget, self._over, self._source_over, left)
