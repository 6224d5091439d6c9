"""What is told of a configuration in the log: its mistakes, and what it says in vain."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from directrix.director.programs import changeable_by_others, command, faults, scripts_of
from directrix.director.routers import inert
from directrix.director.setup import Setup
from directrix.director.virtual import Virtual
from directrix.keepalived import Fault, FaultyConfiguration
from directrix.table.opening import IPVS

_log = logging.getLogger("directrix.director")


def tell_faults(found: Iterable[Fault]) -> None:
    """Write what is wrong with a configuration to the log."""
    for fault in found:
        level = logging.ERROR if fault.severity == "error" else logging.WARNING
        _log.log(level, "%s: %s%s", fault.place, fault.reason, fault.place.trail)


def first_error(faulty: FaultyConfiguration) -> str:
    """The first mistake of a configuration."""
    return str(next(fault for fault in faulty.faults if fault.severity == "error"))


def _ends_connections(virtual: Virtual) -> bool:
    drains = (virtual.settings.drain, *(server.drain for server in virtual.real_servers.values()))
    return any(drain is not None and (drain.expire or drain.udp_now) for drain in drains)


def warn(setup: Setup, make: str) -> None:
    """Tell of what has no effect here, over this make of table, and of programs that can't be run or trusted."""
    settings = setup.configuration.globals
    for text in inert(setup.configuration):
        _log.warning("%s", text)
    if make == IPVS and any(one.settings.passive_health for one in setup.virtuals.values()):
        _log.warning("passive_health has no effect: the kernel's IPVS does not watch handshakes")
    if make == IPVS and any(_ends_connections(one) for one in setup.virtuals.values()):
        _log.warning("drain: the kernel's IPVS can't end the connections of one server: they end by themselves")
    for script in scripts_of(setup.configuration):
        wanted = command(script, settings)
        for fault in faults(wanted):
            _log.warning("%s", fault)
        if (place := changeable_by_others(wanted)) is not None:
            _log.warning("%s runs as root, and others may change %s", wanted.words[0], place)
