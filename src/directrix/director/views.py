"""What a director knows, as plain data: for its API and `directrix show`. Times are seconds since 1970.

Lists that may be long are iterators, made while they are sent (`streaming.py`). A reload may come in between: what is
gone then is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from directrix import __version__
from directrix.checks.history import History, Result
from directrix.checks.pool import Pool
from directrix.checks.pool_values import ServerView
from directrix.director.orders import Order, clock
from directrix.director.table_work import counted
from directrix.director.told import CheckName
from directrix.director.virtual import ServerName, Virtual
from directrix.draining.telling import as_object
from directrix.keepalived.values import Drain
from directrix.lvs import endpoint
from directrix.lvs.budget import Budget
from directrix.lvs.objects import budget_object, key_object

if TYPE_CHECKING:
    from directrix.director.daemon import Director

Counts = Mapping[str, tuple[int, int]]
"""Active and inactive connections of what stands in the table, as `table_work.counts` gives them."""


def status(director: Director) -> dict[str, Any]:
    """The director itself."""
    return {
        "version": __version__,
        "pid": os.getpid(),
        "configuration": director.options.path,
        "config_id": director.options.config_id,
        "table": director.options.make,
        "started_at": director.started_at,
        "reloaded_at": director.reloaded_at or None,
        "reload_refused": director.refused or None,
        "ready": director.is_ready,
        "services": len(director.balancer.pools),
        "checks": len(director.balancer.checks.engine.names),
        "orders": len(director.balancer.orders),
        "astray": [str(key) for key in director.balancer.in_force.astray],
    }


def services(director: Director, there: Counts, only: str = "") -> Iterator[dict[str, Any]]:
    """Virtual servers, their real servers, what the table says of them, and what each check believes.

    `only`: this one, by its name or that of one of its services in the table; empty for all.
    """
    for virtual in tuple(director.balancer.setup.virtuals.values()):
        pool = director.balancer.pools.get(virtual.name)
        if pool is not None and (not only or virtual.is_called(only)):
            yield _service(director, virtual, pool, there)


def _service(director: Director, virtual: Virtual, pool: Pool, there: Counts) -> dict[str, Any]:
    settings = virtual.settings
    sorry = settings.sorry_server
    return {
        "name": virtual.name,
        "services": [key_object(key) for key in virtual.keys],
        "keys": [str(key) for key in virtual.keys],
        "scheduler": settings.scheduler,
        "quorum": settings.quorum,
        "hysteresis": settings.hysteresis,
        "quorum_up": pool.quorum_up,
        "live_weight": pool.live_weight,
        "sorry_server": None if sorry is None else endpoint(sorry.address, sorry.port),
        "sorry_in_use": pool.sorry_in,
        **budget_object(settings.budget or Budget()),
        "servers": _servers(director, virtual, pool, there),
    }


def _servers(director: Director, virtual: Virtual, pool: Pool, there: Counts) -> Iterator[dict[str, Any]]:
    for key, configured in virtual.real_servers.items():
        with suppress(KeyError):
            view = pool.server(key)
            names = [counted(*at) for at in virtual.places(key)]
            found = [there[name] for name in names if name in there]
            yield {
                "server": endpoint(*key),
                "places": [endpoint(*place) for _, place in virtual.places(key)],
                "method": configured.method.name.lower(),
                "alive": view.alive,
                "in_table": view.in_table,
                "weight": view.weight,
                "checked_weight": view.checked_weight,
                "configured_weight": configured.weight,
                "held_weight": view.held,
                "quiesced": view.quiesced,
                "growing": growing(view),
                "leaving": (virtual.name, key) in director.balancer.leaving,
                "slow_start": configured.slow_start or None,
                "drain": None if configured.drain is None else drain_object(configured.drain),
                "order": order(director, (virtual.name, key)),
                "active": sum(active for active, _ in found),
                "inactive": sum(inactive for _, inactive in found),
                "checks": [
                    {
                        "name": name,
                        "up": checker.up,
                        "has_run": checker.has_run,
                        "adds": checker.adds,
                        "standing": checker.standing.value,
                        **_lately(director, (virtual.name, key, name)),
                    }
                    for name, checker in view.checkers.items()
                ],
            }


RECENT = 8
"""Results of each check that are shown in short."""


def _lately(director: Director, name: CheckName) -> dict[str, Any]:
    history = _history(director, name)
    if history is None or history.last is None:
        return {"last": None, "recent": []}
    recent = [each.outcome.ok if each.outcome.made else None for each in tuple(history)[-RECENT:]]
    return {"last": result(history.last), "recent": recent}


def _history(director: Director, name: CheckName) -> History | None:
    try:
        return director.balancer.checks.history(name)
    except KeyError:
        return None


def order(director: Director, name: ServerName) -> dict[str, Any] | None:
    """What the operator has ordered of a real server, and how far it is."""
    found = director.balancer.orders.get(name)
    if found is None:
        return None
    view = director.balancer.server(name)
    elapsed = round(max(clock() - found.began, 0.0), 3)
    told: dict[str, Any] = {"kind": found.kind.value, "elapsed": elapsed, "weight": view.held}
    match found:
        case Order(seconds=seconds, expire=expire, ended=ended, left=left) if found.kind == "drain":
            progress = director.orders.progress(name)
            told |= {"seconds": seconds, "then": "expire" if expire else "keep", "ended": ended or None, "left": left}
            told |= {"expired": found.expired, "leaves": found.leaves}
            told["progress"] = None if progress is None else as_object(progress)
        case Order(seconds=seconds) if found.kind == "admit":
            told |= {"seconds": seconds, "target": found.target(view.checked_weight)}
    return told


def growing(view: ServerView) -> dict[str, Any] | None:
    """How far a weight has grown by `slow_start`; None if it doesn't."""
    if view.growth is None:
        return None
    elapsed = max(time.monotonic() - view.growth.began, 0.0)
    left = max(view.growth.over - elapsed, 0.0)
    return {
        "target": view.full_weight,
        "elapsed": round(elapsed, 3),
        "seconds": view.growth.over,
        "left": round(left, 3),
    }


def drain_object(drain: Drain) -> dict[str, Any]:
    """How a server is drained by the configuration."""
    return {"seconds": drain.deadline, "then": "expire" if drain.expire else "keep", "udp_now": drain.udp_now}


def orders(director: Director) -> list[dict[str, Any]]:
    """All that the operator has ordered."""
    return [
        {"service": virtual, "server": endpoint(*key), "order": order(director, (virtual, key))}
        for virtual, key in director.balancer.orders
    ]


def checks(director: Director, most: int, only: str = "") -> Iterator[dict[str, Any]]:
    """Every check with its last results, `most` of them, oldest first; `only` as of services."""
    setup = director.balancer.setup
    for (virtual, key), configured in setup.checks.items():
        if only and not setup.virtuals[virtual].is_called(only):
            continue
        for check in configured:
            history = _history(director, (virtual, key, check.name))
            if history is not None:
                yield {
                    "service": virtual,
                    "server": endpoint(*key),
                    "name": check.name,
                    "kind": check.kind,
                    "delay_loop": check.timing.delay_loop,
                    "retry": check.timing.retry,
                    "attempts": history.attempts,
                    "failures": history.failures,
                    "history": [result(each) for each in tuple(history)[-most:]] if most else [],
                }


def result(found: Result) -> dict[str, Any]:
    """What one attempt of a check found."""
    outcome = found.outcome
    return {
        "at": round(found.at, 6),
        "took": round(found.took, 6),
        "ok": outcome.ok,
        "made": outcome.made,
        "up": found.up,
        "detail": outcome.detail,
    }


def vrrp(director: Director) -> dict[str, Any]:
    """VRRP's instances, what they track, and virtual routers of others that were heard."""
    instances = []
    for found in director.statuses():
        shown = asdict(found)
        shown["family"] = "inet6" if found.family.bits == 128 else "inet"
        shown["state"] = found.state.name
        for name in ("source", "master"):
            shown[name] = None if shown[name] is None else str(shown[name])
        counted = shown.pop("statistics")
        counted["rejected"] = {cause.value: count for cause, count in found.statistics.rejected.items() if count}
        last = found.statistics.last_rejected
        counted["last_rejected"] = None if last is None else {**asdict(last), "cause": last.cause.value}
        instances.append({**shown, "statistics": counted})
    strangers = [
        {**asdict(stranger), "family": "inet6" if stranger.family.bits == 128 else "inet"}
        for stranger in director.vrrp.strangers()
    ]
    return {
        "instances": instances,
        "tracked": [asdict(thing) for thing in director.vrrp.tracked()],
        "strangers": strangers,
    }


def events(director: Director, limit: int = 100, kind: str = "") -> list[dict[str, Any]]:
    """What happened last, oldest first."""
    found = [happening.as_object() for happening in director.events if not kind or happening.kind == kind]
    return found[-limit:] if limit else []
