"""A memory table made after another table, so that what that one would do can be tried out here.

Only what matters to one packet is copied: services, real servers with their loads, the places where
schedulers stand, the packet's connection and its client's template. Real servers behind tunnels are taken for
directly routed: how they are reached doesn't change who is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from directrix.lvs import (
    Connection,
    ConnectionFlags,
    ForwardingMethod,
    MarkRule,
    RealServer,
    ServiceKey,
    Timeouts,
    VirtualService,
)
from directrix.lvs.sctp import SctpState
from directrix.lvs.service import Protocol
from directrix.lvs.sysctls import DEFAULTS, SysctlValue
from directrix.lvs.tcp import TcpState
from directrix.lvs.udp import UdpState
from directrix.scheduling import Flow, Position
from directrix.table.memory.connections import Entry, Key, TemplateState
from directrix.table.memory.destination import Destination
from directrix.table.memory.packet import Packet
from directrix.table.memory.table import MemoryTable


@dataclass(frozen=True, slots=True)
class Member:
    """A real server, and what a table knows of it beside its definition.

    Attributes:
        service: the key of the service that it belongs to, or did.
        server: as it was defined.
        active, inactive, persistent: its connections.
        overloaded: whether it reached its upper threshold.
        last_weight: its last weight above 0.
        available: whether its service still has it.
    """

    service: ServiceKey
    server: RealServer
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    overloaded: bool = False
    last_weight: int = 0
    available: bool = True

    @property
    def key(self) -> tuple[ServiceKey, object]:
        """What identifies it in the table."""
        return (self.service, self.server.key)


@dataclass(frozen=True, slots=True)
class Group:
    """A service with its real servers, newest first, and where its scheduler stands; None if nobody can know."""

    service: VirtualService
    members: tuple[Member, ...]
    position: Position[Member] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A connection or template with its real server, and the template of a connection."""

    connection: Connection
    member: Member
    template: Known | None = None
    children: int = 0
    timeout: int = 0


class Likeness(MemoryTable):
    """A table after another one's. Its time is 0 when it is made."""

    def __init__(
        self,
        groups: Iterable[Group],
        marks: Iterable[MarkRule],
        timeouts: Timeouts,
        sysctls: Mapping[str, SysctlValue] = DEFAULTS,
    ) -> None:
        super().__init__()
        # which packets and entries the defences take is chance
        self.set_sysctls({**sysctls, "drop_packet": 0, "drop_entry": 0})
        self._groups = {group.service.key: group for group in groups}
        self._members: dict[tuple[ServiceKey, object], Destination] = {}
        self._origins: dict[Destination, Member] = {}
        for group in self._groups.values():
            self.add_service(group.service)
            for member in reversed(group.members):
                server = replace(member.server, method=_as_direct(member.server.method))
                destination = Destination(server)
                self._members[member.key] = destination
                self._origins[destination] = member
                self._services[group.service.key].add(destination)
            for member in group.members:
                _load(self._members[member.key], member)
        self.set_marks(list(marks))
        self.set_timeouts(timeouts)

    def origin(self, destination: Destination) -> Member:
        """The real server there that one here stands for."""
        return self._origins[destination]

    def resume(self, packet: Packet) -> None:
        """Let the scheduler that the packet may meet go on where the other table's stands."""
        service = self.service_of(packet)
        position = None if service is None else self._groups[service.definition.key].position
        if service is None or position is None:
            return
        last = None if position.last is None else self._members[position.last.key]
        members = tuple(self._destination(member) for member in position.members)
        flow = Flow(packet.client, packet.client_port, packet.virtual)
        service.resume(Position(last, position.level, members, position.last_change), flow)

    def put(self, known: Known) -> Entry:
        """Take a connection or template in, with its template."""
        connection = known.connection
        template = None if known.template is None else self.put(known.template)
        destination = self._destination(known.member)
        entry = Entry(
            Key(
                connection.protocol,
                connection.client,
                connection.client_port,
                connection.virtual,
                connection.virtual_port,
            ),
            destination,
            connection.server_port,
            destination.server.method,
            _state(connection),
            connection.flags | ConnectionFlags.INACTIVE,
            known.timeout,
            template=template,
            children=known.children,
        )
        self._connections.add(entry)
        if isinstance(entry.state, TcpState | SctpState):
            entry.enter(entry.state, 0.0)
        entry.expires = connection.expires + 0.5  # what is listed is rounded down
        entry.due = entry.expires
        self._connections.follow(entry)
        _load(destination, known.member)
        if template is not None and known.template is not None:
            template.children = known.template.children
        return entry

    def _destination(self, member: Member) -> Destination:
        """The real server here that stands for one there; one that was removed is made."""
        found = self._members.get(member.key) if member.available else None
        if found is None:
            found = Destination(replace(member.server, method=_as_direct(member.server.method)))
            _load(found, member)
            found.available = False
            self._origins[found] = member
        return found


def _as_direct(method: ForwardingMethod) -> ForwardingMethod:
    return ForwardingMethod.DIRECT if method is ForwardingMethod.TUNNEL else method


def _load(destination: Destination, member: Member) -> None:
    destination.active, destination.inactive = member.active, member.inactive
    destination.persistent = member.persistent
    destination.overloaded = member.overloaded
    destination.last_weight = member.last_weight


def _state(connection: Connection) -> TcpState | UdpState | SctpState | TemplateState:
    if connection.flags & ConnectionFlags.TEMPLATE:
        return TemplateState[connection.state]
    if connection.protocol == Protocol.SCTP:
        return next(state for state in SctpState if state.label == connection.state)
    return TcpState[connection.state] if connection.protocol == Protocol.TCP else UdpState.UDP
