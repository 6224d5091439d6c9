"""A real server that a running director looks after, as `directrix drain` and its like take it in hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from directrix.director import client
from directrix.draining.course import Progress, Seen, Stage
from directrix.draining.leaving import LOOK_SECONDS
from directrix.draining.telling import from_object
from directrix.lvs import Address, ServiceKey
from directrix.lvs.addresses import endpoint
from directrix.lvs.durations import write_duration


@dataclass(frozen=True, slots=True)
class Enabled:
    """The weight of a real server by configuration and checks.

    Attributes:
        weight: what it has.
        grows_to: what it grows to, by `slow_start`; None if it doesn't.
        over: seconds that it grows.
    """

    weight: int
    grows_to: int | None = None
    over: float = 0.0

    @property
    def in_words(self) -> str:
        """What becomes of its weight."""
        if self.grows_to is None:
            return f"has weight {self.weight} again"
        return f"grows to weight {self.grows_to} over {write_duration(self.over)}"


def _enabled(found: dict[str, Any]) -> Enabled:
    # a director of an earlier version tells nothing of growing
    growing = found.get("growing")
    return Enabled(found["weight"], growing["target"], growing["seconds"]) if growing else Enabled(found["weight"])


@dataclass(frozen=True, slots=True)
class Remote:
    """A real server by the names the director has for it: of its virtual server, and its own."""

    service: str
    server: str

    def __str__(self) -> str:
        return f"{self.service} -> {self.server}"

    def drain(self, deadline: float | None, *, expire: bool, udp_now: bool) -> bool:
        """Have it drained; by the configuration's `drain`, if there is one, where nothing is asked for.

        Answers whether the configuration has it no more, so that it goes when that is over.

        Raises:
            Refused: it can't be, and nothing has changed.
            NoDirector: the director doesn't answer.
        """
        asked: dict[str, object] = {} if deadline is None else {"seconds": deadline}
        if expire:
            asked["then"] = "expire"
        if udp_now:
            asked["udp_now"] = True
        ordered = self._order("drain", **asked).get("order")
        return bool(ordered and ordered.get("leaves"))

    def watch(
        self, tell: Callable[[Progress], None], sleep: Callable[[float], None], *, leaves: bool = False
    ) -> tuple[Progress, int]:
        """Ask again and again until the drain is over; answers how it ended, and how many connections were ended.

        Args:
            tell: is told of each look.
            sleep: waits so many seconds.
            leaves: as `drain` answers: one that leaves may be gone before the first look.

        Raises:
            NoDirector: the director doesn't answer any more; the drain goes on when it is back.
        """
        while True:
            found = self.look()
            progress, expired = _progress(found)
            if progress is not None and leaves and not found:
                # the configuration has it no more, and it was there only to be drained
                progress = replace(progress, stage=Stage.DRAINED)
            leaves = bool(found and found["order"] and found["order"].get("leaves"))
            if progress is not None:
                tell(progress)
                if progress.stage is not Stage.GOING:
                    return progress, expired
            sleep(LOOK_SECONDS)

    def admit(self, over: float, weight: int | None) -> None:
        """Have its weight grow over so many seconds, to this one or to what configuration and checks say.

        Raises:
            Refused, NoDirector: as `drain`.
        """
        self._order("admit", over=over, weight=weight)

    def enable(self) -> Enabled:
        """Let configuration and checks decide again; answers the weight it has by that.

        Raises:
            Refused, NoDirector: as `drain`.
        """
        return _enabled(self._order("enable"))

    def quiesce(self) -> None:
        """Give it no new connections.

        Raises:
            Refused, NoDirector: as `drain`.
        """
        self._order("quiesce")

    def look(self) -> dict[str, Any]:
        """How it stands: `weight`, `held_weight`, `growing`, `order`; nothing if it is not there any more.

        Raises:
            NoDirector: the director doesn't answer.
        """
        try:
            found: dict[str, Any] = client.ask(f"/v1/servers?{urlencode(self._names)}")
        except client.Refused:
            return {}
        return found

    @property
    def _names(self) -> dict[str, str]:
        return {"service": self.service, "server": self.server}

    def _order(self, what: str, **more: object) -> dict[str, Any]:
        said: dict[str, Any] = client.order(f"/v1/servers/{what}", {**self._names, **more})
        return said


def find(key: ServiceKey, address: Address, port: int, make: str) -> Remote | None:
    """The real server of that name in the table, if a director looks after it; None if nobody does.

    Args:
        key: the service in the table.
        address: of the real server in the table.
        port: of the real server in the table.
        make: of the table that is meant.

    Raises:
        Refused: a director looks after the service, and has no such real server in it; says what it is instead.
        NoDirector: there is a director, and it doesn't answer.
    """
    try:
        if client.ask("/v1/status")["table"] != make:
            return None
        found = client.ask(f"/v1/servers?{urlencode({'service': str(key), 'server': endpoint(address, port)})}")
    except client.NotRunning:
        return None
    except client.Refused:
        if client.ask(f"/v1/services?{urlencode({'service': str(key)})}"):
            raise  # the service is the director's: nothing is done to it behind its back
        return None
    return Remote(found["service"], found["server"])


def has_budget(key: ServiceKey, make: str) -> bool:
    """Whether the configuration of a running director gives a service of the table a budget.

    Raises:
        NoDirector: there is a director, and it doesn't answer.
    """
    try:
        if client.ask("/v1/status")["table"] != make:
            return False
        services = client.ask(f"/v1/services?{urlencode({'service': str(key)})}")
    except (client.NotRunning, client.Refused):
        return False
    # a director of an earlier version tells nothing of budgets
    return any(service.get("budget") or service.get("source_budget") for service in services)


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a real server. `recent`: its last results, the newest last; None for one that could not be made."""

    name: str
    up: bool
    detail: str
    recent: tuple[bool | None, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a director knows of a real server in one service of the table.

    Attributes:
        remote: it.
        alive: no check of its fails.
        quiesced: it is kept from new connections, by the operator or for another reason.
        ordered: what the operator has ordered: `weight`, `drain`, `admit`, or nothing.
        checks: in the order of the configuration.
        leaving: the configuration has it no more, and it goes when it is drained.
        growing: its weight grows to this one; None if it doesn't.
    """

    remote: Remote
    alive: bool
    quiesced: bool
    ordered: str
    checks: tuple[Check, ...]
    leaving: bool = False
    growing: int | None = None

    @property
    def failing(self) -> Check | None:
        """The first check that fails."""
        return next((check for check in self.checks if not check.up), None)


def checked(make: str) -> dict[tuple[str, str], Checked]:
    """What the director of this network namespace knows of its real servers; nothing if there is none over this make.

    The names are those of service and real server in the table, as listings write them.

    Raises:
        NoDirector: there is one, and it doesn't answer.
    """
    try:
        if client.ask("/v1/status")["table"] != make:
            return {}
        services = client.ask("/v1/services")
    except (client.NotRunning, client.Refused):
        return {}
    return {
        (key, place): _checked(service, server)
        for service in services
        for server in service["servers"]
        for key, place in zip(service["keys"], server["places"], strict=True)
    }


def _checked(service: dict[str, Any], server: dict[str, Any]) -> Checked:
    checks = tuple(
        Check(one["name"], one["up"], one["last"]["detail"] if one["last"] else "", tuple(one["recent"]))
        for one in server["checks"]
    )
    ordered = server["order"]["kind"] if server["order"] else ""
    # a director of an earlier version tells neither of growing nor of leaving
    growing = server["growing"]["target"] if server.get("growing") else None
    remote = Remote(service["name"], server["server"])
    return Checked(remote, server["alive"], server["quiesced"], ordered, checks, server.get("leaving", False), growing)


def _progress(found: dict[str, Any]) -> tuple[Progress | None, int]:
    """How a drain stands; None while it has not been looked at yet."""
    if not found:
        return Progress(Stage.REMOVED, 0.0, Seen(0, 0, {}, 0, None), None, None), 0
    order = found["order"]
    if order is None or order["kind"] != "drain":
        return Progress(Stage.REWEIGHTED, 0.0, Seen(0, 0, {}, 0, found["weight"]), None, None), 0
    if order["progress"] is not None and bool(order["ended"]) == (order["progress"]["stage"] != Stage.GOING.value):
        return from_object(order["progress"]), order["expired"]
    if order["ended"]:
        left = Seen(0, order["left"], {}, 0, 0)
        return Progress(Stage(order["ended"]), order["elapsed"], left, None, None), order["expired"]
    return None, 0
