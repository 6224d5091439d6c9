"""Whether a real server asks for its neighbours in the VIP's name, tried on the wire.

A SYN for the VIP is sent to it that seems to come from an address nobody on the wire has. To answer,
the real server has to ask who has that address, and everybody hears in whose name it asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case
from directrix.doctor.commands import QUIET, announce
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip
from directrix.doctor.probing import foreign_syn
from directrix.doctor.spare import spare_address
from directrix.lvs import Address, ForwardingMethod, Protocol


def look(case: Case) -> Iterator[Finding]:
    """Each real server of direct routing."""
    served = case.servers(ForwardingMethod.DIRECT)
    if not served:
        yield skip("real servers", "none is reached by direct routing")
    for address, uses in case.pace.each(served.items(), "real servers"):
        service = next((each for each, _ in uses if each.protocol is Protocol.TCP), None)
        if address.version == 6:
            continue  # Neighbour discovery asks from an address of the interface.
        if service is None:
            yield skip(str(address), "none of its services is TCP")
            continue
        try:
            yield _try(case, address, service.vip, service.port)
        except CannotLook as reason:
            yield skip(str(address), str(reason))


def _try(case: Case, address: Address, vip: Address, port: int) -> Finding:
    place = case.place_of(address)
    network = next(
        (each for each in case.host.carried if each.interface == place.interface and each.reaches(address)), None
    )
    spare = spare_address(case, place.interface, network) if network else None
    if spare is None:
        raise CannotLook("no address was found that nobody has, to have it asked for")
    wire = case.wire(place.interface)
    looked_at = f"{address}, asking who has {spare}"
    tried = foreign_syn(case, place, spare, vip, port)
    heard = wire.ask(
        [tried.syn],
        lambda heard: (heard.kind, heard.mac, heard.destination) == ("arp-request", place.mac, spare),
        seconds=0.4,
        tries=2,
    )
    wire.send(tried.end)
    if not heard:
        return skip(
            looked_at, "it did not ask, so nothing is known: it may take nothing for the VIP, or route elsewhere"
        )
    if heard[0].source == vip:
        return fail(
            looked_at,
            f"it asks in the name of {vip}: who hears that believes the VIP is at this real server",
            [Remedy(QUIET, str(address)), announce(vip)],
        )
    return ok(looked_at, f"it asks in the name of {heard[0].source}")


CHECK = Check(
    "announcing",
    "in whose name real servers ask for their neighbours, tried on the wire",
    "An ARP request tells its sender's address to all who hear it. One in the VIP's name makes clients and routers "
    "send to the real server instead of the director, now and then, for seconds.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
