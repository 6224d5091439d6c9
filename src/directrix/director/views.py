"""What a director knows, as plain data: for its API and `directrix show`. Times are seconds since 1970."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from directrix import __version__
from directrix.checks.actions import ServerKey
from directrix.checks.history import Result
from directrix.checks.pool import ServerView
from directrix.director.virtual import Virtual
from directrix.lvs import ServiceKey, TableError, endpoint
from directrix.lvs.objects import key_object
from directrix.lvs.state import ServerState

if TYPE_CHECKING:
    from directrix.director.daemon import Director


def status(director: Director) -> dict[str, Any]:
    """The director itself."""
    return {
        "version": __version__,
        "pid": os.getpid(),
        "configuration": director.options.path,
        "config_id": director.options.config_id,
        "started_at": director.started_at,
        "reloaded_at": director.reloaded_at or None,
        "reload_refused": director.refused or None,
        "ready": director.is_ready,
        "services": len(director.balancer.pools),
        "checks": len(director.balancer.engine.names),
        "astray": [str(key) for key in director.balancer.in_force.astray],
    }


def services(director: Director) -> list[dict[str, Any]]:
    """Virtual servers, their real servers, what the table says of them, and what each check believes."""
    there = _there(director)
    return [_service(director, virtual, there) for virtual in director.balancer.setup.virtuals.values()]


def _service(
    director: Director, virtual: Virtual, there: dict[tuple[ServiceKey, ServerKey], ServerState]
) -> dict[str, Any]:
    settings, pool = virtual.settings, director.balancer.pools[virtual.name]
    sorry = settings.sorry_server
    return {
        "name": virtual.name,
        "services": [key_object(key) for key in virtual.keys],
        "scheduler": settings.scheduler,
        "quorum": settings.quorum,
        "hysteresis": settings.hysteresis,
        "quorum_up": pool.quorum_up,
        "live_weight": pool.live_weight,
        "sorry_server": None if sorry is None else endpoint(sorry.address, sorry.port),
        "sorry_in_use": pool.sorry_in,
        "servers": [_server(director, virtual, key, pool.server(key), there) for key in virtual.real_servers],
    }


def _server(
    director: Director,
    virtual: Virtual,
    key: ServerKey,
    view: ServerView,
    there: dict[tuple[ServiceKey, ServerKey], ServerState],
) -> dict[str, Any]:
    entries = [there[at] for at in virtual.places(key) if at in there]
    configured = virtual.real_servers[key]
    return {
        "server": endpoint(*key),
        "method": configured.method.name.lower(),
        "alive": view.alive,
        "in_table": view.in_table,
        "weight": view.weight,
        "configured_weight": configured.weight,
        "held_weight": view.held,
        "draining": director.drains.is_draining(virtual.name, key),
        "active": sum(entry.active for entry in entries),
        "inactive": sum(entry.inactive for entry in entries),
        "checks": [
            {
                "name": name,
                "up": checker.up,
                "has_run": checker.has_run,
                "adds": checker.adds,
                "standing": checker.standing.value,
                "last": _result(director.balancer.history((virtual.name, key, name)).last),
            }
            for name, checker in view.checkers.items()
        ],
    }


def _there(director: Director) -> dict[tuple[ServiceKey, ServerKey], ServerState]:
    try:
        states = director.balancer.table.services()
    except TableError:
        return {}
    return {(state.service.key, entry.server.key): entry for state in states for entry in state.servers}


def checks(director: Director) -> list[dict[str, Any]]:
    """Every check with its last results, oldest first."""
    found = []
    for (virtual, key), configured in director.balancer.setup.checks.items():
        for check in configured:
            history = director.balancer.history((virtual, key, check.name))
            found.append(
                {
                    "service": virtual,
                    "server": endpoint(*key),
                    "name": check.name,
                    "kind": check.kind,
                    "delay_loop": check.timing.delay_loop,
                    "retry": check.timing.retry,
                    "attempts": history.attempts,
                    "failures": history.failures,
                    "history": [_result(result) for result in history],
                }
            )
    return found


def _result(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    outcome = result.outcome
    return {
        "at": round(result.at, 6),
        "took": round(result.took, 6),
        "ok": outcome.ok,
        "made": outcome.made,
        "up": result.up,
        "detail": outcome.detail,
    }


def vrrp(director: Director) -> dict[str, Any]:
    """VRRP's instances, and virtual routers of others that were heard."""
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
    return {"instances": instances, "strangers": strangers}


def events(director: Director, limit: int = 100, kind: str = "") -> list[dict[str, Any]]:
    """What happened last, oldest first."""
    found = [happening.as_object() for happening in director.events if not kind or happening.kind == kind]
    return found[-limit:] if limit else []
