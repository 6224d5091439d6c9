"""The daemons of a lab's directors: `directrix run` on a host, with a keepalived.conf in the host's directory.

A daemon outlives whoever starts it and is nobody's child. That it is ready it says as to a service manager, over a
socket; that it has ended before is seen by a pipe, of which it holds the other end as long as it lives.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

from directrix.lab import state
from directrix.lab.errors import LabError
from directrix.lab.inside import own_command
from directrix.lab.state import HostState
from directrix.system import namespaces, processes
from directrix.system.commands import run

CONFIGURATION, EVENTS, LOG = "keepalived.conf", "events", "director.log"
"""Files of a host's directory: what its director runs, what happened to it (JSON lines), what it said."""

_RUN = Path("/run/directrix/director")
_PATIENCE = 60.0
"""Seconds a director has to become ready; it takes one or two, and some adverts of VRRP."""
_LAST_LINES = 5


def directory(lab: str, host: str) -> Path:
    """Where a host's files are."""
    return state.directory(lab) / host


def has_daemon(lab: str, host: str) -> bool:
    """Whether this host is a director by `directrix run`, alive or not."""
    return (directory(lab, host) / CONFIGURATION).exists()


def runtime_directory() -> Path:
    """What the daemon of the network namespace the caller is in keeps of itself; `directrix run` says where."""
    return _RUN / str(namespaces.cookie())


def prepare(lab: str, host: str, configuration: str) -> None:
    """Give a host the keepalived.conf of its director."""
    place = directory(lab, host)
    place.mkdir(exist_ok=True)
    (place / CONFIGURATION).write_text(configuration)


def start(lab: str, host: HostState) -> None:
    """Start a host's director, and wait until its table is live and VRRP knows whether it is master.

    Raises:
        LabError: it ends instead, or takes too long; with the last it said.
        CommandFailed: it can't be started.
    """
    place = directory(lab, host.name)
    words = ["directrix", "run", "-f", place / CONFIGURATION, "-i", host.name, "--event-log", place / EVENTS]
    # setsid forks, so that the daemon is init's child and not ours.
    detached = ["sh", "-c", 'exec setsid --fork "$@" </dev/null >>"$0" 2>&1', str(place / LOG)]
    ended, alive = os.pipe()
    notified = place / "notify"
    try:
        with namespaces.inside(host.namespace), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(notified))
            run(
                [*detached, "env", f"NOTIFY_SOCKET={notified}", *own_command([str(word) for word in words])],
                keep=[alive],
            )
            os.close(alive)
            alive = -1
            while True:
                readable, _, _ = select.select([listening.fileno(), ended], [], [], _PATIENCE)
                if listening.fileno() in readable:
                    if b"READY=1" in listening.recv(4096).split(b"\n"):
                        return
                elif ended in readable:
                    raise LabError(f"the director of {host.name} has ended: {_last_said(place)}")
                else:
                    raise LabError(
                        f"the director of {host.name} is not ready after {_PATIENCE:g} s: {_last_said(place)}"
                    )
    finally:
        notified.unlink(missing_ok=True)
        os.close(ended)
        if alive >= 0:
            os.close(alive)


def process(host: HostState) -> int | None:
    """The process id of a host's director; None if it has none now."""
    with namespaces.inside(host.namespace):
        here = namespaces.current()
        try:
            pid = int((runtime_directory() / "pid").read_text())
        except (OSError, ValueError):
            return None
    return pid if namespaces.is_inside(pid, here) else None


def stop(host: HostState) -> None:
    """Have a host's director stop in good order, and wait for it.

    Raises:
        LabError: it has none.
    """
    _end(host, patience=30.0)


def kill(host: HostState) -> None:
    """Kill a host's director with SIGKILL, as if it had crashed.

    Raises:
        LabError: it has none.
    """
    _end(host, patience=0.0)


def _end(host: HostState, patience: float) -> None:
    pid = process(host)
    identity = namespaces.identity(host.namespace)
    if pid is None or identity is None:
        raise LabError(f"no director runs on {host.name}")
    if not patience:
        os.kill(pid, signal.SIGKILL)
    processes.end([pid], lambda one: namespaces.is_inside(one, identity), patience)


def _last_said(place: Path) -> str:
    lines = (place / LOG).read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return "\n".join(lines) or "it said nothing"
