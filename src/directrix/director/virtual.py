"""A `virtual_server` as the director sees it: what it is in the table, and what stands there by what its pool says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight
from directrix.checks.pool_values import CheckerSettings, PoolSettings, ServerSettings
from directrix.checks.pool_values import SorryServer as PoolSorry
from directrix.director.plan import WantedService
from directrix.keepalived.values import Configuration, RealServer, SorryServer, VirtualServer
from directrix.lvs import ForwardingMethod, ServiceKey, VirtualService
from directrix.lvs import RealServer as Entry
from directrix.lvs.service import default_netmask

ServerName = tuple[str, ServerKey]
"""What names a real server: its virtual server, and its address and port as configured."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A service of which some real servers change: how they shall be, None for gone."""

    service: VirtualService
    servers: Mapping[ServerKey, Entry | None]


@dataclass(frozen=True, slots=True)
class Virtual:
    """A virtual server.

    Attributes:
        name: unique, and the same over reloads: `TCP 192.0.2.1:80`, `FWM 7`, `group web TCP`.
        settings: what the configuration says.
        keys: the services it is in the table: one, or one for each member of its group.
        real_servers: as configured, by address and port.
    """

    name: str
    settings: VirtualServer
    keys: tuple[ServiceKey, ...]
    real_servers: Mapping[ServerKey, RealServer]

    def is_called(self, name: str) -> bool:
        """Whether somebody means it by its name, or by that of one of its services."""
        return name == self.name or any(name == str(key) for key in self.keys)

    def everything(self) -> Iterator[WantedService]:
        """Its services with all that can ever stand in them, for a table to say whether it takes it."""
        for key in self.keys:
            yield WantedService(self.service(key), tuple(self._entries(key, self._all())), self.settings.budget)

    def with_sorry_server(self) -> Iterator[WantedService]:
        """Its services with the sorry server alone; none without one."""
        sorry = self.settings.sorry_server
        for key in self.keys if sorry is not None else ():
            yield WantedService(self.service(key), tuple(self._entries(key, [(sorry, 1)] if sorry else [])))

    def _all(self) -> list[tuple[RealServer | SorryServer, int]]:
        """A sorry server may be one of the real servers; then it takes that one's place while it is needed."""
        sorry = self.settings.sorry_server
        found: list[tuple[RealServer | SorryServer, int]] = [(one, one.weight) for one in self.settings.real_servers]
        if sorry is not None and sorry_key(sorry) not in self.real_servers:
            found.append((sorry, 1))
        return found

    def wanted(self, standing: Mapping[ServerKey, int], sorry_in: bool) -> tuple[WantedService, ...]:
        """Its services with what stands in the table by what its pool says (`Pool.table`, `Pool.sorry_in`)."""
        found: list[tuple[RealServer | SorryServer, int]] = []
        real_servers, sorry = self.real_servers, self.settings.sorry_server
        for key, weight in standing.items():
            is_sorry = sorry is not None and key == sorry_key(sorry) and (sorry_in or key not in real_servers)
            found.append((sorry, weight) if sorry is not None and is_sorry else (real_servers[key], weight))
        budget = self.settings.budget
        return tuple(WantedService(self.service(key), tuple(self._entries(key, found)), budget) for key in self.keys)

    def adjusted(self, actions: Iterable[Action]) -> list[Adjusted]:
        """What a pool's actions come to, in each of its services."""
        final: dict[ServerKey, tuple[int, bool] | None] = {}
        gone: dict[ServerKey, bool] = {}
        for action in actions:
            match action:
                case Add(server, weight, sorry) | SetWeight(server, weight, sorry):
                    final[server] = weight, sorry
                case Remove(server, sorry):
                    final[server], gone[server] = None, sorry
        return [self._adjusted(key, final, gone) for key in self.keys] if final else []

    def _adjusted(
        self, key: ServiceKey, final: Mapping[ServerKey, tuple[int, bool] | None], gone: Mapping[ServerKey, bool]
    ) -> Adjusted:
        found: dict[ServerKey, Entry | None] = {}
        for server, standing in final.items():
            weight, sorry = standing or (0, gone.get(server, False))
            [entry] = self._entries(key, [(self._configured(server, sorry), weight)])
            found[entry.key] = entry if standing is not None else None
        return Adjusted(self.service(key), found)

    def _configured(self, server: ServerKey, sorry: bool) -> RealServer | SorryServer:
        return self.settings.sorry_server if sorry and self.settings.sorry_server else self.real_servers[server]

    def places(self, server: ServerKey) -> Iterator[tuple[ServiceKey, ServerKey]]:
        """Where a real server stands in the table, if it does: in each of its services, with the port it has there."""
        configured = self.real_servers[server]
        for key in self.keys:
            yield key, (configured.address, port_in(configured, key))

    def service(self, key: ServiceKey) -> VirtualService:
        """One of its services."""
        settings = self.settings
        same_family = key.family is settings.family
        return VirtualService(
            key,
            settings.scheduler,
            settings.scheduler_flags,
            settings.persistence,
            settings.netmask if same_family else default_netmask(key.family),
            settings.one_packet,
            settings.engine,
        )

    def _entries(self, key: ServiceKey, servers: list[tuple[RealServer | SorryServer, int]]) -> Iterator[Entry]:
        for server, weight in servers:
            entry = Entry(server.address, port_in(server, key), server.method, weight, tunnel=server.tunnel)
            if isinstance(server, RealServer):
                entry = replace(entry, upper_threshold=server.upper_threshold, lower_threshold=server.lower_threshold)
            yield entry

    def pool_settings(self, checker_names: Mapping[ServerKey, tuple[CheckerSettings, ...]]) -> PoolSettings:
        """What its pool is told; `checker_names` are the checkers of each real server."""
        settings, sorry = self.settings, self.settings.sorry_server
        servers = tuple(
            ServerSettings(key, server.weight, server.inhibit_on_failure, checker_names[key], server.slow_start)
            for key, server in self.real_servers.items()
        )
        return PoolSettings(
            servers,
            settings.quorum,
            settings.hysteresis,
            None if sorry is None else PoolSorry(sorry_key(sorry), 1, sorry.inhibit),
            settings.omega,
        )


def port_in(server: RealServer | SorryServer, key: ServiceKey) -> int:
    """A server's port in a service: only NAT can change ports; with other methods packets keep the service's own."""
    return server.port if server.method is ForwardingMethod.MASQUERADE else key.port


def sorry_key(sorry: SorryServer) -> ServerKey:
    """What names the sorry server in its pool."""
    return sorry.address, sorry.port


def virtual_servers(configuration: Configuration) -> tuple[Virtual, ...]:
    """All virtual servers of a configuration."""
    found = []
    for settings in configuration.virtual_servers:
        keys = tuple(configuration.service_keys(settings))
        name = f"group {settings.group} {settings.protocol.name}" if settings.group else str(keys[0])
        real_servers = {(server.address, server.port): server for server in settings.real_servers}
        found.append(Virtual(name, settings, keys, real_servers))
    return tuple(found)
