"""What is seen of a table before a packet is explained, whatever make it is.

A view holds a memory table after the one that is asked about: there the packet can be tried out, with
nothing sent and nothing changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from directrix.lvs import (
    Address,
    Connection,
    ConnectionFlags,
    ForwardingMethod,
    MarkRule,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    Timeouts,
)
from directrix.lvs.errors import MarkedElsewhere
from directrix.lvs.sysctls import SysctlValue
from directrix.scheduling import Position
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable, Packet
from directrix.table.memory.connections import Entry, Key
from directrix.table.memory.keys import reply_key
from directrix.table.memory.likeness import Group, Known, Likeness, Member
from directrix.table.memory.packet import Reply
from directrix.table.xdp.insight import Insight
from directrix.table.xdp.pins import Place

_HIDDEN = ("rr", "wrr", "lblc", "lblcr")
"""Schedulers that remember something a listing does not tell."""


class _Find(Protocol):
    """Looks a connection or template up."""

    def __call__(self, key: Key, *, template: bool = False) -> Known | None: ...


@dataclass(frozen=True, slots=True)
class View:
    """What is known.

    Attributes:
        make: `xdp`, `ipvs` or `memory`.
        table: a copy to try the packet on, at time `now`.
        blind: the table doesn't tell where the scheduler of the packet's service stands.
        marks: the mark rules; None if netfilter has them.
        dropping: the sysctl drop_packet drops some of the packets that would make a connection.
        insight: into our own table, for what only the data plane knows.
    """

    make: str
    table: MemoryTable
    blind: bool
    marks: tuple[MarkRule, ...] | None
    insight: Insight | None = None
    now: float = 0.0
    dropping: bool = False


@contextmanager
def our_table(place: Place, packet: Packet) -> Iterator[View]:
    """A view of our own table, which is loaded at `place`."""
    insight = Insight(place)
    try:
        groups = insight.groups(packet.virtual)
        marks = insight.marks()
        sysctls = insight.sysctls()
        table = Likeness(groups, marks, insight.timeouts(), sysctls)
        _put_entries(table, packet, insight.find)
        _put_reply(table, packet, insight.find_reply)
        yield View("xdp", table, False, tuple(marks), insight, dropping=_is_dropping(sysctls))
    finally:
        insight.close()


def no_table() -> View:
    """A view of nothing: there is no table."""
    return View("xdp", Likeness((), (), Timeouts()), False, ())


def memory_table(table: MemoryTable, packet: Packet, now: float = 0.0) -> View:
    """A view of a table in memory."""
    return View("memory", copy.deepcopy(table), False, tuple(table.marks()), now=now)


def listed_table(table: Table, packet: Packet) -> View:
    """A view of a table of which no more is known than it lists: the kernel's IPVS."""
    states = table.services()
    try:
        marks: tuple[MarkRule, ...] | None = tuple(table.marks())
    except MarkedElsewhere:
        marks = None
    groups = [_group(state) for state in states]
    sysctls = table.sysctls()
    likeness = Likeness(groups, marks or (), table.timeouts(), sysctls)
    members = {(member.service, member.server.key): member for group in groups for member in group.members}
    connections = list(table.connections())

    def find(key: Key, *, template: bool = False) -> Known | None:
        for connection in connections:
            if bool(connection.flags & ConnectionFlags.TEMPLATE) is template and _key(connection) == key:
                return Known(connection, _member_of(connection, members, likeness, packet))
        return None

    def find_reply(key: Key) -> Known | None:
        for connection in connections:
            if not connection.flags & ConnectionFlags.TEMPLATE and _reply_key(connection) == key:
                member = _member_of(connection, members, likeness, packet)
                if member.server.method is ForwardingMethod.MASQUERADE:
                    return Known(connection, member)
        return None

    _put_entries(likeness, packet, find)
    _put_reply(likeness, packet, find_reply)
    service = likeness.service_of(packet)
    blind = service is not None and service.definition.scheduler in _HIDDEN
    return View("ipvs", likeness, blind, marks, dropping=_is_dropping(sysctls))


def _is_dropping(sysctls: Mapping[str, SysctlValue]) -> bool:
    return sysctls.get("drop_packet") in (2, 3)


def _put_entries(table: Likeness, packet: Packet, find: _Find) -> None:
    """Take in the packet's connection and the template that may count, and set the scheduler going."""
    known = find(Key(packet.protocol, packet.client, packet.client_port, packet.virtual, packet.virtual_port))
    if known is not None:
        table.put(known)
    key = table.template_key_of(packet)
    template = find(key, template=True) if key is not None else None
    if template is not None and (known is None or known.template is None):
        table.put(template)
    table.resume(packet)


def _put_reply(table: Likeness, packet: Packet, find: Callable[[Key], Known | None]) -> None:
    """Take in the connection that the packet is a reply of, unless it is its own."""
    known = find(reply_key(as_reply(packet)))
    if known is not None and table.connection_of(packet) is None:
        table.put(known)


def as_reply(packet: Packet) -> Reply:
    """The same packet as a real server's."""
    return Reply(
        packet.protocol,
        packet.source,
        packet.client_port,
        packet.target,
        packet.virtual_port,
        packet.tcp_flags,
        packet.length,
        packet.sctp_chunks,
    )


def owner_of(
    view: View, packet: Packet, entry: Entry | None, server: RealServer
) -> tuple[ServiceKey | None, RealServer]:
    """The real server of a packet's connection as the other table has it, and the service that it belongs to."""
    service = view.table.service_of(packet)
    key = service.definition.key if service is not None else None
    if not isinstance(view.table, Likeness):
        return key, server
    destination = entry.destination if entry is not None else service.find(*server.key) if service is not None else None
    if destination is None:
        return key, server
    member = view.table.origin(destination)
    return member.service, member.server


def _reply_key(connection: Connection) -> Key:
    return Key(
        connection.protocol, connection.client, connection.client_port, connection.server, connection.server_port
    )


def _key(connection: Connection) -> Key:
    return Key(
        connection.protocol, connection.client, connection.client_port, connection.virtual, connection.virtual_port
    )


def _group(state: ServiceState) -> Group:
    members = tuple(_member(state.service.key, server) for server in state.servers)
    return Group(state.service, members, None if state.service.scheduler in _HIDDEN else Position())


def _member(service: ServiceKey, state: ServerState) -> Member:
    """IPVS doesn't list who is overloaded, nor what weight one had before it was quiesced: both are inferred."""
    server = state.server
    full = bool(server.upper_threshold) and state.active + state.inactive >= server.upper_threshold
    return Member(service, server, state.active, state.inactive, state.persistent, full, server.weight)


def _member_of(
    connection: Connection,
    members: dict[tuple[ServiceKey, tuple[Address, int]], Member],
    table: Likeness,
    packet: Packet,
) -> Member:
    """The real server of a listed connection: of the packet's service, else of any, else one that was removed."""
    address = (connection.server, connection.server_port)
    service = table.service_of(packet)
    if service is not None and (service.definition.key, address) in members:
        return members[service.definition.key, address]
    for (_, server), member in members.items():
        if server == address:
            return member
    key = ServiceKey.mark(1, packet.family) if service is None else service.definition.key
    return Member(key, RealServer(*address), available=False)
