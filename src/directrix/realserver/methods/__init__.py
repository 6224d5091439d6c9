"""The ways in which a host can be a real server: one a file, one registry.

A way turns a VIP, and where this host stands, into the facts that make the host a real server for
it. It changes nothing and asks nothing of the system beyond what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from directrix.realserver.methods import arptables, redirect, sysctl, tunnel
from directrix.realserver.task import Task
from directrix.system.facts.fact import Fact

METHODS: Mapping[str, Callable[[Task], list[Fact]]] = MappingProxyType(
    {
        "sysctl": sysctl.facts,
        "arptables": arptables.facts,
        "redirect": redirect.facts,
        "tunnel": tunnel.facts,
    }
)
"""By name; each raises HostError where the host can't be a real server in its way."""

DEFAULT = "sysctl"
TUNNEL = "tunnel"
