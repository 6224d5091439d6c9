"""Whether the director daemon (`directrix run`) of this host is at work, and does what its configuration says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from directrix.doctor.case import Case, Unanswered
from directrix.doctor.daemon import Daemon, read_daemon
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn

_UNIT = "directrix.service"
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")


def look(case: Case) -> Iterator[Finding]:
    """The daemon, or what is left of one."""
    looked_at = "directrix run"
    try:
        daemon = read_daemon(case.ask)
    except Unanswered as trouble:
        yield fail(looked_at, f"it runs and does not answer, so it may be stuck: {trouble}", _restart())
        return
    if daemon is None and case.killed is not None:
        yield fail(
            looked_at,
            f"it ran here as process {case.killed}, and was killed or crashed: nobody checks the real servers any "
            "more, and VIPs it held stay here, beside those of whoever has taken over. Start it again",
            _restart(),
        )
        return
    if daemon is None:
        yield skip(looked_at, "it is not at work here")
        return
    called = f"process {daemon.pid}, by {daemon.configuration}"
    if daemon.reload_refused:
        said = (
            f"{called}; the last reload was refused, and the configuration before is in force: {daemon.reload_refused}"
        )
        yield warn(looked_at, said, [_check(daemon)])
    for service in daemon.astray:
        yield fail(service, "the table refuses to have it as it shall be; the director tries again every second")
    if not daemon.ready:
        yield warn(looked_at, f"{called}; it is not ready yet: VRRP does not know whether its addresses are here")
    elif not daemon.reload_refused and not daemon.astray:
        yield ok(looked_at, called)


def _check(daemon: Daemon) -> Remedy:
    words = ["directrix", "run", "--check", "-f", daemon.configuration]
    return Remedy(shlex.join(words + (["-i", daemon.config_id] if daemon.config_id else [])))


def _restart() -> list[Remedy]:
    return [Remedy(f"systemctl restart {_UNIT}")] if any(Path(place, _UNIT).exists() for place in _UNITS) else []


CHECK = Check(
    "director",
    "the director daemon is at work, by the configuration it was given",
    "A table forwards without a daemon, but then nobody notices a real server that dies, or a director.",
    frozenset({Role.DIRECTOR}),
    look,
)
