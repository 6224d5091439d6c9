"""Whether the table has what it is asked about: services, real servers that are chosen, the right ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from directrix.doctor.case import Case
from directrix.doctor.commands import as_options, real
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, warn
from directrix.doctor.served import Server, Service
from directrix.lvs import ForwardingMethod, VirtualService
from directrix.lvs.flags import FALLBACK, flag_names
from directrix.lvs.flags import NAMES as FLAG_NAMES
from directrix.lvs.objects import netmask_object
from directrix.lvs.service import default_netmask

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
        yield from _refusing(service, chosen)


def _refusing(service: Service, chosen: Sequence[Server]) -> Iterator[Finding]:
    """Hash schedulers keep a quiesced server's share of the clients for it, and without *fallback* refuse them."""
    defined = service.definition
    if defined is None or defined.scheduler not in FLAG_NAMES or defined.scheduler_flags & FALLBACK or not chosen:
        return
    resting = [server for server in service.servers if server.weight == 0]
    if resting:
        fallback = FLAG_NAMES[defined.scheduler][0]
        yield warn(
            f"{service}, scheduler {defined.scheduler}",
            f"new clients whose hash leads to {' or '.join(map(real, resting))}, of weight 0, are refused: the flag "
            f"{fallback} (ipvsadm's -b, or in keepalived.conf) gives them to another real server",
            [Remedy(f"directrix ipvsadm -E {service.option} {_options(defined, fallback)}", safe=True)],
        )


def _options(defined: VirtualService, *more: str) -> str:
    """A service's options as ipvsadm takes them, with more scheduler flags."""
    words = ["-s", defined.scheduler, "-b", ",".join((*more, *flag_names(defined)))]
    if defined.persistence:
        words += ["-p", str(defined.persistence)]
    if defined.netmask != default_netmask(defined.key.family):
        words += ["-M", str(netmask_object(defined))]
    if defined.engine:
        words += ["--pe", defined.engine]
    if defined.one_packet:
        words.append("-o")
    return " ".join(words)


def _ports(service: Service) -> Iterator[Finding]:
    for server in service.servers:
        if server.method in _PORT_STAYS and not service.key.fwmark and server.port != service.port:
            yield warn(
                f"{service} → {real(server)}",
                f"{_PORT_STAYS[server.method]} leaves the port as it is: packets reach it at port {service.port}, "
                "whatever port the table has",
                [
                    Remedy(f"directrix ipvsadm -d {service.option} -r {real(server)}"),
                    Remedy(f"directrix ipvsadm -a {service.option} {as_options(server, port=service.port)}"),
                ],
            )


def _with_weight(service: Service, server: Server, weight: int) -> Remedy:
    return Remedy(f"directrix ipvsadm -e {service.option} {as_options(server, weight=weight)}")


CHECK = Check(
    "services",
    "services with real servers that are chosen, at the port they are reached at",
    "A service without a real server to choose refuses its clients; and the port that the table has for a real server "
    "means something for masqueraded ones alone.",
    frozenset({Role.DIRECTOR}),
    look,
)
