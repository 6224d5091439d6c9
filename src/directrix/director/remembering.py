"""What is remembered (`memory.py`), by the director's own names, and as far as it still means something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from directrix.checks.actions import ServerKey
from directrix.checks.file_check import FileCheck, FileChecker
from directrix.checks.growth import Growth
from directrix.checks.outcome import Outcome
from directrix.checks.pool import Pool
from directrix.director.leaving import still_leaving
from directrix.director.memory import Belief, Remembered
from directrix.director.orders import Order
from directrix.director.setup import Setup
from directrix.director.told import CheckName
from directrix.director.virtual import ServerName, Virtual
from directrix.keepalived.values import RealServer
from directrix.lvs import ServiceKey, endpoint
from directrix.lvs.budget import Budget

Beliefs = Mapping[tuple[str, str, str], Belief]


def names(name: CheckName) -> tuple[str, str, str]:
    """What a checker is remembered by."""
    return name[0], endpoint(*name[1]), name[2]


@dataclass(frozen=True, slots=True)
class Recall:
    """What was remembered, for who begins."""

    remembered: Remembered

    def leaving(self, setup: Setup) -> dict[ServerName, RealServer]:
        """The servers that are on their way out, and not configured again."""
        known = {
            (virtual, (server.address, server.port)): server for (virtual, _), server in self.remembered.leaving.items()
        }
        return still_leaving(known, setup)

    def orders(
        self, servers: Iterable[ServerName], leaving: Mapping[ServerName, RealServer]
    ) -> dict[ServerName, Order]:
        """The orders for these servers; one that was on its way out and is configured again has none."""
        found = {name: self.remembered.orders.get((name[0], endpoint(*name[1]))) for name in servers}
        return {name: order for name, order in found.items() if order and (not order.leaves or name in leaving)}

    def growths(self, virtual: Virtual) -> dict[ServerKey, Growth]:
        """The slow starts of a virtual server."""
        found = {key: self.remembered.growths.get((virtual.name, endpoint(*key))) for key in virtual.real_servers}
        return {key: growth for key, growth in found.items() if growth is not None}

    def outcomes(self, virtual: Virtual, setup: Setup) -> Iterator[tuple[ServerKey, str, Outcome]]:
        """What is known of a virtual server's checks: what was believed of them, or what a file says now."""
        for key in virtual.real_servers:
            for check in setup.checks[virtual.name, key]:
                if isinstance(check.settings, FileCheck):
                    yield key, check.name, FileChecker(check.settings).now()
                elif (belief := self.remembered.beliefs.get(names((virtual.name, key, check.name)))) is not None:
                    yield key, check.name, Outcome(belief.up, weight=belief.adds)


def to_remember(
    own: frozenset[ServiceKey],
    beliefs: Beliefs,
    orders: Mapping[ServerName, Order],
    pools: Mapping[str, Pool],
    leaving: Mapping[ServerName, RealServer],
    budgets: Mapping[ServiceKey, Budget],
) -> Remembered:
    """All of it, from the director's state."""
    return Remembered(
        own,
        dict(beliefs),
        {(virtual, endpoint(*key)): order for (virtual, key), order in orders.items()},
        {
            (virtual, endpoint(*key)): growth
            for virtual, pool in pools.items()
            for key, growth in pool.growing().items()
        },
        {(virtual, endpoint(*key)): server for (virtual, key), server in leaving.items()},
        dict(budgets),
    )
