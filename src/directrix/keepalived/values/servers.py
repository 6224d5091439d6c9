"""Virtual servers, their groups, and real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from directrix.keepalived.values.checks import AnyCheck
from directrix.keepalived.values.scripts import Script
from directrix.lvs import Address, Family, ForwardingMethod, Protocol, SchedulerFlags, Tunnel
from directrix.lvs.budget import Budget
from directrix.lvs.service import ALL_ONES_V4


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses one after the other, `first` and `last` included, all with the same port."""

    first: Address
    last: Address
    port: int

    def __iter__(self) -> Iterator[Address]:
        """Each address, in order."""
        make = type(self.first)
        return (make(number) for number in range(int(self.first), int(self.last) + 1))

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1


@dataclass(frozen=True, slots=True)
class GroupMark:
    """A firewall mark in a group; the family is None for that of the real servers."""

    fwmark: int
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class VirtualServerGroup:
    """`virtual_server_group`: addresses, ranges and firewall marks served alike."""

    name: str
    ranges: tuple[AddressRange, ...] = ()
    marks: tuple[GroupMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """`drain`, directrix's own: a real server that is taken out or quiesced is drained first.

    Attributes:
        deadline: seconds it may take; None for as long as there are connections.
        expire: what is left then is ended; else it goes on until it ends by itself.
        udp_now: UDP flows go to other servers at once.
    """

    deadline: float | None = None
    expire: bool = False
    udp_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer:
    """`real_server`, with everything it takes over from its virtual server worked out.

    Attributes:
        address, port: its own; port 0 for the one the client asked for.
        weight: as long as no check says otherwise.
        method, tunnel: how packets get there.
        upper_threshold, lower_threshold: connections; 0 for none.
        inhibit_on_failure: a failure sets the weight to 0 and leaves the server in the table.
        notify_up, notify_down: scripts run as it comes and goes.
        smtp_alert: e-mail as it comes and goes.
        virtualhost: Host header of HTTP checks that name none; empty for the address.
        alpha, connect_timeout, retry, delay_before_retry, warmup, delay_loop: what its checks take over;
            None where each kind of check has its own.
        slow_start: seconds over which its weight grows as it comes or comes back; 0 for none.
        drain: how it is drained as it is taken out or quiesced; None for not at all.
        checks: all must succeed; without one it is always in service.
    """

    address: Address
    port: int = 0
    weight: int = 1
    method: ForwardingMethod = ForwardingMethod.MASQUERADE
    tunnel: Tunnel = field(default_factory=Tunnel)
    upper_threshold: int = 0
    lower_threshold: int = 0
    inhibit_on_failure: bool = False
    notify_up: Script | None = None
    notify_down: Script | None = None
    smtp_alert: bool = False
    virtualhost: str = ""
    alpha: bool = False
    connect_timeout: float = 5.0
    retry: int | None = None
    delay_before_retry: float | None = None
    warmup: float | None = None
    delay_loop: float = 60.0
    slow_start: float = 0.0
    drain: Drain | None = None
    checks: tuple[AnyCheck, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SorryServer:
    """`sorry_server`: takes over while the quorum is lost.

    Attributes:
        address, port: its own; port 0 for the one the client asked for.
        method, tunnel: how packets get there.
        inhibit: while the quorum is there it stays in the table with weight 0.
    """

    address: Address
    port: int = 0
    method: ForwardingMethod = ForwardingMethod.MASQUERADE
    tunnel: Tunnel = field(default_factory=Tunnel)
    inhibit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PassiveHealth:
    """`passive_health`, directrix's own: real servers are judged by their clients' handshakes, too.

    Attributes:
        out_below: part of its peers' share of completed connections below which a server is quiesced.
        back_above: part of it from which on a server that came back is well.
        sample: recent connections it takes to judge a server.
        most_out: part of the servers that may be out at a time.
        hold: seconds a server is out; each time in a row twice as long.
        hold_most: seconds it is out at most.
    """

    out_below: float = 0.5
    back_above: float = 0.8
    sample: int = 20
    most_out: float = 0.5
    hold: float = 60.0
    hold_most: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualServer:
    """`virtual_server`. One of `address`, `fwmark` and `group` says what it is for.

    Attributes:
        address, port: the VIP; port 0 for every port.
        fwmark: firewall mark; 0 for none.
        group: name of a `virtual_server_group`; empty for none.
        family: of addresses and mark; of a group with both kinds, that of its marks.
        protocol: counts for nothing with `fwmark`, and with the marks of a group.
        scheduler: name of the algorithm.
        scheduler_flags: the `-b` flags.
        method, tunnel: default for its real servers.
        persistence: persistence timeout in seconds; 0 for none.
        netmask: as in `lvs.VirtualService`: which clients count as one for persistence.
        engine: persistence engine; empty for none.
        one_packet: every UDP datagram is scheduled for itself.
        ha_suspend: checks rest while the VIP is not on this machine.
        alpha: real servers are out until first checked.
        omega: at the end, scripts are run as if the quorum and the servers were lost.
        quorum: sum of weights it takes to serve.
        hysteresis: weight above the quorum to gain it, and below to lose it.
        quorum_up, quorum_down: scripts run as the quorum comes and goes.
        smtp_alert: e-mail as the quorum comes and goes.
        virtualhost, connect_timeout, retry, delay_before_retry, warmup, delay_loop,
            inhibit_on_failure: defaults for its real servers.
        passive_health: None without.
        slow_start, drain: defaults for its real servers.
        budget: how many new connections may come; None for as many as there are.
        sorry_server: None without.
        real_servers: in the order written.
    """

    address: Address | None = None
    port: int = 0
    fwmark: int = 0
    group: str = ""
    family: Family = Family.INET
    protocol: Protocol = Protocol.UDP
    scheduler: str = "wlc"
    scheduler_flags: SchedulerFlags = SchedulerFlags.NONE
    method: ForwardingMethod = ForwardingMethod.MASQUERADE
    tunnel: Tunnel = field(default_factory=Tunnel)
    persistence: int = 0
    netmask: int = ALL_ONES_V4
    engine: str = ""
    one_packet: bool = False
    ha_suspend: bool = False
    alpha: bool = False
    omega: bool = False
    quorum: int = 1
    hysteresis: int = 0
    quorum_up: Script | None = None
    quorum_down: Script | None = None
    smtp_alert: bool = False
    virtualhost: str = ""
    connect_timeout: float = 5.0
    retry: int | None = None
    delay_before_retry: float | None = None
    warmup: float | None = None
    delay_loop: float = 60.0
    inhibit_on_failure: bool = False
    passive_health: PassiveHealth | None = None
    slow_start: float = 0.0
    drain: Drain | None = None
    budget: Budget | None = None
    sorry_server: SorryServer | None = None
    real_servers: tuple[RealServer, ...] = ()

    @property
    def what(self) -> str:
        """How people name it."""
        if self.group:
            return f"group {self.group}"
        if self.fwmark:
            return f"fwmark {self.fwmark}"
        return f"{self.address} {self.port}"
