"""Rehearsing changes: what services and real servers there would be, with nothing touched.

A rehearsal refuses what IPVS would refuse of a table with this content, in the same order of checks. It knows
no connections, counters or schedulers, so it can also say how to get from one content to another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from directrix.lvs import Address, RealServer, ServiceKey, ServiceState, VirtualService
from directrix.lvs.errors import NoSuchServer, NoSuchService, ServerExists, ServiceExists
from directrix.table.interface import Table, check_address, check_netmask, check_server
from directrix.table.memory.service import check_names

ServerKey = tuple[Address, int]


@dataclass(slots=True)
class _Content:
    """A service with its real servers, oldest first."""

    service: VirtualService
    servers: dict[ServerKey, RealServer] = field(default_factory=dict)


class Rehearsal:
    """The content a table would have. Its methods are those of a Table, and refuse as one does."""

    def __init__(self, states: Iterable[ServiceState]) -> None:
        """Start from what `Table.services` gave."""
        self._services = {
            state.service.key: _Content(state.service, {one.server.key: one.server for one in reversed(state.servers)})
            for state in states
        }

    def _find(self, key: ServiceKey) -> _Content:
        if key not in self._services:
            raise NoSuchService(key)
        return self._services[key]

    def add_service(self, service: VirtualService) -> None:
        """As Table.add_service."""
        if service.key in self._services:
            raise ServiceExists(service.key)
        check_names(service)
        check_netmask(service)
        self._services[service.key] = _Content(service)

    def edit_service(self, service: VirtualService) -> None:
        """As Table.edit_service."""
        found = self._find(service.key)
        check_names(service)
        check_netmask(service)
        found.service = service

    def delete_service(self, key: ServiceKey) -> None:
        """As Table.delete_service."""
        self._find(key)
        del self._services[key]

    def flush(self) -> None:
        """As Table.flush."""
        self._services.clear()

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        """As Table.add_server."""
        found = self._find(key)
        check_server(key, server)
        if server.key in found.servers:
            raise ServerExists(f"{server.address} port {server.port}")
        check_address(server.address)
        found.servers[server.key] = server

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        """As Table.edit_server."""
        found = self._find(key)
        check_server(key, server)
        if server.key not in found.servers:
            raise NoSuchServer(f"{server.address} port {server.port}")
        found.servers[server.key] = server

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        """As Table.delete_server."""
        if self._find(key).servers.pop((address, port), None) is None:
            raise NoSuchServer(f"{address} port {port}")

    def bring_back(self, table: Table, before: Rehearsal) -> None:
        """Give a table that has the content of this rehearsal the content it had before.

        Order of real servers included. What was removed and comes back has its connections, and may have lost its
        counters.

        Raises:
            TableError: the table refuses.
        """
        for key in self._services.keys() - before._services.keys():
            table.delete_service(key)
        for key, was in before._services.items():
            now = self._services.get(key)
            if now is None:
                table.add_service(was.service)
                now = _Content(was.service)
            elif now.service != was.service:
                table.edit_service(was.service)
            _bring_servers_back(table, key, now.servers, was.servers)


def _bring_servers_back(
    table: Table, key: ServiceKey, now: dict[ServerKey, RealServer], was: dict[ServerKey, RealServer]
) -> None:
    """Real servers in the order in which they were added: those up to the first that differs can stay."""
    staying = 0
    for left, right in zip(now, was, strict=False):
        if left != right:
            break
        staying += 1
    for address, port in list(now)[staying:]:
        table.delete_server(key, address, port)
    for position, (identity, server) in enumerate(was.items()):
        if position >= staying:
            table.add_server(key, server)
        elif now[identity] != server:
            table.edit_server(key, server)
