"""What a command line asks for."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.ipvsadm.vocabulary import BIT, Command
from directrix.lvs import (
    Address,
    Family,
    ForwardingMethod,
    Protocol,
    RealServer,
    SchedulerFlags,
    ServiceKey,
    Timeouts,
    Tunnel,
    TunnelFlags,
    TunnelType,
    VirtualService,
)
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.service import ALL_ONES_V4

DEFAULT_INTERFACE = "eth0"

_PLAIN_TUNNEL = Tunnel()
_NO_TIMEOUTS = Timeouts(0, 0, 0)


@dataclass(slots=True)
class Request:
    """A command line being read, and, once `parse` has returned it, one that may be carried out."""

    command: Command
    given: int = 0
    family: Family | None = None
    protocol: Protocol | None = None
    address: Address | None = None
    port: int = 0
    fwmark: int = 0
    scheduler: str = ""
    flag_words: str = ""
    flags: SchedulerFlags = SchedulerFlags.NONE
    persistence: int = 0
    netmask: int = ALL_ONES_V4
    one_packet: bool = False
    engine: str = ""
    server_address: Address | None = None
    server_port: int = 0
    method: ForwardingMethod = ForwardingMethod.DIRECT
    weight: int = 1
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel_type: TunnelType = TunnelType.IPIP
    tunnel_port: int = 0
    tunnel_flags: TunnelFlags = TunnelFlags.NOCSUM
    timeouts: Timeouts = _NO_TIMEOUTS
    role: DaemonRole | None = None
    interface: str = DEFAULT_INTERFACE
    sync_id: int = 0
    sync_length: int = 0
    group: Address | None = None
    group_port: int = 0
    ttl: int = 0

    def has(self, option: str) -> bool:
        """Whether an option was given, by its message name."""
        return bool(self.given & BIT[option])

    def key(self) -> ServiceKey:
        """The service the line names."""
        if self.fwmark:
            return ServiceKey.mark(self.fwmark, self.family or Family.INET)
        assert self.protocol is not None
        assert self.address is not None
        return ServiceKey.of(self.protocol, self.address, self.port)

    def service(self) -> VirtualService:
        """The service as the line defines it."""
        return VirtualService(
            self.key(), self.scheduler, self.flags, self.persistence, self.netmask, self.one_packet, self.engine
        )

    def server(self) -> RealServer:
        """The real server as the line defines it."""
        assert self.server_address is not None
        tunnel = Tunnel(self.tunnel_type, self.tunnel_port, self.tunnel_flags) if self.tunnel_type else _PLAIN_TUNNEL
        return RealServer(
            self.server_address,
            self.server_port,
            self.method,
            self.weight,
            self.upper_threshold,
            self.lower_threshold,
            tunnel,
        )

    def daemon(self) -> SyncDaemon:
        """The synchronisation daemon as the line defines it."""
        assert self.role is not None
        return SyncDaemon(
            self.role, self.interface, self.sync_id, self.sync_length, self.group, self.group_port, self.ttl
        )
