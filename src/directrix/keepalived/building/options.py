"""What virtual and real servers have beyond keepalived: slow start, drains, budgets."""

from __future__ import annotations

from collections.abc import Iterable

from directrix.keepalived.reading import Reading
from directrix.keepalived.values import Drain, RealServer
from directrix.lvs.budget import Budget
from directrix.lvs.slow_start import LEVELLERS


def drain_of(reading: Reading) -> Drain | None:
    """The `drain` of a virtual or real server; None without."""
    inner = reading.given.get("drain")
    if not isinstance(inner, Reading):
        return None
    found = Drain(**inner.values())
    if found.expire and not inner.said("deadline"):
        inner.error("then expire needs a deadline; deadline 0 ends all connections at once", "expire")
    return found


def budget_of(reading: Reading) -> Budget | None:
    """The `budget` of a virtual server; None without."""
    inner = reading.given.get("budget")
    if not isinstance(inner, Reading):
        return None
    if not inner.said("service") and not inner.said("source"):
        inner.error("a budget has a rate for the service, a source_rate for each source, or both")
    for name in ("prefix4", "prefix6"):
        if inner.said(name) and not inner.said("source"):
            inner.error(f"{inner.told[name].text} needs a source_rate beside it", name)
    return Budget(**inner.values())


def warn_of_slow_start(reading: Reading, scheduler: str, servers: Iterable[RealServer]) -> None:
    """Tell where a slow start has no effect, at the word that asks for it."""
    slow = [server for server in servers if server.slow_start]
    if not slow:
        return
    at = (
        reading
        if "slow_start" in reading.given
        else next(each for each in reading.readings("real_servers") if each.given.get("slow_start"))
    )
    if scheduler in LEVELLERS:
        at.warn(f"slow_start has no effect: to the scheduler {scheduler} all weights above 0 are alike", "slow_start")
    elif all(server.weight == 1 for server in slow):
        at.warn(
            "slow_start has no effect: a weight of 1 can't grow; give all servers weights of 10 or 100", "slow_start"
        )
