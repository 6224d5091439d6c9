"""Each real server tried from the director, the way packets of clients reach it."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.commands import carry_vip, examine, redirect, usual_ports
from directrix.doctor.finding import Check, Finding, Role, ok, skip
from directrix.doctor.probing import Reach, echoes, knock, refuses_datagrams
from directrix.doctor.served import Server, Service
from directrix.doctor.unfit import stand_in, tried, wrong
from directrix.lvs import Address, ForwardingMethod, Protocol


def look(case: Case) -> Iterator[Finding]:
    """Each service at each of its real servers."""
    served = case.servers(ForwardingMethod.DIRECT)
    if not served:
        yield skip("real servers", "none is reached by direct routing")
    missing: set[Address] = set()
    for service, server in case.pace.each(case.uses(ForwardingMethod.DIRECT), "services at a real server"):
        if server.address in missing:
            continue
        try:
            place = case.place_of(server.address)
        except CannotLook as reason:
            missing.add(server.address)
            yield skip(str(server.address), str(reason))
            continue
        try:
            yield _try(case, place, service, server)
        except CannotLook as reason:
            yield skip(tried(service, server), str(reason))


def _try(case: Case, place: Place, service: Service, server: Server) -> Finding:
    if service.protocol is not Protocol.TCP or not service.port:
        return _datagrams(case, place, service, server)
    reach = knock(case, place, service.vip, service.port).reach
    if reach is Reach.ACCEPTED:
        return ok(tried(service, server), "it takes a connection to the VIP that is sent to its MAC")
    if reach is Reach.REFUSED:
        return _refused(case, place, service, server)
    if reach is Reach.REJECTED:
        said = "it answers a SYN for the VIP with an ICMP error: a firewall there rejects it"
        return wrong(service, server, said, [examine(service, server.address, place.source)])
    if reach is Reach.BOUNCED:
        said = "it sends the packet on: it does not carry the VIP, and forwards what is not for itself"
        return wrong(service, server, said, carry_vip(service.vip, str(server.address)))
    return _silent(case, place, service, server)


def _refused(case: Case, place: Place, service: Service, server: Server) -> Finding:
    """It has the VIP, and nobody listens there: who listens where?"""
    on = str(server.address)
    if knock(case, place, server.address, service.port).reach is Reach.ACCEPTED:
        said = (
            f"its service listens on its own address {on} only and not on the VIP; let it listen on all addresses, or "
            "have packets for the VIP redirected to it"
        )
        return wrong(service, server, said, [redirect(service, None, on)])
    others = [server.port] if server.port != service.port else []
    for port in dict.fromkeys([*others, *usual_ports(service.port)]):
        for address in (service.vip, server.address):
            if knock(case, place, address, port).reach is Reach.ACCEPTED:
                said = (
                    f"nobody listens at port {service.port}, but somebody does at {port}; direct routing leaves the "
                    f"port as it is: let it listen at {service.port}, or have packets redirected to it"
                )
                return wrong(service, server, said, [redirect(service, port, on)])
    meanwhile = stand_in(case, service, server)
    until = "; until then, take it out" if meanwhile else ""
    said = f"it has the VIP, but nobody listens at port {service.port}: start the service{until}"
    return wrong(service, server, said, meanwhile)


def _silent(case: Case, place: Place, service: Service, server: Server) -> Finding:
    on = server.address
    if echoes(case, place, service.vip):
        said = f"it carries the VIP, but a SYN for port {service.port} gets no answer: a firewall there drops it"
        return wrong(service, server, said, [examine(service, on, place.source)])
    if _lives(case, place, service, on):
        said = "it takes nothing for the VIP, though it lives: it does not carry it (or its firewall drops all for it)"
        return wrong(service, server, said, [*carry_vip(service.vip, str(on)), examine(service, on, place.source)])
    said = "it answers ARP, and nothing else: a firewall or rp_filter there drops whatever comes from this director"
    return wrong(service, server, said, [examine(service, on, place.source)])


def _datagrams(case: Case, place: Place, service: Service, server: Server) -> Finding:
    """UDP, SCTP, all ports: a refusal is certain, silence is not; an echo tells whether the VIP is there."""
    on = server.address
    if service.protocol is Protocol.UDP and service.port and refuses_datagrams(case, place, service.vip, service.port):
        if refuses_datagrams(case, place, on, service.port):
            said = f"it has the VIP, but nobody takes UDP at port {service.port}: start the service"
            return wrong(service, server, said, stand_in(case, service, server))
        said = f"it refuses UDP for the VIP at port {service.port}, though not for its own address {on}"
        return wrong(service, server, said, [redirect(service, None, str(on))])
    if not echoes(case, place, service.vip):
        if echoes(case, place, on):
            said = "it answers an echo request for its own address and not for the VIP: it does not carry it"
            return wrong(service, server, said, carry_vip(service.vip, str(on)))
        return skip(tried(service, server), "it answers no echo requests, so nothing can be told of the VIP")
    return ok(tried(service, server), f"it carries the VIP and does not refuse {service.protocol.name}")


def _lives(case: Case, place: Place, service: Service, address: Address) -> bool:
    return knock(case, place, address, service.port).reach is not Reach.SILENT or echoes(case, place, address)


CHECK = Check(
    "direct-path",
    "each real server takes what is sent to it as clients' packets are",
    "A check of the real server's own address says nothing about direct routing: the packet is for the VIP. One that "
    "does not carry it, does not listen on it or filters it is a black hole for its share of the clients.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
