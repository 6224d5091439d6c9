"""What the director would do with a packet, step by step.

The packet is tried out on a copy of the table (view.py), by the rules that stand to be read in the memory
table. What is told along the way is what the copy held before; the end is what became of the packet there.
What only the data plane has (its index, room for connections, next hops) is asked of it and changes the end
where it decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.explain import guards
from directrix.explain.choice import Memory, reason, standings
from directrix.explain.explanation import Explanation
from directrix.explain.replies import explain_reply, is_reply
from directrix.explain.surroundings import Surroundings
from directrix.explain.view import View, owner_of
from directrix.lvs import Address, ForwardingMethod, RealServer, ServiceKey
from directrix.lvs.addresses import endpoint
from directrix.lvs.errors import NotSupportedYet
from directrix.lvs.service import Protocol
from directrix.lvs.tcp import TcpFlags
from directrix.scheduling import Flow
from directrix.table.memory import Packet, VerdictName
from directrix.table.memory.connections import Entry
from directrix.table.memory.service import Service

_FTP_DATA = 20
_PASSED = (VerdictName.NOT_OURS, VerdictName.NO_SERVICE, VerdictName.NO_CONNECTION)
_DROPPED = (VerdictName.NO_SERVER, VerdictName.SERVER_GONE, VerdictName.OVER_BUDGET)


def explain(view: View, packet: Packet, surroundings: Surroundings) -> Explanation:
    """What the director would do with this packet now."""
    told = Explanation()
    told.tell("packet", _packet(packet))
    if not _arrives(told, surroundings):
        return told
    admitted = _admitted(told, view, packet)
    if is_reply(view, packet, admitted=admitted):
        explain_reply(told, view, packet, surroundings)
        return told
    if not admitted:
        told.end("not_ours")
        return told
    before = view.table.connection_of(packet)
    state_before = before.state_name if before is not None else ""
    _tell_connection(told, view, packet, before)
    over = before is not None and view.table.starts_over(before, packet)
    opens = before is None or over
    if opens and _barred(told, view, packet):
        return told
    choice = _tell_service(told, view, packet) if opens else None
    if opens and _guarded(told, view, packet, surroundings, known=before is not None):
        return told
    try:
        verdict = view.table.packet(packet, view.now)
    except NotSupportedYet as error:
        told.end("unsupported", error.reason)
        return told
    after = view.table.connection_of(packet)
    if verdict.name in _PASSED or verdict.name in _DROPPED:
        if choice is not None and choice.asked and verdict.name is VerdictName.NO_SERVER:
            told.tell("choice", f"{choice.reason}: there is nobody to be had")
        told.end(_named(view, verdict.name))
        return told
    assert verdict.server is not None
    owner, server = owner_of(view, packet, after, verdict.server)
    told.service = told.service or owner
    _tell_choice(told, view, choice, server)
    if opens and view.insight is not None and not _finds_room(told, view, packet, choice):
        return told
    told.new = opens
    if after is not None:
        told.state, told.expires = after.state_name, after.expires - view.now
        moved = f"made, in state {told.state}" if opens else f"{state_before} becomes {told.state}"
        if state_before == told.state and not opens:
            moved = f"stays {told.state}"
        told.tell("connection after", f"{moved}, for {told.expires:.0f} s")
    else:
        told.tell("connection after", "none: each datagram is scheduled for itself")
    if verdict.rewritten is not None:
        told.rewritten = endpoint(*verdict.rewritten)
    _forward(told, owner, surroundings)
    return told


def _packet(packet: Packet) -> str:
    says = ""
    if packet.protocol is Protocol.TCP:
        says = "".join(f" {flag.name}" for flag in TcpFlags if flag & packet.tcp_flags) or " without flags"
    elif packet.protocol is Protocol.SCTP:
        says = f" {packet.sctp_event.name}"
    ends = f"{endpoint(packet.client, packet.client_port)} > {endpoint(packet.virtual, packet.virtual_port)}"
    return f"{packet.protocol.name} {ends}{says}"


def _arrives(told: Explanation, surroundings: Surroundings) -> bool:
    if surroundings.arrival is None:
        return True
    told.tell("interface", surroundings.arrival)
    if not surroundings.seen:
        told.end("unseen", "the data plane doesn't see it: the host's own stack gets it")
    return surroundings.seen


def _admitted(told: Explanation, view: View, packet: Packet) -> bool:
    """Does it come as far as the connection table?"""
    if view.insight is None:
        return True
    says = view.insight.index_says(packet.protocol, packet.virtual, packet.virtual_port)
    told.tell("index", _INDEX[says])
    return says != "nothing"


_INDEX = {
    "service": "a virtual service stands at the place of this destination, or at one that shares it",
    "ghost": "there are connections of a service that is gone, or destinations of mark rules, at this place",
    "any port": "the address is one of which some service takes any port",
    "nothing": "no virtual service stands at the place of this destination",
}


def _tell_connection(told: Explanation, view: View, packet: Packet, before: Entry | None) -> None:
    if before is None:
        told.tell("connection", "there is none")
        return
    left = before.expires - view.now
    text = f"there is one to {_server(before)}, {before.state_name}, {left:.0f} s left"
    if before.template is not None:
        text += ", made by the client's template"
    if not before.destination.available:
        text += "; that real server was removed"
    if view.table.starts_over(before, packet):
        text += "; it is over, and this packet starts a new one in its place"
    told.tell("connection", text)


def _server(entry: Entry) -> str:
    return endpoint(*entry.destination.server.key)


def _barred(told: Explanation, view: View, packet: Packet) -> bool:
    """What our data plane asks of a packet before it looks for its service."""
    if view.insight is None:
        return False
    if _is_martian(packet.client):
        told.end("malformed", "no packet on a wire may come from this address")
        return True
    return False


def _is_martian(address: Address) -> bool:
    if address.version == 4:
        first = int(address) >> 24
        return first in (0, 127) or first >= 224
    return address.is_multicast or int(address) in (0, 1)


def _guarded(told: Explanation, view: View, packet: Packet, surroundings: Surroundings, *, known: bool) -> bool:
    """Whether a budget or the defence against floods settles what becomes of a packet that would make a connection."""
    service = told.service
    if service is None or packet.client_port == _FTP_DATA:
        return False
    flooded = None if known else guards.flooded(view, packet, service)
    first = flooded is None or not flooded.entered
    budgeted = guards.budgeted(view, packet, service) if first and view.table.opens(packet) else None
    if budgeted is not None:
        told.tell("budget", budgeted.says)
        if budgeted.over:
            told.end("over_budget")
            return True
    if flooded is None or flooded.server is None:
        return False
    told.candidates = []
    told.tell("flood", flooded.says)
    told.tell("choice", guards.chosen_text(flooded))
    if not flooded.room:
        told.end("table_full")
        return True
    told.server, told.new = flooded.server, flooded.entered
    told.state, told.expires = flooded.state, flooded.expires
    if flooded.entered:
        told.tell("connection after", f"made, in state {told.state}, for {told.expires:.0f} s")
    else:
        told.tell("connection after", "none before the client's next packet")
    _forward(told, flooded.owner, surroundings)
    return True


@dataclass(frozen=True, slots=True)
class _Choice:
    """What was seen of the service before the packet was tried."""

    service: Service
    reason: str
    asked: bool
    """Whether the scheduler is asked: there is no template that decides."""
    template: Entry | None


def _tell_service(told: Explanation, view: View, packet: Packet) -> _Choice | None:
    _tell_mark(told, view, packet)
    service = view.table.service_of(packet)
    if service is None:
        told.tell("service", "there is none for this destination")
        return None
    definition = service.definition
    told.service = definition.key
    words = [f"{definition.key}", f"scheduler {definition.scheduler}"]
    if definition.persistence:
        words.append(f"persistent for {definition.persistence} s")
    if definition.one_packet:
        words.append("one packet at a time (UDP)")
    told.tell("service", ", ".join(words))
    if not view.table.opens(packet) or packet.client_port == _FTP_DATA:
        return None
    if view.dropping:
        told.tell("defence", "drop_packet is active: some of the packets that would make a connection are dropped")
    template = view.table.template_of(packet)
    asked = template is None or not template.destination.available
    if definition.persistence:
        told.tell("template", _template(view, template))
    if not definition.key.fwmark and not definition.persistence and definition.key.port != packet.virtual_port:
        told.tell("service", "for other ports than its own it would have to be persistent: nobody is chosen")
        return None
    flow = Flow(packet.client, packet.client_port, packet.virtual, view.now)
    memory = _memory(service, view, flow)
    if asked:
        told.candidates = standings(service)
    return _Choice(service, reason(service, flow, memory), asked, template)


def _tell_mark(told: Explanation, view: View, packet: Packet) -> None:
    if view.marks is None:
        told.tell("mark", "netfilter gives firewall marks for this table; none is taken for granted here")
        return
    fitting = [rule for rule in view.marks if rule.match.fits(packet.protocol, packet.virtual, packet.virtual_port)]
    if fitting:
        rule = max(fitting, key=lambda rule: rule.match.specificity)
        told.tell("mark", f"the rule for {rule.match} gives it the firewall mark {rule.mark}")


def _template(view: View, template: Entry | None) -> str:
    if template is None:
        return "there is none for this client"
    left = template.expires - view.now
    text = f"this client's connections go to {_server(template)}, {left:.0f} s left"
    return text if template.destination.available else f"{text}; that real server was removed, so it doesn't count"


def _memory(service: Service, view: View, flow: Flow) -> Memory:
    if view.blind:
        return Memory(known=False)
    position = service.position(flow)
    return Memory(
        "" if position.last is None else endpoint(*position.last.server.key),
        position.level,
        tuple(endpoint(*member.server.key) for member in position.members),
    )


def _named(view: View, name: VerdictName) -> str:
    """What the data plane calls it: its index has told host traffic apart already."""
    return "no_service" if view.insight is not None and name is VerdictName.NOT_OURS else str(name)


def _tell_choice(told: Explanation, view: View, choice: _Choice | None, server: RealServer) -> None:
    if choice is None:
        told.server = server
        return
    chosen = endpoint(*server.key)
    if not choice.asked:
        told.server = server
        told.tell("choice", f"{chosen}, by the template; its weight and its load don't count")
        return
    if view.blind or choice.service.definition.scheduler == "twos":
        told.possible = [one.server for one in told.candidates if not one.left_out]
        told.tell("choice", f"one of {', '.join(told.possible)}: {choice.reason}")
        if len(told.possible) == 1:
            told.server = server
        return
    told.server = server
    told.tell("choice", f"{chosen}: {choice.reason}")


def _finds_room(told: Explanation, view: View, packet: Packet, choice: _Choice | None) -> bool:
    """A new connection needs a place in the table, and so does a new template."""
    insight, entry = view.insight, view.table.connection_of(packet)
    if insight is None or entry is None:
        return True
    fits = insight.has_room(entry.key)
    if entry.template is not None and choice is not None and choice.asked:
        fits = fits and insight.has_room(entry.template.key, template=True)
    if not fits:
        told.server = None
        told.end("table_full")
    return fits


def _forward(told: Explanation, owner: ServiceKey | None, surroundings: Surroundings) -> None:
    server = told.server
    if server is None:
        told.end("forwarded", "sent to the real server that is chosen then")
        return
    if server.method is ForwardingMethod.LOCAL:
        told.end("local", "this host is its real server: its own stack gets it")
        return
    told.tell("forwarding", _METHODS[server.method].format(told.rewritten or "the real server's address and port"))
    way = surroundings.way(owner, server) if owner is not None else None
    if way is None:
        told.end("forwarded")
        return
    told.way = way
    told.tell("next hop", way.says)
    told.end(way.verdict)


_METHODS = {
    ForwardingMethod.DIRECT: "direct routing: of the packet only the TTL changes, the frame gets the real server's MAC",
    ForwardingMethod.MASQUERADE: "masquerading: its destination becomes {}",
    ForwardingMethod.TUNNEL: "tunnelling: it is wrapped into a packet for the real server",
    ForwardingMethod.BYPASS: "bypass: past the real servers to where it was going",
}
