"""Each real server's answer to a client that has troubles, followed the whole way round.

A SYN for the VIP is sent to the real server that says it comes from the client. The real server's
answer goes to the client, which knows nothing of such a connection and refuses it, by a RST to the
VIP: that comes back here. So the RST tells that the real server took the packet of this very client, that
its answer found the way, and that the client finds the VIP at this director.
"""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.commands import examine
from directrix.doctor.finding import Check, Finding, Role, fail, ok, skip
from directrix.doctor.probing import ForeignSyn, foreign_syn
from directrix.doctor.served import Service
from directrix.lvs import Address, ForwardingMethod, Protocol
from directrix.system.frames import RST
from directrix.system.wire import Wire

_PATIENCE = 0.5


def look(case: Case) -> Iterator[Finding]:
    """Each TCP service of direct routing at each real server."""
    client = case.client
    if client is None:
        yield skip("a client", "none was named; --client follows the answers to one")
        return
    if case.host.has(client):
        yield skip(f"the client {client}", "it is this host")
        return
    found = []
    fitting = [
        (service, server.address)
        for service, server in case.uses(ForwardingMethod.DIRECT)
        if service.protocol is Protocol.TCP and service.vip.version == client.version
    ]
    if not fitting:
        yield skip(f"the client {client}", "no TCP service of its IP version is reached by direct routing")
    for service, address in case.pace.each(fitting, "services at a real server"):
        try:
            place = case.place_of(address)
            found.append((service, place, _comes_round(case, place, service, client)))
        except CannotLook as reason:
            yield skip(f"{service} → {address}", str(reason))
    any_came = any(came for _, _, came in found)
    for service, place, came in found:
        looked_at = f"{service} → {place.host}, answering {client}"
        if came:
            yield ok(looked_at, "its answer arrives, and the client finds the VIP here")
        elif any_came:
            said = "its answer does not arrive, others' do: it drops this client's packets, or answers by another way"
            yield fail(looked_at, said, [examine(service, place.host, client)])
        else:
            yield skip(looked_at, "no real server's answer is refused by it: it may be out of reach, or not say so")


def _comes_round(case: Case, place: Place, service: Service, client: Address) -> bool:
    tried = foreign_syn(case, place, client, service.vip, service.port)
    # The client's refusal comes in where the VIP is carried, which may be another wire than the real servers'.
    way_in = next((each.interface for each in case.host.has(service.vip) if each.interface != "lo"), place.interface)
    way_out = case.wire(place.interface)
    try:
        if way_in == place.interface:
            return _ask(way_out, way_out, tried, service, client)
        with Wire(way_in, way_out.port) as back:
            return _ask(way_out, back, tried, service, client)
    finally:
        way_out.send(tried.end)


def _ask(out: Wire, back: Wire, tried: ForeignSyn, service: Service, client: Address) -> bool:
    for _ in range(2):
        out.send(tried.syn)
        if back.wait_for(
            lambda heard: (
                (heard.kind, heard.source, heard.destination) == ("tcp", client, service.vip)
                and (heard.source_port, heard.port, heard.sequence) == (out.port, service.port, tried.sequence + 1)
                and bool(heard.flags & RST)
            ),
            _PATIENCE,
        ):
            return True
    return False


CHECK = Check(
    "client-path",
    "real servers' answers to the client named arrive",
    "What stands between one client and one real server (filters, routes, gateways) is not seen from anywhere else.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
