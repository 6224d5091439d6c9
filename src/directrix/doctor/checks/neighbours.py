"""Whether the director finds its real servers on the wire, and they are on its own segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from directrix.doctor.case import CannotLook, Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.served import Server, Service
from directrix.doctor.unfit import stand_in
from directrix.lvs import Address, ForwardingMethod


def look(case: Case) -> Iterator[Finding]:
    """Each real server: the way to it, who answers for it, and what the kernel believes."""
    servers = case.servers()
    if not servers:
        yield skip("real servers", "there is none")
    answers = case.ask_for(servers)
    for address in case.pace.each(servers, "real servers"):
        try:
            yield _look_at(case, address, answers.get(address, []))
        except CannotLook as reason:
            yield skip(str(address), str(reason))


def _look_at(case: Case, address: Address, answers: list[bytes]) -> Finding:
    uses = case.servers()[address]
    direct = any(server.method is ForwardingMethod.DIRECT for _, server in uses)
    way = case.host.way_to(address)
    if way is None:
        return _unusable(case, str(address), "there is no route to it", uses)
    if way.local:
        return ok(str(address), "it is this host")
    if way.gateway is not None:
        if not direct:
            return ok(str(address), f"reached through the router {way.gateway}")
        return _unusable(
            case,
            str(address),
            f"it is behind the router {way.gateway}, not on a segment of the director's: direct routing puts its MAC "
            "on the frame and can't pass a router, which sends the packet back to the VIP",
            [use for use in uses if use[1].method is ForwardingMethod.DIRECT],
        )
    case.way_of(address)
    looked_at = f"{address} on {way.interface}"
    forget = Remedy(f"ip neighbour del {address} dev {way.interface}", safe=True)
    entry = next(
        (each for each in case.host.neighbours if (each.address, each.interface) == (address, way.interface)), None
    )
    if not answers:
        said = "nobody answers for it: it is down, or not on this wire; its connections wait in vain"
        return _unusable(case, looked_at, said, uses)
    if len(answers) > 1:
        told = " and ".join(mac.hex(":") for mac in answers)
        return fail(looked_at, f"two hosts answer for it: {told}. One of them has the wrong address")
    believed = entry.mac if entry is not None else ""
    if believed and "PERMANENT" in (entry.states if entry else ()) and believed != answers[0].hex(":"):
        return fail(
            looked_at,
            f"it is at {answers[0].hex(':')}, but a permanent entry of the neighbour table says {believed}: its frames "
            "go astray",
            [forget],
        )
    return ok(looked_at, f"it answers from {answers[0].hex(':')}")


def _unusable(case: Case, looked_at: str, said: str, uses: Sequence[tuple[Service, Server]]) -> Finding:
    """A real server that can't be used: to be taken out, but where no other would be left.

    Who gets no connections any more hurts no new client.
    """
    if not any(server.weight > 0 for _, server in uses):
        return warn(looked_at, said)
    remedies = [remedy for use in uses for remedy in stand_in(case, *use)]
    if not remedies:
        said += "; it is not to be taken out, since no other real server is left"
    return fail(looked_at, said, remedies)


CHECK = Check(
    "neighbours",
    "real servers answer on the director's own segment",
    "The director puts the MAC of the real server on a frame, or that of the router to it; packets for one it doesn't "
    "find wait, and are lost.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
