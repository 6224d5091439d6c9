"""The addresses of this host, and the interfaces its default routes go by, as `ip` tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from directrix.system.commands import run


@dataclass(frozen=True, slots=True)
class AddressHere:
    """An address of an interface.

    Attributes:
        interface: the name of the interface.
        address: with its prefix.
        scope: `global`, `link` or `host`.
    """

    interface: str
    address: IPv4Interface | IPv6Interface
    scope: str


def addresses() -> list[AddressHere]:
    """All addresses of this network namespace, in the kernel's order.

    Raises:
        CommandFailed: `ip` is not there or failed.
    """
    return [
        AddressHere(entry["ifname"], ip_interface(f"{info['local']}/{info['prefixlen']}"), info.get("scope", ""))
        for entry in json.loads(run(["ip", "-json", "address", "show"]) or "[]")
        if "ifname" in entry
        for info in entry.get("addr_info", ())
        if "local" in info
    ]


def default_interfaces(version: int) -> list[str]:
    """The interfaces by which the default routes of IP version 4 or 6 go, the preferred one first.

    Raises:
        CommandFailed: `ip` is not there or failed.
    """
    routes = json.loads(run(["ip", "-json", f"-{version}", "route", "show", "default"]) or "[]")
    routes.sort(key=lambda route: route.get("metric", 0))
    found = []
    for route in routes:
        hops = [route, *route.get("nexthops", ())]
        found += [hop["dev"] for hop in hops if "dev" in hop]
    return list(dict.fromkeys(found))
