"""Whether somebody tries the VIP on a host that carries it: what it sends there itself goes nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Role, ok, skip, warn
from directrix.lvs import ForwardingMethod


def look(case: Case) -> Iterator[Finding]:
    """TCP connections of this host itself to a virtual service, and the client that was named."""
    if case.client is not None and case.host.has(case.client):
        yield warn(
            f"the client {case.client}",
            "it is this host, which carries the VIP: whatever it sends there stays here. Try from another host",
        )
    # IPVS takes what the host itself sends for a client's, and can give it to whom it masquerades.
    methods = [ForwardingMethod.DIRECT, *([ForwardingMethod.MASQUERADE] if case.make == "xdp" else [])]
    staying = [
        service
        for service in case.services
        if case.role is Role.REALSERVER or any(server.method in methods for server in service.servers)
    ]
    if not staying:
        yield skip("connections of this host", "no service is known that its own packets would not reach")
    for service in case.pace.each(staying, "services"):
        if case.host.has(service.vip) and (service.vip, service.port) in case.host.connecting:
            yield warn(
                str(service),
                "a program on this host connects to it. This host carries the VIP, so it connects to itself: a client "
                "must be another host. `directrix doctor --from-client` tries it there",
            )
        else:
            yield ok(str(service), "no program on this host takes itself for a client of it")


CHECK = Check(
    "client-here",
    "nobody tries the VIP on a host that carries it",
    "To a director or real server the VIP is its own address: what it sends there never reaches the wire.",
    frozenset({Role.DIRECTOR, Role.REALSERVER}),
    look,
)
