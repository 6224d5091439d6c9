"""What the director that runs on this host (`directrix run`) tells of itself, as checks see it.

It is asked by a function that is handed in, over the director's API: this room knows what is told, not how it is asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from directrix.lvs import Address

Ask = Callable[[str], Any]
"""What a director gives for a path of its API, as plain data; None if none runs here.

Raises `case.Unanswered` if one runs and does not answer.
"""


def nobody(path: str) -> Any:
    """No director runs here."""
    return None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An advert that was not heard: when (seconds since 1970), from whom, the counter's name, and why in words."""

    at: float
    source: str
    cause: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Router:
    """A virtual router of this host, as the director's API tells; see `vrrp.status.InstanceStatus`.

    Attributes:
        heard: how many adverts were admitted or resigned.
        rejected: how many were not, by cause.
    """

    name: str
    interface: str
    version: int
    family: int
    vrid: int
    state: str
    base_priority: int
    priority: int
    interval: float
    source: Address | None
    master: Address | None
    master_priority: int
    faults: tuple[str, ...]
    waiting: tuple[str, ...]
    addresses: tuple[Address, ...]
    heard: int
    rejected: Mapping[str, int]
    last_rejected: Rejected | None
    send_errors: int

    @property
    def holds(self) -> bool:
        """Whether the addresses are here: as master, or until the next one is heard."""
        return self.state in ("MASTER", "LEAVING")

    @property
    def called(self) -> str:
        """Its name, and what tells it from others on the wire."""
        return f"{self.name} (VRID {self.vrid} on {self.interface})"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody else's virtual router on one of our interfaces."""

    interface: str
    family: int
    vrid: int
    source: str


@dataclass(frozen=True, slots=True)
class Vrrp:
    """All that is told of VRRP at a time."""

    routers: tuple[Router, ...] = ()
    strangers: tuple[Stranger, ...] = ()

    def router_of(self, address: Address) -> Router | None:
        """The virtual router that an address goes with; None if it goes with none."""
        return next((router for router in self.routers if address in router.addresses), None)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The director itself.

    Attributes:
        pid: its process.
        configuration, config_id: the file, and what `@ID` in it is compared with; None for the host's name.
        ready: its table is live, and VRRP knows of each address whether it is here.
        reload_refused: why the last reload was; empty if it was not.
        astray: services that are not in the table as they shall be.
    """

    pid: int
    configuration: str
    config_id: str | None = None
    ready: bool = True
    reload_refused: str = ""
    astray: tuple[str, ...] = ()


def read_daemon(ask: Ask) -> Daemon | None:
    """The director of this host; None if none runs."""
    told = ask("/v1/status")
    if told is None:
        return None
    refused = told["reload_refused"] or ""
    return Daemon(told["pid"], told["configuration"], told["config_id"], told["ready"], refused, tuple(told["astray"]))


def read_vrrp(ask: Ask) -> Vrrp:
    """What is told of VRRP; nothing if no director runs."""
    told = ask("/v1/vrrp") or {"instances": (), "strangers": ()}
    return Vrrp(
        tuple(_router(one) for one in told["instances"]),
        tuple(
            Stranger(one["interface"], _version(one["family"]), one["vrid"], one["source"]) for one in told["strangers"]
        ),
    )


def _router(told: Mapping[str, Any]) -> Router:
    counted = told["statistics"]
    last = counted["last_rejected"]
    rejected = None if last is None else Rejected(last["at"], last["source"], last["cause"], last["explanation"])
    return Router(
        name=told["name"],
        interface=told["interface"],
        version=told["version"],
        family=_version(told["family"]),
        vrid=told["vrid"],
        state=told["state"],
        base_priority=told["base_priority"],
        priority=told["priority"],
        interval=told["interval"],
        source=_address(told["source"]),
        master=_address(told["master"]),
        master_priority=told["master_priority"],
        faults=tuple(told["faults"]),
        waiting=tuple(told["waiting"]),
        addresses=tuple(ipaddress.ip_interface(text).ip for text in told["addresses"]),
        heard=counted["advertisements_received"],
        rejected=dict(counted["rejected"]),
        last_rejected=rejected,
        send_errors=counted["send_errors"],
    )


def _version(family: str) -> int:
    return 6 if family == "inet6" else 4


def _address(text: str | None) -> Address | None:
    return None if text is None else ipaddress.ip_address(text)


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt of a check: when (seconds since 1970), what it found, and whether the server counts as up since."""

    at: float
    ok: bool
    made: bool
    up: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of a real server of a service, with its last results, oldest first."""

    service: str
    server: str
    name: str
    attempts: int
    failures: int
    history: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A virtual server.

    Attributes:
        quorum_up: it has enough real servers.
        checks: how many checks look after its real servers.
        calm: none of them fails, or has failed lately, or could not be made.
    """

    name: str
    quorum_up: bool
    checks: int
    calm: bool


def read_pools(ask: Ask) -> tuple[Pool, ...]:
    """Every virtual server; nothing if no director runs."""
    found = []
    for one in ask("/v1/services") or ():
        checks = [check for server in one["servers"] for check in server["checks"]]
        calm = all(check["up"] and all(check["recent"]) for check in checks if check["has_run"])
        found.append(Pool(one["name"], one["quorum_up"], len(checks), calm))
    return tuple(found)


def read_checks(ask: Ask, service: str) -> tuple[Checked, ...]:
    """Every check of a virtual server with its history; nothing if no director runs."""
    return tuple(
        Checked(
            one["service"],
            one["server"],
            one["name"],
            one["attempts"],
            one["failures"],
            tuple(Result(each["at"], each["ok"], each["made"], each["up"], each["detail"]) for each in one["history"]),
        )
        for one in ask(f"/v1/checks?service={quote(service)}") or ()
    )
