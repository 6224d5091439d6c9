"""Whether director and real servers take packets of the same length."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.commands import set_mtu
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.probing import echoes, knock
from directrix.doctor.served import Server, Service
from directrix.lvs import Address, ForwardingMethod, Protocol


def look(case: Case) -> Iterator[Finding]:
    """Each real server's own word, by the maximum segment size it tells, or an echo as long as allowed."""
    served = {
        address: uses
        for address, uses in case.servers().items()
        if any(server.method is not ForwardingMethod.TUNNEL for _, server in uses)
    }
    if not served:
        yield skip("real servers", "there is none but behind tunnels, at which tunnel-path looks")
    for address, uses in case.pace.each(served.items(), "real servers"):
        use = next((use for use in uses if use[0].protocol is Protocol.TCP), None)
        try:
            place = case.place_of(address)
            told = 0
            for target, port in _targets(*use) if use else ():
                told = told or knock(case, place, target, port).mtu
            yield _compared(case, place, address, told) if told else _by_echo(case, place, address)
        except CannotLook as reason:
            yield skip(str(address), str(reason))


def _targets(service: Service, server: Server) -> list[tuple[Address, int]]:
    """Where a SYN is answered, the likeliest first: at the VIP, or at the real server's own address."""
    if server.method is ForwardingMethod.MASQUERADE:
        return [(server.address, server.port or service.port)]
    return [(service.vip, service.port), (server.address, service.port)]


def _compared(case: Case, place: Place, address: Address, told: int) -> Finding:
    here = case.host.links[place.interface].mtu
    looked_at = f"{place.interface} with MTU {here}, {address} with {told}"
    if told > here:
        return fail(
            looked_at,
            f"clients send {address} packets of up to {told} bytes, and the director takes no more than {here}: "
            "connections stand still as soon as a client sends much",
            [Remedy(f"ip link set dev {place.interface} mtu {told}", safe=True)],
        )
    if told < here:
        return warn(
            looked_at,
            "the real server takes shorter packets than the director sends on: large datagrams are lost",
            [set_mtu(address, here)],
        )
    return ok(looked_at, "the same on both sides")


def _by_echo(case: Case, place: Place, address: Address) -> Finding:
    here = case.host.links[place.interface].mtu
    looked_at = f"{place.interface} with MTU {here}, {address}"
    if not echoes(case, place, address):
        return skip(looked_at, "it tells no segment size and answers no echo requests")
    if echoes(case, place, address, here):
        return ok(looked_at, f"packets of {here} bytes get there")
    return warn(looked_at, f"packets of {here} bytes don't get there", [set_mtu(address, here)])


CHECK = Check(
    "mtu",
    "packets as long as real servers allow get through the director",
    "Client and real server agree on the length of packets without the director, and nobody is told that one is too "
    "long for its interface.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
