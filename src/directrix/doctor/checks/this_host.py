"""A director that is one of its own real servers: whether its own service takes what is for the VIP.

No packet can be sent to oneself as clients' packets come, and none need be: what the data plane leaves to this host its
own stack delivers, and who listens there can be looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from directrix.doctor.case import Case
from directrix.doctor.checks.listening import look_at
from directrix.doctor.finding import Check, Finding, Outcome, Role, skip
from directrix.doctor.served import Server, Service
from directrix.doctor.unfit import stand_in, tried, wrong
from directrix.lvs import ForwardingMethod

_DELIVERED = (ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL, ForwardingMethod.LOCAL)
"""Methods by which a packet for this host stays one for the VIP; with our own data plane masquerading, too."""


def look(case: Case) -> Iterator[Finding]:
    """Each service that has a real server on this host."""
    found = False
    methods = (*_DELIVERED, *([ForwardingMethod.MASQUERADE] if case.make == "xdp" else []))
    for service, server in (use for method in methods for use in case.uses(method)):
        way = case.host.way_to(server.address)
        if way is not None and way.local:
            found = True
            yield _listened(case, service, server)
    if not found:
        yield skip("real servers", "none is this host")


def _listened(case: Case, service: Service, server: Server) -> Finding:
    found = look_at(case, service)
    if found.outcome is Outcome.FAIL:
        return wrong(service, server, found.said, stand_in(case, service, server))
    return replace(found, looked_at=tried(service, server))


CHECK = Check(
    "this-host",
    "where the director is a real server itself, its service listens for the VIP",
    "What is for a real server that is the director goes to the director's own programs, with the VIP as its "
    "destination: one that listens on another address only refuses its share of the clients.",
    frozenset({Role.DIRECTOR}),
    look,
)
