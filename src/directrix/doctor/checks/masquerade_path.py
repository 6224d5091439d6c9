"""Each masqueraded real server tried from the director: at its own address and port, as clients' packets reach it."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.commands import as_options, real, usual_ports
from directrix.doctor.finding import Check, Finding, Remedy, Role, ok, skip
from directrix.doctor.probing import Reach, echoes, knock, refuses_datagrams
from directrix.doctor.served import Server, Service
from directrix.doctor.unfit import stand_in, tried, wrong
from directrix.lvs import Address, ForwardingMethod, Protocol


def look(case: Case) -> Iterator[Finding]:
    """Each service at each of its real servers."""
    if not case.servers(ForwardingMethod.MASQUERADE):
        yield skip("real servers", "none is masqueraded")
    missing: set[Address] = set()
    for service, server in case.pace.each(case.uses(ForwardingMethod.MASQUERADE), "services at a real server"):
        if server.address in missing:
            continue
        try:
            yield _try(case, case.place_of(server.address), service, server)
        except CannotLook as reason:
            missing.add(server.address)
            yield skip(str(server.address), str(reason))


def _try(case: Case, place: Place, service: Service, server: Server) -> Finding:
    port = server.port or service.port
    if not port or service.protocol is Protocol.SCTP:
        return _by_echo(case, place, service, server)
    if service.protocol is Protocol.UDP:
        if refuses_datagrams(case, place, server.address, port):
            return _nobody(case, service, server, f"nobody takes UDP at its port {port}")
        return _by_echo(case, place, service, server)
    reach = knock(case, place, server.address, port).reach
    if reach is Reach.ACCEPTED:
        return ok(tried(service, server), "it takes a connection at its own address")
    if reach is Reach.REFUSED:
        return _refused(case, place, service, server, port)
    if reach is Reach.REJECTED:
        return _nobody(case, service, server, "it answers a SYN with an ICMP error: a firewall there rejects it")
    if echoes(case, place, server.address):
        said = f"it lives, but a SYN for its port {port} gets no answer: a firewall there drops it"
        return _nobody(case, service, server, said)
    said = "it answers ARP, and nothing else: a firewall or rp_filter there drops whatever comes from this director"
    return _nobody(case, service, server, said)


def _refused(case: Case, place: Place, service: Service, server: Server, port: int) -> Finding:
    """Nobody listens there; where somebody does, masquerading can lead to."""
    for other in dict.fromkeys([service.port, *usual_ports(port)]):
        if other not in (0, port) and knock(case, place, server.address, other).reach is Reach.ACCEPTED:
            return wrong(
                service,
                server,
                f"nobody listens at its port {port}, but somebody does at {other}",
                [
                    Remedy(f"directrix ipvsadm -a {service.option} {as_options(server, port=other)}"),
                    Remedy(f"directrix ipvsadm -d {service.option} -r {real(server)}"),
                ],
            )
    return _nobody(case, service, server, f"nobody listens at its port {port}")


def _by_echo(case: Case, place: Place, service: Service, server: Server) -> Finding:
    """UDP, SCTP, all ports: silence at a port means nothing, an echo that the host is there."""
    if echoes(case, place, server.address):
        return ok(tried(service, server), f"it is there and does not refuse {service.protocol.name}")
    return skip(tried(service, server), "it answers no echo requests, so nothing can be told of it")


def _nobody(case: Case, service: Service, server: Server, said: str) -> Finding:
    """What has to be mended there; meanwhile others get the connections, where there are others."""
    meanwhile = stand_in(case, service, server)
    return wrong(service, server, f"{said}; until that is mended, take it out" if meanwhile else said, meanwhile)


CHECK = Check(
    "masquerade-path",
    "masqueraded real servers take connections at their own address and port",
    "The director gives a packet the real server's address, and the port that the table has for it: somebody must "
    "listen there.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
