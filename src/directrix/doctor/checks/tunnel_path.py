"""Each real server behind a tunnel, tried from the director through the tunnel."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case
from directrix.doctor.commands import examine, take_out
from directrix.doctor.finding import Check, Finding, Remedy, Role, ok, skip, warn
from directrix.doctor.served import Server, Service
from directrix.doctor.tunnelling import (
    LEAST,
    Far,
    Taken,
    Trial,
    far,
    largest,
    lives,
    passes,
    segment_size,
    try_connection,
)
from directrix.doctor.unfit import stand_in, tried, wrong
from directrix.lvs import Address, ForwardingMethod, Protocol


def look(case: Case) -> Iterator[Finding]:
    """Each service at each of its real servers, and how large a packet the way there takes."""
    served = case.servers(ForwardingMethod.TUNNEL)
    if not served:
        yield skip("real servers", "none is reached by a tunnel")
    for uses in served.values():
        sized: set[Address] = set()
        for service, server in uses:
            try:
                found = far(case, service, server)
                trial = _trial(case, found, service, server)
                yield _told(case, found, service, server, trial)
                if server.address not in sized and passes(case, found, service, server):
                    sized.add(server.address)
                    yield _size(case, found, service, server, trial)
            except CannotLook as reason:
                yield skip(tried(service, server), str(reason))


def _trial(case: Case, found: Far, service: Service, server: Server) -> Trial | None:
    """What a SYN finds; None where the service takes none."""
    if service.protocol is not Protocol.TCP or not service.port:
        return None
    return try_connection(case, found, service, server)


def _told(case: Case, found: Far, service: Service, server: Server, trial: Trial | None) -> Finding:
    if trial is None:
        return _by_echo(case, found, service, server)
    taken = trial.taken
    if taken is Taken.ACCEPTED:
        return ok(tried(service, server), "it takes a connection to the VIP that comes in its tunnel")
    if taken is Taken.REFUSED:
        said = f"it takes packets for the VIP out of the tunnel, but nobody listens at port {service.port}"
        return wrong(service, server, said, stand_in(case, service, server))
    if taken is Taken.UNWRAPPED:
        said = "it takes packets out of the tunnel, but its firewall rejects those for the VIP"
        return wrong(service, server, said, [examine(service, server.address)])
    if taken is Taken.NOT_TAKEN_OUT:
        return wrong(service, server, _NOT_TAKEN_OUT, [take_out(service, server)])
    if passes(case, found, service, server):
        said = f"it answers for the VIP, but a SYN for port {service.port} gets no answer: a firewall there drops it"
        return wrong(service, server, said, [examine(service, server.address)])
    return _silent(case, found, service, server)


def _by_echo(case: Case, found: Far, service: Service, server: Server) -> Finding:
    """UDP, SCTP, all ports: an echo tells whether packets for the VIP are taken out at all."""
    if passes(case, found, service, server):
        return ok(tried(service, server), "it takes packets for the VIP out of its tunnel")
    if lives(case, found, server):
        return _silent(case, found, service, server)
    return skip(tried(service, server), "it answers no echo requests, so nothing can be told of the tunnel")


def _silent(case: Case, found: Far, service: Service, server: Server) -> Finding:
    if lives(case, found, server):
        return wrong(service, server, _NOTHING_COMES_BACK, [take_out(service, server)])
    said = "nothing comes back, from the tunnel or without one: it is down, or the way there is closed"
    return wrong(service, server, said, stand_in(case, service, server))


def _size(case: Case, found: Far, service: Service, server: Server, trial: Trial | None) -> Finding:
    mtu, size = case.host.links[found.place.interface].mtu, largest(case, found, service, server)
    fitting = segment_size(service, server, size or LEAST)
    looked_at = f"the way to {server.address}"
    if size == mtu:
        return ok(looked_at, f"tunnels take packets of {mtu} bytes")
    if trial is not None and 0 < trial.mss <= fitting:
        return ok(
            looked_at, f"it takes {size} bytes, and clients are told to send no more than {trial.mss} in a segment"
        )
    said = (
        f"packets of {mtu} bytes don't get through the tunnel, which {found.place.interface} would send: the way takes "
        f"{size or f'less than {LEAST}'}. Clients are told so only where errors of its routers get back"
    )
    clamp = f"directrix realserver start --vip {service.vip} --clamp-mss {fitting}"
    return warn(looked_at, said, [Remedy(clamp, str(server.address))])


_NOT_TAKEN_OUT = "it says itself that it takes no such packets: nothing there takes them out of the tunnel"
_NOTHING_COMES_BACK = (
    "it lives, but nothing comes back of what it is sent in the tunnel: it does not take packets out or does not carry "
    "the VIP, its rp_filter or firewall drops them, or a router drops answers that say they come from the VIP"
)


CHECK = Check(
    "tunnel-path",
    "real servers behind tunnels take packets for the VIP out of them",
    "A tunnel ends at the real server: one that does not take packets out, or drops what it has taken out, is silent, "
    "and looks well to whoever asks it without a tunnel.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
