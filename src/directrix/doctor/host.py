"""What the host we are on says of itself: addresses, routes, neighbours, sockets, rules.

Each is read when it is first asked for, and once: all checks see the same host.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from directrix.lvs import Address
from directrix.system import links, sysctl
from directrix.system.addresses import addresses
from directrix.system.commands import CommandFailed, run
from directrix.system.links import Link
from directrix.system.netfilter import listing
from directrix.system.netfilter.ruleset import Ruleset
from directrix.system.routes import route_to

_LISTENING = {"tcp": "0A", "udp": "07"}
_CONNECTING = {"01", "02"}
_INODE = re.compile(r"\bino:(\d+)")
_SOCKETS = Path("/proc/thread-self/net")


@dataclass(frozen=True, slots=True)
class Carried:
    """An address this host has, on one of its interfaces. `scope` is iproute2's word: global, link, host."""

    interface: str
    address: Address
    prefix: int
    scope: str = "global"

    def reaches(self, other: Address) -> bool:
        """Whether another address is in its network."""
        return other.version == self.address.version and other in ip_network(f"{self.address}/{self.prefix}", False)

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Way:
    """Where the routing table sends packets for an address. `gateway` is None if it is on the interface's wire."""

    interface: str
    gateway: Address | None = None
    source: Address | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """A route: a network, or `default`, and the interface it is reached by."""

    destination: str
    interface: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of the kernel's neighbour table; `mac` is empty while it is not known."""

    address: Address
    interface: str
    mac: str
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections or datagrams; the unspecified address stands for all of its family.

    An IPv6 socket for all addresses may take IPv4 too: `both` says that it is one.
    """

    protocol: str
    address: Address
    port: int
    inode: int = 0
    both: bool = False

    def takes(self, protocol: str, address: Address, port: int) -> bool:
        """Whether packets to this destination are its."""
        if (self.protocol, self.port) != (protocol, port):
            return False
        if self.address.is_unspecified:
            return self.address.version == address.version or self.both
        return self.address == address


class Host:
    """This host, in the network namespace of the caller."""

    @cached_property
    def carried(self) -> list[Carried]:
        """Every address it has.

        Raises:
            CommandFailed: `ip` is not there or failed.
        """
        return [
            Carried(own.interface, own.address.ip, own.address.network.prefixlen, own.scope or "global")
            for own in addresses()
        ]

    @cached_property
    def links(self) -> dict[str, Link]:
        """Its interfaces by name."""
        return {link.name: link for link in links.links()}

    @cached_property
    def routes(self) -> list[Destination]:
        """IPv4 routes that somebody made: not those that come with an address."""
        return [
            Destination(entry["dst"], entry["dev"])
            for entry in _json("ip", "-4", "-json", "route", "show")
            if "dev" in entry and entry.get("dev") != "lo" and entry.get("protocol") != "kernel"
        ]

    @cached_property
    def neighbours(self) -> list[Neighbour]:
        """The kernel's neighbour table, permanent entries included."""
        return [
            Neighbour(ip_address(entry["dst"]), entry["dev"], entry.get("lladdr", ""), tuple(entry.get("state", ())))
            for entry in _json("ip", "-json", "neighbour", "show")
            if "dst" in entry and "dev" in entry
        ]

    @cached_property
    def listeners(self) -> list[Listener]:
        """TCP and UDP sockets that wait for whoever comes."""
        found = []
        for protocol, state in _LISTENING.items():
            for family in ("", "6"):
                for fields in _sockets(protocol + family):
                    if fields[3] == state:
                        address, port = _endpoint(fields[1])
                        inode = int(fields[9])
                        both = bool(family) and address.is_unspecified
                        found.append(Listener(protocol, _unmapped(address), port, inode, both))
        alone = _for_ipv6_alone() if any(each.both for each in found) else set()
        return [replace(each, both=False) if each.inode in alone else each for each in found]

    @cached_property
    def connecting(self) -> set[tuple[Address, int]]:
        """Where TCP connections of this host itself go or try to go: address and port."""
        found = set()
        for family in ("", "6"):
            for fields in _sockets(f"tcp{family}"):
                if fields[3] in _CONNECTING:
                    address, port = _endpoint(fields[2])
                    found.add((_unmapped(address), port))
        return found

    @cached_property
    def ruleset(self) -> Ruleset | None:
        """The rules of netfilter; None if they can't be listed."""
        return listing.ruleset_here()

    def program_of(self, listener: Listener) -> str:
        """The name of a program that has this socket; empty if it can't be found out."""
        wanted = f"socket:[{listener.inode}]"
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if any(os.readlink(entry) == wanted for entry in (place / "fd").iterdir()):
                    return (place / "comm").read_text().strip()
        return ""

    def sysctl(self, key: str) -> str | None:
        """The value of a kernel parameter; None if there is no such parameter."""
        return sysctl.read(key)

    def number(self, key: str) -> int:
        """The same as a number, 0 if there is none."""
        value = self.sysctl(key)
        return int(value) if value and value.lstrip("-").isdigit() else 0

    def has(self, address: Address) -> list[Carried]:
        """Where it has an address."""
        return self._by_address.get(address, [])

    @cached_property
    def _by_address(self) -> dict[Address, list[Carried]]:
        found: dict[Address, list[Carried]] = {}
        for carried in self.carried:
            found.setdefault(carried.address, []).append(carried)
        return found

    def way_to(self, address: Address) -> Way | None:
        """The route to an address; None if there is none."""
        if address not in self._ways:
            self._ways[address] = _look_up(address)
        return self._ways[address]

    @cached_property
    def _ways(self) -> dict[Address, Way | None]:
        return {}

    def default_way(self, version: int) -> Way | None:
        """The default route of a family; None if there is none."""
        if version not in self._defaults:
            self._defaults[version] = _default(version)
        return self._defaults[version]

    @cached_property
    def _defaults(self) -> dict[int, Way | None]:
        return {}


def _default(version: int) -> Way | None:
    try:
        entries = _json("ip", f"-{version}", "-json", "route", "show", "default")
    except CommandFailed:
        return None
    for entry in sorted(entries, key=lambda entry: entry.get("metric", 0)):
        if "dev" in entry:
            gateway = entry.get("gateway")
            return Way(entry["dev"], ip_address(gateway) if gateway else None)
    return None


def _look_up(address: Address) -> Way | None:
    try:
        route = route_to(address)
        return Way(socket.if_indextoname(route.interface), route.gateway, route.source, route.local)
    except OSError:
        return None


def _json(*words: str) -> list[dict[str, Any]]:
    return [entry for entry in json.loads(run(words) or "[]") if entry]


def _sockets(name: str) -> Iterator[list[str]]:
    with suppress(FileNotFoundError):
        for line in (_SOCKETS / name).read_text().splitlines()[1:]:
            yield line.split()


def _for_ipv6_alone() -> set[int]:
    """The inodes of IPv6 sockets that don't take IPv4; only ss(8) tells."""
    try:
        listed = run(["ss", "-Hltune"])
    except CommandFailed:
        return set()
    return {int(told[1]) for line in listed.splitlines() if "v6only:1" in line and (told := _INODE.search(line))}


def _endpoint(text: str) -> tuple[Address, int]:
    """An endpoint as /proc/net writes it: words of 32 bits in the host's byte order (little-endian), port."""
    address, port = text.split(":")
    raw = bytes.fromhex(address)
    packed = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return ip_address(packed), int(port, 16)


_MAPPED = IPv6Network("::ffff:0:0/96")


def _unmapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address in _MAPPED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
