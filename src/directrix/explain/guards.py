"""What stands between a packet and a new connection: its service's budget, and the defence against floods."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.explain.view import View
from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey, sctp, tcp
from directrix.lvs.addresses import endpoint
from directrix.lvs.budget import Rate
from directrix.lvs.flood import FloodState
from directrix.lvs.sctp import SctpChunk, SctpState
from directrix.lvs.tcp import TcpFlags, TcpState
from directrix.scheduling import Flow
from directrix.table.memory import Packet
from directrix.table.memory.connections import Key
from directrix.table.memory.likeness import Likeness
from directrix.table.xdp.insight import Insight

_BY_HASH = ("dh", "sh", "mh")
"""Schedulers whose choice comes out the same each time anyway."""


@dataclass(frozen=True, slots=True)
class Budgeted:
    """What the budget of a packet's service says. `over`: the packet is one too many."""

    says: str
    over: bool


def budgeted(view: View, packet: Packet, service: ServiceKey) -> Budgeted | None:
    """Whether there is a connection left for this packet; None if its service has no budget."""
    if view.insight is None:
        return None
    state = view.insight.budget(service)
    if state is None:
        return None
    says, over = [], False
    budget = state.budget
    if budget.source is not None:
        left = view.insight.source_left(service, packet.client) or 0
        prefix = budget.prefix4 if packet.client.version == 4 else budget.prefix6
        says.append(f"of its source, a /{prefix}, {_rate(budget.source)}: {left:,} left")
        over = left < 1
    if budget.service is not None:
        says.append(f"of the service {_rate(budget.service)}: {state.left or 0:,} left")
        over = over or not state.left
    return Budgeted("new connections " + "; ".join(says), over)


def _rate(rate: Rate) -> str:
    return f"{rate.text}, burst {rate.burst:,}"


@dataclass(frozen=True, slots=True)
class Flooded:
    """What the defence against floods makes of a packet without a connection.

    Attributes:
        says: the same in words.
        entered: it gets an entry now.
        server: the real server, and `owner` the service that it belongs to; None if there is nobody to be had.
        by: how it is chosen, in words.
        state, expires: of the connection that is entered, and seconds it then has.
        room: whether there is a place for it.
    """

    says: str
    entered: bool
    server: RealServer | None
    owner: ServiceKey | None
    by: str
    state: str = ""
    expires: float = 0.0
    room: bool = True


def flooded(view: View, packet: Packet, service: ServiceKey) -> Flooded | None:
    """What becomes of a packet in a flood; None if all goes on as always."""
    insight = view.insight
    if insight is None or packet.protocol is Protocol.UDP or packet.tcp_flags & TcpFlags.RST:
        return None
    state = insight.flood()
    key = Key(packet.protocol, packet.client, packet.client_port, packet.virtual, packet.virtual_port)
    first = _is_first(packet)
    entered = not first or state is FloodState.ENDING
    if state is FloodState.OFF or (entered and not insight.knows_first_packet(key)):
        return None
    if not entered:
        says = "the table is under flood: this packet gets no entry; the client's next one does"
    elif first:
        says = "its first SYN came in a flood that has just ended, and had no entry: it keeps its real server"
    else:
        says = "its SYN was seen a moment ago in a flood, and had no entry: with this packet the connection is entered"
    server, owner, by = _chosen(view, insight, packet, service, key)
    if not entered and server is not None and server.method is ForwardingMethod.MASQUERADE:
        return None  # its answers need the entry
    if not entered:
        return Flooded(says, entered, server, owner, by)
    state_then, expires = _entered(view, packet, first=first)
    return Flooded(says, entered, server, owner, by, state_then, expires, insight.has_room(key))


def _entered(view: View, packet: Packet, *, first: bool) -> tuple[str, float]:
    """State and seconds of a connection that is entered with this packet, of which the first one is known."""
    if packet.protocol is Protocol.SCTP:
        association = SctpState.INIT1 if first else sctp.next_state(SctpState.INIT1, packet.sctp_event)
        return association.label, sctp.timeout(association)
    secure = view.table.sysctls()["secure_tcp"] in (2, 3)
    before = TcpState.NONE if first else TcpState.SYN_RECV
    state = tcp.next_state(before, packet.tcp_flags, secure=secure)
    return state.name, tcp.timeout(state, view.table.timeouts())


def _is_first(packet: Packet) -> bool:
    if packet.protocol is Protocol.SCTP:
        return packet.sctp_chunks[0] == SctpChunk.INIT
    return bool(packet.tcp_flags & TcpFlags.SYN)


def _chosen(
    view: View, insight: Insight, packet: Packet, service: ServiceKey, key: Key
) -> tuple[RealServer | None, ServiceKey | None, str]:
    assert isinstance(view.table, Likeness)
    template = view.table.template_of(packet)
    if template is not None and template.destination.available:
        member = view.table.origin(template.destination)
        return member.server, member.service, "by the client's template"
    here = view.table.service_of(packet)
    if here is not None and here.definition.scheduler in _BY_HASH and not here.definition.persistence:
        destination = here.pick(Flow(packet.client, packet.client_port, packet.virtual, view.now))
        if destination is None:
            return None, None, ""
        member = view.table.origin(destination)
        return member.server, member.service, f"by the scheduler {here.definition.scheduler}, which chooses by hash"
    picked = insight.picked_in_flood(service, key)
    what = "client" if here is not None and here.definition.persistence else "connection"
    return (
        (picked.server, picked.service, f"by a hash of the {what}, each by its weight") if picked else (None, None, "")
    )


def chosen_text(flooded: Flooded) -> str:
    """Who gets it, and how that is chosen."""
    assert flooded.server is not None
    return f"{endpoint(*flooded.server.key)}: {flooded.by}"
