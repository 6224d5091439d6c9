"""What the director would do with a masqueraded real server's reply, which it alone can give its client.

A reply is for nobody the table knows. It is told by both its ends: some connection of the client has that real server.
"""

from __future__ import annotations

from directrix.explain.explanation import Explanation
from directrix.explain.surroundings import Surroundings
from directrix.explain.view import View, as_reply, owner_of
from directrix.lvs.addresses import endpoint
from directrix.table.memory import Packet, VerdictName


def is_reply(view: View, packet: Packet, *, admitted: bool) -> bool:
    """Whether a packet is one; `admitted`: its destination may be a virtual service's."""
    if view.table.connection_of_reply(as_reply(packet)) is None:
        return False
    if not admitted:
        return True
    service = view.table.service_of(packet)
    return view.table.connection_of(packet) is None and (service is None or bool(service.definition.key.fwmark))


def explain_reply(told: Explanation, view: View, packet: Packet, surroundings: Surroundings) -> None:
    """Go on with a packet that is one."""
    reply = as_reply(packet)
    entry = view.table.connection_of_reply(reply)
    assert entry is not None
    before, key, left = entry.state_name, entry.key, entry.expires - view.now
    virtual = endpoint(key.virtual, key.virtual_port)
    text = f"it is a reply: of {endpoint(key.client, key.client_port)} to {virtual}, {before}, {left:.0f} s left"
    told.tell("connection", text if entry.destination.available else f"{text}; that real server was removed")
    verdict = view.table.reply(reply, view.now)
    if verdict.name is not VerdictName.REPLIED:
        told.end("not_ours")
        return
    asked = Packet(packet.protocol, key.client, key.client_port, key.virtual, key.virtual_port)
    told.service, told.server = owner_of(view, asked, entry, entry.destination.server)
    told.state, told.expires, told.rewritten = entry.state_name, entry.expires - view.now, virtual
    moved = f"stays {before}" if told.state == before else f"{before} becomes {told.state}"
    told.tell("connection after", f"{moved}, for {told.expires:.0f} s")
    told.tell("forwarding", f"masquerading: its source becomes {virtual}")
    told.way = surroundings.back(key.client)
    if told.way is not None:
        told.tell("next hop", told.way.says)
    told.end("no_route" if told.way is not None and told.way.verdict == "no_route" else "replied")
