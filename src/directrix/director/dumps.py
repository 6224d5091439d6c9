"""What keepalived writes on SIGUSR1 and SIGUSR2, in its words and places: for people, and for programs that read it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from directrix.checks.pool import Pool
from directrix.director.setup import Setup
from directrix.lvs import endpoint
from directrix.vrrp.bad_packet import Cause
from directrix.vrrp.states import State
from directrix.vrrp.status import InstanceStatus

DATA = Path("/tmp/keepalived.data")
STATS = Path("/tmp/keepalived.stats")

_STATES = {State.INITIALIZE: "INIT", State.LEAVING: "MASTER"}


def data(setup: Setup, statuses: Iterable[InstanceStatus], pools: dict[str, Pool]) -> str:
    """Everything that is the case (SIGUSR1)."""
    return "\n".join([*_topology(statuses), *_servers(setup, pools)]) + "\n"


def _topology(statuses: Iterable[InstanceStatus]) -> Iterator[str]:
    yield "------< VRRP Topology >------"
    for status in statuses:
        yield f" VRRP Instance = {status.name}"
        yield f"   VRRP Version = {status.version}"
        yield f"   State = {_STATES.get(status.state, status.state.name)}"
        if status.master is not None:
            yield f"   Master router = {status.master}"
            yield f"   Master priority = {status.master_priority}"
        yield f"   Last transition = {status.since:.6f}"
        yield f"   Interface = {status.interface}"
        yield f"   Using src_ip = {status.source or ''}"
        yield f"   Virtual Router ID = {status.vrid}"
        yield f"   Priority = {status.base_priority}"
        yield f"   Effective priority = {status.priority}"
        yield f"   Advert interval = {status.interval:g} sec"
        yield f"   Virtual IP ({len(status.addresses)}):"
        yield from (f"     {address} dev {status.interface}" for address in status.addresses)
        yield from (f"   Fault: {fault}" for fault in status.faults)


def _servers(setup: Setup, pools: dict[str, Pool]) -> Iterator[str]:
    yield "------< LVS Topology >------"
    for name, virtual in setup.virtuals.items():
        pool, settings = pools[name], virtual.settings
        yield f" VIP = {name}"
        yield f"   Quorum = {settings.quorum}, hysteresis {settings.hysteresis}, {'up' if pool.quorum_up else 'down'}"
        if settings.sorry_server is not None:
            sorry = endpoint(settings.sorry_server.address, settings.sorry_server.port)
            yield f"   Sorry server = {sorry}, {'in use' if pool.sorry_in else 'not in use'}"
        for key in virtual.real_servers:
            view = pool.server(key)
            yield f"   RIP = {endpoint(*key)}, weight {view.weight}, {'alive' if view.alive else 'dead'}"
            for check, known in view.checkers.items():
                word = ("up" if known.up else "down") if known.has_run else "not run yet"
                yield f"     {check} = {word}"


_GROUPS = (
    (
        "Packet Errors",
        (
            ("Length", Cause.LENGTH),
            ("TTL", Cause.TTL),
            ("Invalid Type", Cause.TYPE),
            ("Advertisement Interval", Cause.INTERVAL),
            ("Address List", Cause.ADDRESSES),
        ),
    ),
    (
        "Authentication Errors",
        (
            ("Invalid Type", Cause.AUTH_TYPE),
            ("Type Mismatch", Cause.AUTH_MISMATCH),
            ("Failure", Cause.AUTH_FAILURE),
        ),
    ),
)


def stats(statuses: Iterable[InstanceStatus]) -> str:
    """What was counted (SIGUSR2)."""
    lines = []
    for status in statuses:
        counted = status.statistics
        lines += [f"VRRP Instance: {status.name}", "  Advertisements:"]
        lines += [f"    Received: {counted.advertisements_received}", f"    Sent: {counted.advertisements_sent}"]
        lines += [f"  Became master: {counted.become_master}", f"  Released master: {counted.release_master}"]
        for title, causes in _GROUPS:
            lines.append(f"  {title}:")
            lines += [f"    {name}: {counted.rejected[cause]}" for name, cause in causes]
        lines += ["  Priority Zero:"]
        lines += [f"    Received: {counted.priority_zero_received}", f"    Sent: {counted.priority_zero_sent}"]
    return "".join(f"{line}\n" for line in lines)


def write(path: Path, text: str) -> None:
    """Put a file in place, whatever had its name before: a link somebody laid there is replaced, not followed.

    Raises:
        OSError: it can't be written.
    """
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
            file.write(text)
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise
