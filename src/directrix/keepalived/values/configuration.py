"""A whole configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from directrix.keepalived.values.addresses import InterfaceAddress
from directrix.keepalived.values.globals import GlobalDefinitions
from directrix.keepalived.values.instance import GarpGroup, SyncGroup, VrrpInstance
from directrix.keepalived.values.routes import Route, Rule
from directrix.keepalived.values.servers import VirtualServer, VirtualServerGroup
from directrix.keepalived.values.tracking import TrackFile, TrackGroup, TrackProcess, VrrpScript
from directrix.lvs import ServiceKey
from directrix.lvs.addresses import family_of


@dataclass(frozen=True, slots=True)
class InterfaceDelay:
    """Seconds until an interface's change counts for the instances on it (`interface_up_down_delays`)."""

    interface: str
    down: float
    up: float


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`SSL`: what SSL_GET shows and trusts: paths of files. Empty for none."""

    password: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything a keepalived.conf says. Names that refer to others are known to be there."""

    globals: GlobalDefinitions = field(default_factory=GlobalDefinitions)
    interface_delays: tuple[InterfaceDelay, ...] = ()
    track_groups: tuple[TrackGroup, ...] = ()
    static_addresses: tuple[InterfaceAddress, ...] = ()
    static_routes: tuple[Route, ...] = ()
    static_rules: tuple[Rule, ...] = ()
    garp_groups: tuple[GarpGroup, ...] = ()
    scripts: tuple[VrrpScript, ...] = ()
    track_processes: tuple[TrackProcess, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    sync_groups: tuple[SyncGroup, ...] = ()
    instances: tuple[VrrpInstance, ...] = ()
    tls: TlsSettings = TlsSettings()
    server_groups: tuple[VirtualServerGroup, ...] = ()
    virtual_servers: tuple[VirtualServer, ...] = ()

    def service_keys(self, server: VirtualServer) -> Iterator[ServiceKey]:
        """What a virtual server is in the table: one service, or one for each member of its group."""
        if server.fwmark:
            yield ServiceKey.mark(server.fwmark, server.family)
        elif server.address is not None:
            yield ServiceKey.of(server.protocol, server.address, server.port)
        else:
            for group in self.server_groups:
                if group.name == server.group:
                    for addresses in group.ranges:
                        for address in addresses:
                            yield ServiceKey(family_of(address), server.protocol, address, addresses.port)
                    for mark in group.marks:
                        yield ServiceKey.mark(mark.fwmark, mark.family or server.family)
