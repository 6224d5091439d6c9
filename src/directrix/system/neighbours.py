"""Where the kernel would send a packet: routes and neighbours, as `ip` tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from directrix.system.commands import CommandFailed, run

_VALID = frozenset({"PERMANENT", "NOARP", "REACHABLE", "PROBE", "STALE", "DELAY"})
"""States in which the kernel uses the address it has."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """The way to an address.

    Attributes:
        interface: the device.
        gateway: address of the router there, empty if the address itself is on the link.
        mac: MAC of the next hop, empty if it is not known.
        state: the kernel's word on that: `REACHABLE`, `STALE`, `FAILED` …; empty if it never asked.
    """

    interface: str
    gateway: str = ""
    mac: str = ""
    state: str = ""

    @property
    def resolved(self) -> bool:
        """Whether the kernel would use this MAC."""
        return bool(self.mac) and self.state in _VALID


def next_hop(address: str) -> NextHop | None:
    """How this host reaches an address; None if there is no route, or it is its own address."""
    try:
        [route] = json.loads(run(["ip", "-json", "route", "get", address]) or "[]")[:1]
    except (CommandFailed, ValueError):
        return None
    if route.get("type", "unicast") != "unicast" or "dev" not in route:
        return None
    gateway = route.get("gateway") or route.get("via", {}).get("host", "")
    words = ["ip", "-json", "neigh", "show", gateway or address, "dev", route["dev"]]
    try:
        found = json.loads(run(words) or "[]")
    except CommandFailed:
        found = []
    known = found[0] if found else {}
    return NextHop(route["dev"], gateway, known.get("lladdr", ""), ",".join(known.get("state", [])))
