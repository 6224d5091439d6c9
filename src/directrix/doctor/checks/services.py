"""Whether the table has what it is asked about: services, real servers that are chosen, the right ports."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.commands import method_option, real
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, warn
from directrix.doctor.served import Server, Service
from directrix.lvs import ForwardingMethod
from directrix.lvs.addresses import endpoint

_PORT_STAYS = {ForwardingMethod.DIRECT: "direct routing", ForwardingMethod.TUNNEL: "a tunnel"}


def look(case: Case) -> Iterator[Finding]:
    """Each service of the table."""
    if not case.services:
        asked = f" of {', '.join(map(str, case.vips))}" if case.vips else ""
        yield fail("the table", f"it has no virtual service{asked}: every packet is left to the host")
    for service in case.pace.each(case.services, "services"):
        chosen = [server for server in service.servers if server.weight > 0]
        if not service.servers:
            yield fail(str(service), "it has no real server: clients are refused")
        elif not chosen:
            yield fail(
                str(service),
                f"all its {len(service.servers)} real servers have the weight 0: new clients are refused",
                [_with_weight(service, service.servers[0], 1)],
            )
        else:
            yield ok(str(service), f"{len(chosen)} of {len(service.servers)} real servers take new connections")
        yield from _ports(service)


def _ports(service: Service) -> Iterator[Finding]:
    for server in service.servers:
        if server.method in _PORT_STAYS and not service.key.fwmark and server.port != service.port:
            kept = Server(server.address, service.port, server.method, server.weight, server.tunnel)
            yield warn(
                f"{service} → {real(server)}",
                f"{_PORT_STAYS[server.method]} leaves the port as it is: packets reach it at port {service.port}, "
                "whatever port the table has",
                [
                    Remedy(f"directrix ipvsadm -d {service.option} -r {real(server)}"),
                    Remedy(
                        f"directrix ipvsadm -a {service.option} -r {endpoint(kept.address, kept.port)} "
                        f"{method_option(kept)} -w {kept.weight}"
                    ),
                ],
            )


def _with_weight(service: Service, server: Server, weight: int) -> Remedy:
    return Remedy(f"directrix ipvsadm -e {service.option} -r {real(server)} {method_option(server)} -w {weight}")


CHECK = Check(
    "services",
    "services with real servers that are chosen, at the port they are reached at",
    "A service without a real server to choose refuses its clients; in direct routing a packet keeps its port.",
    frozenset({Role.DIRECTOR}),
    look,
)
