"""What follows from a real server that does not serve: whom it hurts, and whether others can stand in meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from directrix.doctor.case import Case
from directrix.doctor.commands import quiesce, real
from directrix.doctor.finding import Finding, Remedy, fail, warn
from directrix.doctor.served import Server, Service
from directrix.lvs import ForwardingMethod


def tried(service: Service, server: Server) -> str:
    """A service at a real server, as findings name what they looked at; with the method, if that isn't direct."""
    named = f"{service} → {real(server)}"
    if server.method is ForwardingMethod.TUNNEL:
        return f"{named}, {server.tunnel.type.name}"
    return f"{named}, masqueraded" if server.method is ForwardingMethod.MASQUERADE else named


def wrong(service: Service, server: Server, said: str, remedies: Sequence[Remedy] = ()) -> Finding:
    """It does not serve. One that gets no connections any more hurts no new client."""
    return (fail if server.weight > 0 else warn)(tried(service, server), said, remedies)


def stand_in(case: Case, service: Service, server: Server) -> list[Remedy]:
    """The command that takes it out until it is mended; none where it gets no connections, or no other is left."""
    return [quiesce(service, server)] if server.weight > 0 and case.has_another(service, server) else []
