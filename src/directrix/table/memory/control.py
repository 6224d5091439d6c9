"""The control half of the memory table: what ipvsadm and its like do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from directrix.lvs import (
    Address,
    Counters,
    MarkMatch,
    MarkRule,
    Rates,
    RealServer,
    ServiceKey,
    ServiceState,
    Timeouts,
    VirtualService,
)
from directrix.lvs.budget import Budget, BudgetState
from directrix.lvs.errors import InvalidRequest, NoSuchService, ServerExists, ServiceExists
from directrix.lvs.sysctls import DEFAULTS, SysctlValue
from directrix.lvs.sysctls import check as check_sysctls
from directrix.table.interface import HandshakesByServer, Table, check_address, check_netmask, check_server
from directrix.table.marks import MarkRules
from directrix.table.memory.budgets import Spending
from directrix.table.memory.destination import Destination
from directrix.table.memory.service import Service, check_names
from directrix.table.memory.statistics import Statistics
from directrix.table.memory.trash import Trash


class Control(Table):
    """Services and real servers, with IPVS's order of checks and its error numbers."""

    def __init__(self) -> None:
        self._now = 0.0
        self._services: dict[ServiceKey, Service] = {}
        self._trash = Trash()
        self._totals = Statistics()
        self._timeouts = Timeouts()
        self._sysctls = dict(DEFAULTS)
        self._marks = MarkRules()
        self._budgets: dict[ServiceKey, Spending] = {}

    def services(self) -> list[ServiceState]:
        return [service.state() for service in self._services.values()]

    def service(self, key: ServiceKey) -> ServiceState:
        return self._find(key).state()

    def _find(self, key: ServiceKey) -> Service:
        try:
            return self._services[key]
        except KeyError:
            raise NoSuchService(key) from None

    def add_service(self, service: VirtualService) -> None:
        if service.key in self._services:
            raise ServiceExists(service.key)
        check_names(service)
        check_netmask(service)
        self._services[service.key] = Service(service)

    def edit_service(self, service: VirtualService) -> None:
        found = self._find(service.key)
        check_names(service)
        check_netmask(service)
        found.define(service)

    def delete_service(self, key: ServiceKey) -> None:
        service = self._find(key)
        for destination in tuple(service.destinations):
            self._discard(service, destination)
        del self._services[key]
        self._budgets.pop(key, None)

    def flush(self) -> None:
        for key in tuple(self._services):
            self.delete_service(key)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        service = self._find(key)
        check_server(key, server)
        if service.has(server.address, server.port):
            raise ServerExists(f"{server.address} port {server.port}")
        check_address(server.address)
        returned = self._trash.take(service, server.address, server.port)
        if returned is None:
            service.add(Destination(server))
        else:
            returned.define(server)
            service.add(returned)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        service = self._find(key)
        check_server(key, server)
        service.edit(service.find(server.address, server.port), server)

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        service = self._find(key)
        self._discard(service, service.find(address, port))

    def _discard(self, service: Service, destination: Destination) -> None:
        service.remove(destination)
        self._trash.put(service, destination, self._now)

    def zero(self, key: ServiceKey | None = None) -> None:
        if key is not None:
            self._find(key).zero()
            return
        self._totals.zero()
        for service in self._services.values():
            service.zero()

    def totals(self) -> tuple[Counters, Rates]:
        return self._totals.counters, self._totals.rates

    def handshakes(self) -> HandshakesByServer:
        return {
            key: {d.server.key: d.handshakes.value() for d in service.destinations}
            for key, service in self._services.items()
        }

    def budgets(self) -> dict[ServiceKey, BudgetState]:
        return {key: self._budgets[key].state(self._now) for key in self._services if key in self._budgets}

    def vet_budget(self, budget: Budget) -> None:
        budget.check()

    def set_budget(self, key: ServiceKey, budget: Budget | None) -> None:
        self._find(key)
        if budget is None:
            self._budgets.pop(key, None)
        else:
            budget.check()
            self._budgets[key] = Spending(budget)

    def set_budgets(self, budgets: Mapping[ServiceKey, Budget]) -> None:
        for key, budget in budgets.items():
            self._find(key)
            budget.check()
        self._budgets = {key: Spending(budget) for key, budget in budgets.items()}

    def sysctls(self) -> dict[str, SysctlValue]:
        return dict(self._sysctls)

    def set_sysctls(self, values: Mapping[str, SysctlValue]) -> None:
        check_sysctls(values)
        self._sysctls.update(values)

    def timeouts(self) -> Timeouts:
        return self._timeouts

    def set_timeouts(self, timeouts: Timeouts) -> None:
        if min(timeouts.tcp, timeouts.tcp_fin, timeouts.udp) < 0:
            raise InvalidRequest("a timeout can't be negative")
        self._timeouts = Timeouts(
            timeouts.tcp or self._timeouts.tcp,
            timeouts.tcp_fin or self._timeouts.tcp_fin,
            timeouts.udp or self._timeouts.udp,
        )

    def marks(self) -> list[MarkRule]:
        return list(self._marks)

    def add_mark(self, rule: MarkRule) -> None:
        self._marks.add(rule)

    def remove_mark(self, match: MarkMatch, mark: int | None = None) -> None:
        self._marks.remove(match, mark)

    def set_marks(self, rules: Sequence[MarkRule]) -> None:
        self._marks = MarkRules(rules)

    @property
    def size(self) -> int:
        return 4096
