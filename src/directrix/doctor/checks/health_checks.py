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
    """Each real server of each virtual server."""
    pools = read_pools(case.ask)
    if not pools:
        yield skip("health checks", "no director that makes them (`directrix run`) is at work here")
        return
    checks = read_checks(case.ask)
    for pool in pools:
        found = [
            finding
            for server in pool.servers
            for finding in _server(
                case, server, [one for one in checks if (one.service, one.server) == (pool.name, server)]
            )
        ]
        yield from found
        if not pool.quorum_up:
            yield fail(pool.name, "it has not its quorum: too few real servers pass their checks")
        elif not found:
            yield ok(pool.name, _well([one for one in checks if one.service == pool.name]))


def _server(case: Case, server: str, checks: Sequence[Checked]) -> Iterator[Finding]:
    """What is wrong with a real server, check by check."""
    for check in checks:
        looked_at = f"{check.name} of {check.server} for {check.service}"
        if not check.history:
            continue
        last = check.history[-1]
        changes = _changes(check.history)
        if not last.made:
            yield warn(looked_at, f"it could not be made, so it says nothing of the real server: {last.detail}")
        elif not last.up:
            said = f"it fails {_since(check.history)}, so nobody new is sent there: {last.detail}"
            yield warn(looked_at, said, _examine(case, check))
        elif changes >= _RESTLESS:
            span = last.at - check.history[0].at
            yield warn(
                looked_at,
                f"it went {changes} times between up and down in the last {span:.0f} s, and is up now: "
                f"{_last_failure(check.history)}",
                _examine(case, check),
            )


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


def _well(checks: Sequence[Checked]) -> str:
    if not checks:
        return "none of its real servers is checked: nobody notices if one dies"
    made, failed = sum(check.attempts for check in checks), sum(check.failures for check in checks)
    return f"all {len(checks)} checks pass; {made} were made, of which {failed} failed"


CHECK = Check(
    "health-checks",
    "what the director's health checks find, and found before",
    "A real server that fails its checks gets no new connections. One that goes up and down gets them and breaks them.",
    frozenset({Role.DIRECTOR}),
    look,
)
