"""Keeping a real server over boots, in the ways of the systems that set hosts up: one a file, one registry.

Kernel parameters always go into a file of sysctl.d. What else there is, the VIP and rules, goes to
whoever is asked for: a unit of systemd, or what the host sets its network up with. No file
calls directrix: plain commands and settings go on working without it.

Every VIP has files of its own, and their names tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from directrix.realserver.persistence import ifupdown, netplan, networkd, networkmanager, systemd
from directrix.realserver.persistence.lasting import Lasting, sysctl_file
from directrix.system.facts.fact import Fact
from directrix.system.host_error import HostError

MANAGERS: Mapping[str, Callable[[Lasting], list[Fact]]] = MappingProxyType(
    {
        "systemd": systemd.facts,
        "networkd": networkd.facts,
        "networkmanager": networkmanager.facts,
        "netplan": netplan.facts,
        "ifupdown": ifupdown.facts,
    }
)
"""By name; each raises HostError where the host has no such thing."""

DEFAULT = "systemd"


def lasting_facts(manager: str, lasting: Lasting) -> list[Fact]:
    """The files that make a real server last.

    Raises:
        HostError: the host has not what was asked for; the words tell what it has.
    """
    try:
        return [*sysctl_file(lasting), *MANAGERS[manager](lasting)]
    except HostError as error:
        others = [name for name, make in MANAGERS.items() if name != manager and _works(make, lasting)]
        hint = f"--persist={' or --persist='.join(others)} would do" if others else "start it without --persist"
        raise HostError(error.reason, error.hint or hint) from None


def _works(make: Callable[[Lasting], list[Fact]], lasting: Lasting) -> bool:
    try:
        make(lasting)
    except HostError:
        return False
    return True


__all__ = ["DEFAULT", "MANAGERS", "Lasting", "lasting_facts"]
