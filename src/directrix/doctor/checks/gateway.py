"""Which way a real server's answers go: in direct routing past the director, with masquerading through it.

On a real server, whoever answers for the VIP and for the default gateway is compared. From the
director, a SYN is sent that seems to come from far away (an address for documentation, RFC 5737 and
RFC 3849, which nobody has): if the answer comes back to the director, it is the default gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from directrix.doctor.case import CannotLook, Case, Place, who_answers
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip
from directrix.doctor.probing import foreign_syn
from directrix.doctor.served import Server, Service
from directrix.lvs import Address, ForwardingMethod, Protocol

_LOOKED_AT = (ForwardingMethod.DIRECT, ForwardingMethod.MASQUERADE)
_PATIENCE = 0.4
_WITHOUT_VIP = {
    True: "as masquerading needs it; for another method this host lacks the VIP",
    False: "right for direct routing and tunnels, for which this host lacks the VIP; with masquerading it has to be",
}
"""What it means for a host without the VIP whether its gateway is the director."""
_FAR = {4: ip_address("198.51.100.1"), 6: ip_address("2001:db8:ffff::1")}


def look(case: Case) -> Iterator[Finding]:
    """Each real server, or this one."""
    if case.role is Role.REALSERVER:
        yield from _here(case)
        return
    tried: dict[str, list[_Trial]] = {}
    for address, uses in case.servers().items():
        use = next((use for use in uses if use[0].protocol is Protocol.TCP and use[1].method in _LOOKED_AT), None)
        if use is None:
            yield skip(str(address), "none of its services is TCP by direct routing or masquerading")
            continue
        try:
            place = case.place_of(address)
        except CannotLook as reason:
            yield skip(str(address), str(reason))
        else:
            tried.setdefault(place.interface, []).append(_Trial(place, *use))
    for interface, trials in tried.items():
        yield from _from_director(case, interface, trials)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A real server to be tried, with one of the services it is for."""

    place: Place
    service: Service
    server: Server

    @property
    def direct(self) -> bool:
        return self.server.method is ForwardingMethod.DIRECT

    @property
    def target(self) -> tuple[Address, int]:
        """What the packet is for."""
        return (self.service.vip, self.service.port) if self.direct else self.server.key


def _from_director(case: Case, interface: str, trials: list[_Trial]) -> Iterator[Finding]:
    """All real servers of a wire at once: nothing but the time tells that no answer comes."""
    wire, own = case.wire(interface), case.own_mac(interface)
    tried = [foreign_syn(case, trial.place, _FAR[trial.target[0].version], *trial.target) for trial in trials]
    heard = wire.ask(
        [each.syn for each in tried],
        lambda heard: heard.kind == "tcp" and heard.to == own and heard.destination in _FAR.values(),
        seconds=_PATIENCE,
        enough=0,
    )
    for each in tried:
        wire.send(each.end)
    came = {(answer.mac, answer.source) for answer in heard}
    for trial in trials:
        yield _judged(case, trial, (trial.place.mac, trial.target[0]) in came)


def _judged(case: Case, trial: _Trial, came_here: bool) -> Finding:
    address, interface = trial.place.host, trial.place.interface
    looked_at = f"{address}, answering {_FAR[address.version]}"
    if trial.direct and came_here:
        return fail(
            looked_at,
            "its answers to clients from elsewhere come to the director, which drops what says it comes from the VIP: "
            "the director is its default gateway",
            [_another_gateway(case, interface, address)],
        )
    if trial.direct:
        return ok(looked_at, "its answers don't come through the director")
    if came_here:
        return ok(looked_at, "its answers come through the director, as masquerading needs it")
    return fail(
        looked_at,
        "its answers don't come through the director, which must give them the VIP back: clients hear a stranger",
        [Remedy(f"ip route replace default via {trial.place.source}", str(address))],
    )


def _another_gateway(case: Case, interface: str, address: Address) -> Remedy:
    """The gateway the director uses itself, if it is on the same wire; else none at all."""
    way = case.host.default_way(address.version)
    family = " -6" if address.version == 6 else ""
    if way is not None and way.gateway is not None and way.interface == interface:
        return Remedy(f"ip{family} route replace default via {way.gateway}", str(address))
    return Remedy(f"ip{family} route del default", str(address))


def _here(case: Case) -> Iterator[Finding]:
    if not case.vips:
        yield skip("the default gateway", "no VIP is known here; name it with --vip")
    for vip in case.vips:
        way = case.host.default_way(vip.version)
        client = case.client if case.client is not None and case.client.version == vip.version else None
        if client is not None and case.host.way_to(client) is None:
            yield fail(f"the route to the client {client}", "there is none: it gets no answer")
        if way is None or way.gateway is None:
            yield ok(f"the default gateway for {vip}", "there is none: clients of its own networks alone are answered")
            continue
        looked_at = f"the default gateway {way.gateway} on {way.interface}"
        source = case.asking_address(way.interface, way.gateway)
        if source is None:
            yield skip(looked_at, f"{way.interface} has no address but VIPs to ask from")
            continue
        try:
            gateway = who_answers(case, way.interface, source, way.gateway)
            director = who_answers(case, way.interface, source, vip)
        except CannotLook as reason:
            yield skip(looked_at, str(reason))
            continue
        if not gateway:
            yield fail(looked_at, "nobody answers for it: clients from elsewhere get no answer")
        elif not case.host.has(vip):
            here = director and director[0] == gateway[0]
            yield ok(looked_at, f"it is {'' if here else 'not '}the director, {_WITHOUT_VIP[bool(here)]}")
        elif director and director[0] == gateway[0]:
            family = " -6" if vip.version == 6 else ""
            yield fail(
                looked_at,
                f"it is the director of {vip}, which drops answers that say they come from the VIP: in direct routing "
                "the gateway must be the router itself; without one, clients of its own networks alone are answered",
                [Remedy(f"ip{family} route del default via {way.gateway} dev {way.interface}")],
            )
        else:
            yield ok(looked_at, "it is not the director")


CHECK = Check(
    "gateway",
    "the way a real server's answers go",
    "In direct routing answers go to clients past the director; one that gets them takes them for forged, since they "
    "say they come from its own address. With masquerading they must come through it.",
    frozenset({Role.DIRECTOR, Role.REALSERVER}),
    look,
    slow=True,
)
