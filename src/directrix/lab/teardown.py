"""Taking a lab down so that nothing is left, however it came to be as it is.

The order matters. Processes first: they could make new things. Then what is kept outside for each
namespace, the pins of its virtual server table and what is noted of its addresses: they go by the
namespace's cookie, which can be asked for only while it is there. Then the namespaces, and with
them bridges, cables and sockets. What the lab wrote down goes last, so that whoever is killed in
between can be followed by another try.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from directrix.lab import directing, state
from directrix.lab.choosing import no_such_lab
from directrix.lab.errors import LabError
from directrix.lab.inside import run_own
from directrix.lab.privilege import require_root
from directrix.lab.state import LabState
from directrix.system import namespaces, processes
from directrix.system.commands import CommandFailed, ip
from directrix.system.facts import ledger
from directrix.system.namespaces import NamespaceId

_PATIENCE = 10.0
"""Seconds to wait for one who builds the lab or takes it down; a killed builder's last child is quick."""


def take_down(name: str) -> None:
    """Take a lab down, complete or not.

    Raises:
        LabError: there is none of this name, somebody is building it, or we are inside it.
    """
    require_root()
    if name not in state.names():
        raise no_such_lab(name)
    with state.locked(name, _PATIENCE):
        known = state.read(name)
        if known is None:
            state.forget(name)
        else:
            _refuse_from_inside(known)
            clear(known)


def take_down_all() -> None:
    """Take all labs down; one that resists doesn't save the others.

    Raises:
        LabError: with what was wrong with each that resisted.
    """
    troubles = []
    for name in state.names():
        try:
            take_down(name)
        except LabError as error:
            troubles.append(str(error))
    if troubles:
        raise LabError("\n".join(troubles))


def clear(lab: LabState) -> None:
    """Remove all of a lab. The caller holds its lock.

    Raises:
        LabError: something resisted; what is known of the lab stays.
    """
    there = {name: identity for name in lab.namespaces if (identity := namespaces.identity(name))}
    for identity in there.values():
        end_processes(identity)
    for name in there:
        _take_down_table(name)
    try:
        ip([f"netns delete {name}" for name in lab.namespaces if namespaces.exists(name)])
    except CommandFailed as failure:
        raise LabError(f"lab {lab.name!r} can't be taken down: {failure}", "try again") from None
    state.forget(lab.name)


def end_processes(namespace: NamespaceId, patience: float = 2.0) -> None:
    """End all processes in a namespace, those too that are started meanwhile; not ourselves.

    They have `patience` seconds to end in order before they are killed.

    Raises:
        LabError: there are always new ones.
    """
    for _ in range(20):
        pids = [pid for pid in namespaces.processes(namespace) if pid != os.getpid()]
        if not pids:
            return
        processes.end(pids, lambda pid: namespaces.is_inside(pid, namespace), patience)
    raise LabError(f"processes {pids} can't be ended, or new ones are started all the time")


def _take_down_table(name: str) -> None:
    """Give up the virtual server table of a namespace, and what is noted of it: they lie outside and would stay."""
    try:
        with namespaces.inside(name):
            ledger.forget()
            shutil.rmtree(directing.runtime_directory(), ignore_errors=True)
            if any(Path(f"{root}/run/directrix/bpf/{namespaces.cookie()}").exists() for root in ("/", "/proc/1/root")):
                run_own(["directrix", "down", "--quiet"])
    except OSError:
        return  # A builder was killed between making the name and the namespace.
    except CommandFailed as failure:
        raise LabError(f"the table of {name} can't be taken down: {failure}", "try again") from None


def _refuse_from_inside(lab: LabState) -> None:
    here = namespaces.current()
    for host in lab.hosts:
        if namespaces.identity(host.namespace) == here:
            raise LabError(
                f"you are inside {host.name} of lab {lab.name!r}, on a branch about to be sawn off", "leave it first"
            )
