"""A plan: what has to change in a table so that it holds what is wanted, and nothing else.

A plan is made by comparing, shown to people and programs, and carried out. What is the same is left alone, so its
connections, counters and the scheduler's position stay as they are. Within a service real servers come before others
go: it is never without one in between. The order of real servers in a service is the table's and no reason to change
anything; those that are added come in the order wanted.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from directrix.director.budgeting import BudgetChange, ByService, budget_changes, words
from directrix.lvs import ForwardingMethod, RealServer, ServiceKey, ServiceState, TableError, VirtualService, endpoint
from directrix.lvs.budget import Budget
from directrix.lvs.flags import flag_names
from directrix.lvs.objects import (
    budget_object,
    key_object,
    netmask_object,
    server_object,
    service_object,
    tunnel_object,
)
from directrix.lvs.service import default_netmask
from directrix.table.interface import Table


@dataclass(frozen=True, slots=True)
class WantedService:
    """A service as it shall be, with its real servers in the order in which they are to be added.

    `budget`: of new connections; None if nobody says.
    """

    service: VirtualService
    servers: tuple[RealServer, ...] = ()
    budget: Budget | None = None


class Kind(enum.StrEnum):
    """What becomes of a service or of a real server."""

    ADD = "add"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A change of a service itself. `before` is None if it is new, `after` if it goes."""

    before: VirtualService | None
    after: VirtualService | None

    @property
    def key(self) -> ServiceKey:
        """The service it is about."""
        service = self.after or self.before
        assert service is not None
        return service.key


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A change of a real server of the service `key`; `before` and `after` as of a service.

    `drained`: it goes when a director has drained it.
    """

    key: ServiceKey
    before: RealServer | None
    after: RealServer | None
    drained: bool = False

    @property
    def server(self) -> RealServer:
        """The real server as it shall be, or was."""
        server = self.after or self.before
        assert server is not None
        return server


Change = ServiceChange | ServerChange | BudgetChange


def kind(change: Change) -> Kind:
    """What becomes of its object."""
    if change.before is None:
        return Kind.ADD
    return Kind.DELETE if change.after is None else Kind.EDIT


class WantedTwice(ValueError):
    """What is wanted contradicts itself: the same service, or the same real server of a service, twice."""


def make_plan(
    present: Iterable[ServiceState],
    wanted: Sequence[WantedService],
    ours: Callable[[ServiceKey], bool] = lambda key: True,
    budgets: ByService | None = None,
    own_budgets: ByService | None = None,
) -> tuple[Change, ...]:
    """The changes, in the order in which they are to be carried out.

    Args:
        present: what the table holds, as `Table.services` gives it.
        wanted: what it shall hold.
        ours: whether a service that isn't wanted may be deleted; one that may not is somebody else's and left alone.
        budgets: those in the table.
        own_budgets: those that a configuration has given before.

    Raises:
        WantedTwice: a service, or a real server in a service, is wanted twice.
    """
    _check_unique(wanted)
    there = {state.service.key: state for state in present}
    changes: list[Change] = []
    for want in wanted:
        state = there.pop(want.service.key, None)
        if state is None or state.service != want.service:
            changes.append(ServiceChange(state.service if state else None, want.service))
        changes += _of_servers(want, state)
    changes += [ServiceChange(state.service, None) for key, state in there.items() if ours(key)]
    changes += budget_changes(budgets or {}, {want.service.key: want.budget for want in wanted}, own_budgets or {})
    return tuple(changes)


def _of_servers(want: WantedService, state: ServiceState | None) -> list[ServerChange]:
    key = want.service.key
    there = {one.server.key: one.server for one in state.servers} if state else {}
    coming = [(there.pop(server.key, None), server) for server in want.servers]
    staying = [ServerChange(key, before, after) for before, after in coming if before != after]
    return staying + [ServerChange(key, server, None) for server in there.values()]


def _check_unique(wanted: Sequence[WantedService]) -> None:
    seen: set[ServiceKey] = set()
    for want in wanted:
        if want.service.key in seen:
            raise WantedTwice(f"the service {want.service.key} is wanted twice")
        seen.add(want.service.key)
        servers = set()
        for server in want.servers:
            if server.key in servers:
                raise WantedTwice(f"{want.service.key}: the real server {endpoint(*server.key)} is wanted twice")
            servers.add(server.key)


def carry_out(table: Table, changes: Sequence[Change]) -> None:
    """Make the changes; what the table would refuse for its kind is found before anything is touched.

    Raises:
        TableError: the table refuses one. If it is one that could not be foreseen, those before it are made.
    """
    for change in changes:
        if isinstance(change, ServiceChange) and change.after:
            table.vet_service(change.after)
        elif isinstance(change, ServerChange) and change.after:
            table.vet_server(change.key, change.after)
    table.begin()
    try:
        for change in changes:
            if not isinstance(change, BudgetChange):
                _carry_out_one(table, change)
    except TableError:
        table.commit()
        raise
    table.commit()
    for change in changes:
        if isinstance(change, BudgetChange):
            table.set_budget(change.key, change.after)


def _carry_out_one(table: Table, change: ServiceChange | ServerChange) -> None:
    match change:
        case ServiceChange(None, VirtualService() as after):
            table.add_service(after)
        case ServiceChange(_, VirtualService() as after):
            table.edit_service(after)
        case ServiceChange():
            table.delete_service(change.key)
        case ServerChange(key, None, RealServer() as after):
            table.add_server(key, after)
        case ServerChange(key, _, RealServer() as after):
            table.edit_server(key, after)
        case ServerChange(key, RealServer() as before, None):
            table.delete_server(key, *before.key)


_SIGNS = {Kind.ADD: "+", Kind.DELETE: "-", Kind.EDIT: "~"}


def as_text(changes: Sequence[Change]) -> str:
    """A diff for people: `+` comes, `-` goes, `~` is edited; a service that stays heads the changes of its servers."""
    lines: list[str] = []
    headed: ServiceKey | None = None
    for change in changes:
        sign = _SIGNS[kind(change)]
        if isinstance(change, ServiceChange):
            headed = change.key
            lines.append(f"{sign} {headed} {_edited(change)}")
            continue
        if headed != change.key:
            headed = change.key
            lines.append(f"  {headed}")
        if isinstance(change, BudgetChange):
            lines.append(f"{sign}   budget {_budget_edited(change)}")
            continue
        drained = ", after it was drained" if change.drained else ""
        lines.append(f"{sign}   {endpoint(*change.server.key)} {_edited(change)}{drained}")
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _budget_edited(change: BudgetChange) -> str:
    before, after = ("" if budget is None else words(budget) for budget in (change.before, change.after))
    by_hand = " (set by hand)" if change.by_hand else ""
    return f"{before}{by_hand} -> {after}" if before and after else before or after


def _edited(change: ServiceChange | ServerChange) -> str:
    before, after = _words(change.before), _words(change.after)
    if not before or not after:
        return " ".join((before or after).values())
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(f"{before.get(name, f'no {name}')} -> {after.get(name, f'no {name}')}" for name in names)


def _words(value: VirtualService | RealServer | None) -> dict[str, str]:
    """What a person wants to read of a value, by name; what is at its default is left out."""
    match value:
        case VirtualService():
            return _service_words(value)
        case RealServer():
            return _server_words(value)
        case None:
            return {}


def _service_words(service: VirtualService) -> dict[str, str]:
    words = {"scheduler": service.scheduler}
    if service.scheduler_flags:
        words["flags"] = "flags " + ",".join(flag_names(service))
    if service.persistence:
        words["persistence"] = f"persistent {service.persistence}"
    if service.netmask != default_netmask(service.key.family):
        words["mask"] = f"mask {netmask_object(service)}"
    if service.engine:
        words["engine"] = f"engine {service.engine}"
    if service.one_packet:
        words["one-packet"] = "one-packet"
    return words


def _server_words(server: RealServer) -> dict[str, str]:
    words = {"method": server.method.name.lower(), "weight": f"weight {server.weight}"}
    if server.method is ForwardingMethod.TUNNEL:
        words["tunnel"] = " ".join(f"{name} {value}" for name, value in tunnel_object(server.tunnel).items())
    if server.upper_threshold:
        words["upper threshold"] = f"upper threshold {server.upper_threshold}"
    if server.lower_threshold:
        words["lower threshold"] = f"lower threshold {server.lower_threshold}"
    return words


def as_objects(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The same for programs: what becomes of which object, and its values before and after."""
    return [
        {
            "change": kind(change).value,
            "object": _OBJECTS[type(change)],
            "service": key_object(change.key),
            "before": _object(change.before),
            "after": _object(change.after),
            **({"drained": change.drained} if isinstance(change, ServerChange) else {}),
            **({"by_hand": change.by_hand} if isinstance(change, BudgetChange) else {}),
        }
        for change in changes
    ]


_OBJECTS = {ServiceChange: "service", ServerChange: "server", BudgetChange: "budget"}


def _object(value: VirtualService | RealServer | Budget | None) -> dict[str, Any] | None:
    match value:
        case Budget():
            return budget_object(value)
        case VirtualService():
            return service_object(value)
        case RealServer():
            return server_object(value)
        case None:
            return None
