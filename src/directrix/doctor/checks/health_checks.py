"""What the director's own health checks have found, and found before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile

from directrix.doctor.case import Case
from directrix.doctor.commands import examine
from directrix.doctor.daemon import Checked, Result, read_checks, read_pools
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.lvs.addresses import endpoint

_RESTLESS = 4
"""So many changes among the results that are remembered are more than one outage and its end."""


def look(case: Case) -> Iterator[Finding]:
    """Each virtual server; the checks of those that are not calm, one by one."""
    pools = read_pools(case.ask)
    if not pools:
        yield skip("health checks", "no director that makes them (`directrix run`) is at work here")
    for pool in case.pace.each(pools, "virtual servers"):
        checks = () if pool.calm else read_checks(case.ask, pool.name)
        found = [finding for check in checks if (finding := _wrong(case, check)) is not None]
        yield from found
        if not pool.quorum_up:
            yield fail(pool.name, "it has not its quorum: too few real servers pass their checks")
        elif not found and not pool.checks:
            yield ok(pool.name, "none of its real servers is checked: nobody notices if one dies")
        elif not found:
            failed = sum(check.failures for check in checks)
            yield ok(pool.name, f"all {pool.checks} checks pass" + (f"; {failed} failed before" if failed else ""))


def _wrong(case: Case, check: Checked) -> Finding | None:
    """What is wrong with a real server, by one of its checks."""
    if not check.history:
        return None
    looked_at = f"{check.name} of {check.server} for {check.service}"
    last, changes = check.history[-1], _changes(check.history)
    if not last.made:
        return warn(looked_at, f"it could not be made, so it says nothing of the real server: {last.detail}")
    if not last.up:
        said = f"it fails {_since(check.history)}, so nobody new is sent there: {last.detail}"
        return warn(looked_at, said, _examine(case, check))
    if changes >= _RESTLESS:
        said = (
            f"it went {changes} times between up and down in the last {last.at - check.history[0].at:.0f} s, and is up "
            f"now: {_last_failure(check.history)}"
        )
        return warn(looked_at, said, _examine(case, check))
    return None


def _examine(case: Case, check: Checked) -> list[Remedy]:
    """Look on the real server itself, about a service it is known to have."""
    for service in case.services:
        for server in service.servers:
            if str(service) == check.service and endpoint(server.address, server.port) == check.server:
                return [examine(service, server.address)]
    return []


def _changes(history: Sequence[Result]) -> int:
    return sum(one.up != other.up for one, other in pairwise(history))


def _since(history: Sequence[Result]) -> str:
    """Since when it has been down, as far back as is remembered."""
    *_, first = takewhile(lambda result: not result.up, reversed(history))
    return f"since {'before ' if first is history[0] else ''}{_clock(first.at)}"


def _last_failure(history: Sequence[Result]) -> str:
    return next(result.detail for result in reversed(history) if not result.ok)


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


CHECK = Check(
    "health-checks",
    "what the director's health checks find, and found before",
    "A real server that fails its checks gets no new connections. One that goes up and down gets them and breaks them.",
    frozenset({Role.DIRECTOR}),
    look,
)
