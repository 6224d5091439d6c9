"""The one way to the virtual server table.

Whatever writes to a table (the ipvsadm command, the director, the web page) speaks this
interface; each make of the table (`memory`, `xdp`) implements it. The rules and error numbers
are IPVS's, so that a caller need not know which make it holds.
"""

from __future__ import annotations

import abc
import errno
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address

from directrix.lvs import (
    Address,
    Connection,
    Counters,
    Family,
    ForwardingMethod,
    MarkMatch,
    MarkRule,
    Protocol,
    Rates,
    RealServer,
    ServiceKey,
    ServiceState,
    Timeouts,
    TunnelType,
    VirtualService,
)
from directrix.lvs.budget import Budget, BudgetState
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.errors import InvalidRequest, NotSupportedYet, UnknownToIpvs
from directrix.lvs.flood import Flood
from directrix.lvs.handshakes import Handshakes
from directrix.lvs.sysctls import INERT, SysctlValue

HandshakesByServer = Mapping[ServiceKey, Mapping[tuple[Address, int], Handshakes]]
"""Handshakes of clients, by service and by address and port of the real server."""


class Table(abc.ABC):
    """A virtual server table. Every refusal is a TableError and leaves the table as it was."""

    @abc.abstractmethod
    def services(self) -> list[ServiceState]:
        """All services with their servers and counts; order is the table's own, servers newest first."""

    def each_service(self) -> Iterator[ServiceState]:
        """The same, one after another, each as it is when its turn comes: for who can't wait for all of them."""
        return iter(self.services())

    @abc.abstractmethod
    def service(self, key: ServiceKey) -> ServiceState:
        """One service.

        Raises:
            NoSuchService: there is none with this key.
        """

    @abc.abstractmethod
    def add_service(self, service: VirtualService) -> None:
        """Add a service without real servers.

        Raises:
            ServiceExists: the key is taken.
            NoSuchScheduler: scheduler or persistence engine unknown.
            InvalidRequest: IPv6 netmask out of range.
        """

    @abc.abstractmethod
    def edit_service(self, service: VirtualService) -> None:
        """Replace everything of a service but its key and its servers.

        Another scheduler starts afresh; the same one keeps its position (IPVS).

        Raises:
            NoSuchService, NoSuchScheduler: as IPVS.
        """

    @abc.abstractmethod
    def delete_service(self, key: ServiceKey) -> None:
        """Remove a service; its connections stay listed and their packets are dropped (IPVS).

        Raises:
            NoSuchService: there is none.
        """

    @abc.abstractmethod
    def flush(self) -> None:
        """Remove all services."""

    @abc.abstractmethod
    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        """Add a real server at the head of the service's list.

        One that was removed while connections still referred to it comes back with them and
        with its counts (IPVS).

        Raises:
            NoSuchService, ServerExists, InvalidRequest: as IPVS.
        """

    @abc.abstractmethod
    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        """Replace weight, method, thresholds and tunnel data of a real server, as a whole.

        Raises:
            NoSuchService, NoSuchServer, InvalidRequest: as IPVS.
        """

    @abc.abstractmethod
    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        """Remove a real server; packets of its connections are dropped until it comes back (IPVS).

        Raises:
            NoSuchService, NoSuchServer: as IPVS.
        """

    @abc.abstractmethod
    def zero(self, key: ServiceKey | None = None) -> None:
        """Set counters and rates to zero: of one service and its servers, or of everything.

        Raises:
            NoSuchService: there is none with this key.
        """

    @abc.abstractmethod
    def totals(self) -> tuple[Counters, Rates]:
        """Counters and rates of the whole table."""

    def follow_host(self) -> bool:
        """Follow what became of this host's devices and of its addresses; answers whether anything had to be done.

        By itself a table follows neighbours alone. False from makes that live by the kernel's own view (IPVS).

        Raises:
            TableError: a device can't be served.
        """
        return False

    def lags_behind_host(self) -> bool:
        """Whether devices have come, gone or changed: then `follow_host` may hold the table's lock for seconds."""
        return False

    def handshakes(self) -> HandshakesByServer | None:
        """What clients' handshakes tell of each real server's health.

        Counted since the server was added, kept with it while it is away as its connections are; `zero` leaves them.
        None: this make does not watch them (the kernel's IPVS).
        """
        return None

    def flood(self) -> Flood | None:
        """Whether the table is under flood, and what floods did to each service.

        None: this make does not watch for them (the kernel's IPVS, a table in memory).
        """
        return None

    def budgets(self) -> dict[ServiceKey, BudgetState]:
        """The services that have a budget of new connections. A budget goes with its service."""
        return {}

    def set_budget(self, key: ServiceKey, budget: Budget | None) -> None:
        """Give a service a budget of new connections, as a whole; None takes it away.

        Raises:
            NoSuchService: there is none with this key.
            InvalidRequest: the budget makes no sense.
            UnknownToIpvs: this make can't.
        """
        raise UnknownToIpvs("a budget of new connections")

    def set_budgets(self, budgets: Mapping[ServiceKey, Budget]) -> None:
        """Have these budgets in place of all others: all of them or, if one is refused, none.

        Raises:
            NoSuchService, InvalidRequest, UnknownToIpvs: as `set_budget`.
        """
        raise UnknownToIpvs("a budget of new connections")

    @abc.abstractmethod
    def timeouts(self) -> Timeouts:
        """The timeouts in force."""

    @abc.abstractmethod
    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Set timeouts for packets from now on; a 0 keeps the one in force."""

    @abc.abstractmethod
    def connections(self) -> Iterator[Connection]:
        """All live connection entries and templates, in no particular order."""

    def count_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        """How many live connections, of a protocol or all, a real server has; templates are none.

        Services by address have connections of one protocol, which listings count already. This tells those of a
        firewall-mark service apart.

        Raises:
            NoSuchService, NoSuchServer: as IPVS.
        """
        raise UnknownToIpvs("telling the protocols of a real server's connections apart")

    def end_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        """End the connections of a real server, of a protocol or all, at once; answers how many.

        It stays what it is otherwise, weight included. A packet of an ended connection is as one that never had any:
        a UDP datagram is scheduled anew, a TCP segment without SYN is left to the host, which resets. A template goes
        with the last connection it controls. It is what expire_nodest_conn does on removal, without the removal.

        Raises:
            NoSuchService, NoSuchServer: as IPVS.
            UnknownToIpvs: this make can't.
        """
        raise UnknownToIpvs("ending a real server's connections")

    def forget_clients(self, key: ServiceKey, address: Address, port: int) -> None:
        """Have no template lead to a real server any more: its clients' next connections are scheduled anew.

        Connections stay. A template ends at once, or, if it controls connections, when the last of them has; till
        then it is listed with impossible ports, as IPVS lists one that expire_quiescent_template has voided.

        Raises:
            NoSuchService, NoSuchServer: as IPVS.
            UnknownToIpvs: this make can't.
        """
        raise UnknownToIpvs("ending a real server's persistence templates")

    @abc.abstractmethod
    def marks(self) -> list[MarkRule]:
        """The rules that give packets a firewall mark; order is the table's own.

        Raises:
            MarkedElsewhere: marks are none of this make's business.
        """

    @abc.abstractmethod
    def add_mark(self, rule: MarkRule) -> None:
        """Add a mark rule. Of the rules that fit a packet the most specific one gives the mark.

        Raises:
            MarkExists: there is a rule for the same packets.
            InvalidRequest: it makes no sense, or overlaps another one so that neither is more specific.
            MarkedElsewhere: marks are none of this make's business.
        """

    @abc.abstractmethod
    def remove_mark(self, match: MarkMatch, mark: int | None = None) -> None:
        """Remove a mark rule, of this mark if one is given; connections it led to stay.

        Raises:
            NoSuchMark: there is none for exactly these packets, or it gives another mark.
            MarkedElsewhere: marks are none of this make's business.
        """

    @abc.abstractmethod
    def set_marks(self, rules: Sequence[MarkRule]) -> None:
        """Have these mark rules in place of all others, at once: a packet sees the old ones or the new ones.

        Raises:
            MarkExists, InvalidRequest, MarkedElsewhere: as `add_mark`.
        """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """What listings print as `size=`: 4096 for IPVS's default hash table."""

    @abc.abstractmethod
    def sysctls(self) -> dict[str, SysctlValue]:
        """The values of IPVS's sysctls, by bare name, as `lvs.sysctls` lists them."""

    @abc.abstractmethod
    def set_sysctls(self, values: Mapping[str, SysctlValue]) -> None:
        """Set some of them: all or, if one is refused, none.

        Raises:
            BadSysctl: ENOENT for a name that is none, EINVAL for a value that does not fit.
        """

    @property
    def inert_sysctls(self) -> Mapping[str, str]:
        """Those that are kept without having an effect on this make, and why."""
        return INERT

    def daemons(self) -> list[SyncDaemon]:
        """The synchronisation daemons that run, the master before the backup."""
        return []

    def start_daemon(self, daemon: SyncDaemon) -> None:
        """Start a synchronisation daemon.

        Raises:
            NotSupportedYet: this make does not synchronise.
            TableError: EEXIST if one of this role runs, ENODEV if there is no such interface, EINVAL
                while real servers of another family than their service's are there (IPVS).
        """
        raise NotSupportedYet("connection synchronization")

    def stop_daemon(self, role: DaemonRole) -> None:
        """Stop a synchronisation daemon.

        Raises:
            NotSupportedYet: this make does not synchronise.
            TableError: ESRCH if none of this role runs.
        """
        raise NotSupportedYet("connection synchronization")

    def vet_service(self, service: VirtualService) -> None:  # noqa: B027
        """Refuse of a service what IPVS takes and this make does not; nothing is changed.

        Raises:
            NotSupportedYet: it can't be added, nor edited so.
        """

    def vet_server(self, key: ServiceKey, server: RealServer) -> None:  # noqa: B027
        """The same of a real server."""

    def vet_budget(self, budget: Budget) -> None:
        """The same of a budget of new connections."""
        raise UnknownToIpvs("a budget of new connections")

    def begin(self) -> None:  # noqa: B027
        """Start of many changes (restore). A make may hold them back until `commit`."""

    def commit(self) -> None:  # noqa: B027
        """End of many changes: everything since `begin` is in force when this returns."""

    def close(self) -> None:  # noqa: B027
        """Give back file descriptors; the table itself goes on."""


MAX_CONNECTION_COUNT = 0x7FFFFFFF

_BROADCAST = (0xFFFFFFFF, 0x7FFFFFFF)
"""255.255.255.255, and that of the network every host has on lo."""


def check_netmask(service: VirtualService) -> None:
    """IPVS's one check of a service's values: an IPv6 prefix length is 1 to 128.

    Raises:
        InvalidRequest: it is not.
    """
    if service.key.family is Family.INET6 and not 1 <= service.netmask <= 128:
        raise InvalidRequest(f"an IPv6 persistence prefix is 1 to 128, not {service.netmask}")


def check_server(key: ServiceKey, server: RealServer) -> None:
    """IPVS's checks of a real server's values, in IPVS's order, before it looks whether it is there.

    Raises:
        InvalidRequest: with the error number IPVS gives.
    """
    server_family = Family.INET if server.address.version == 4 else Family.INET6
    if server_family is not key.family and server.method is not ForwardingMethod.TUNNEL:
        raise InvalidRequest("service and real server are of different address families")
    if server.weight < 0:
        raise InvalidRequest("a weight can't be negative", errno.ERANGE)
    if server.lower_threshold > server.upper_threshold:
        raise InvalidRequest("the lower threshold is higher than the upper threshold", errno.ERANGE)
    if server.tunnel.type is TunnelType.GUE and server.tunnel.port == 0:
        raise InvalidRequest("a GUE tunnel needs a port")


def check_address(address: Address) -> None:
    """IPVS's check of the address of a real server to be added, after it has seen that it is new.

    Raises:
        InvalidRequest: it is not a unicast address of a host.
    """
    if address.is_multicast or address.is_unspecified:
        raise InvalidRequest(f"{address} is not a unicast address")
    if isinstance(address, IPv6Address) and (address.is_link_local or address.ipv4_mapped):
        raise InvalidRequest(f"{address} is a {'link-local' if address.is_link_local else 'mapped'} address")
    if address.version == 4 and int(address) in _BROADCAST:
        raise InvalidRequest(f"{address} is a broadcast address")
