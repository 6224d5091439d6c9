"""Which way a real server's answers go: in direct routing past the director, with masquerading through it.

On a real server it is asked whether the default gateway is the director. From the director, a SYN is
sent that seems to come from far away (an address for documentation, RFC 5737 and RFC 3849, which nobody
has): if the answer comes back to the director, it is the default gateway. A masqueraded real server's
answers to a client that was named must come back, too, wherever that client is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from directrix.doctor.case import CannotLook, Case, Place, who_answers
from directrix.doctor.commands import single
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.gateways import FAR, default_route, is_director
from directrix.doctor.host import Carried
from directrix.doctor.probing import foreign_syn
from directrix.doctor.served import Server, Service
from directrix.lvs import Address, ForwardingMethod, Protocol

_LOOKED_AT = (ForwardingMethod.DIRECT, ForwardingMethod.MASQUERADE)
_PATIENCE = 0.4
_TOGETHER = 128
_WITHOUT_VIP = {
    True: "as masquerading needs it; for another method this host lacks the VIP",
    False: "right for direct routing and tunnels, for which this host lacks the VIP; with masquerading it has to be",
}
"""What it means for a host without the VIP whether its gateway is the director."""


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
        for part in case.pace.in_parts(trials, _TOGETHER, "real servers"):
            yield from _from_director(case, interface, part)


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
        if self.direct:
            return self.service.vip, self.service.port
        return self.server.address, self.server.port or self.service.port

    def client(self, case: Case) -> Address:
        """Whom the packet says it comes from."""
        version, named = self.target[0].version, case.client
        if self.direct or named is None or named.version != version or case.host.has(named):
            return FAR[version]
        return named


def _from_director(case: Case, interface: str, trials: list[_Trial]) -> Iterator[Finding]:
    """All real servers of a wire at once: nothing but the time tells that no answer comes."""
    wire, own = case.wire(interface), case.own_mac(interface)
    clients = [trial.client(case) for trial in trials]
    tried = [
        foreign_syn(case, trial.place, client, *trial.target) for trial, client in zip(trials, clients, strict=True)
    ]
    heard = wire.ask(
        [each.syn for each in tried],
        lambda heard: heard.kind == "tcp" and heard.to == own and heard.destination in clients,
        seconds=_PATIENCE,
        enough=0,
    )
    for each in tried:
        wire.send(each.end)
    came = {(answer.mac, answer.source) for answer in heard}
    for trial, client in zip(trials, clients, strict=True):
        yield _judged(case, trial, client, (trial.place.mac, trial.target[0]) in came)


def _judged(case: Case, trial: _Trial, client: Address, came_here: bool) -> Finding:
    address, interface = trial.place.host, trial.place.interface
    looked_at = f"{address}, answering {client}"
    if trial.direct and came_here:
        return fail(
            looked_at,
            "its answers to clients from elsewhere come to the director, which drops what says it comes from the VIP: "
            "the director is its default gateway",
            _another_gateway(case, interface, trial),
        )
    if trial.direct:
        return ok(looked_at, "its answers don't come through the director")
    if came_here:
        return ok(looked_at, "its answers come through the director, as masquerading needs it")
    return fail(
        looked_at,
        "its answers don't come through the director, which must give them the VIP back: clients hear a stranger",
        [_through_here(case, trial, client)],
    )


def _through_here(case: Case, trial: _Trial, client: Address) -> Remedy:
    """The route by which answers come here: of its own neighbours, which it reaches without a router, for each."""
    place = trial.place
    family = " -6" if client.version == 6 else ""
    beside = any(each.interface == place.interface and each.reaches(client) for each in case.host.carried)
    route = single(client) if beside else "default"
    return Remedy(f"ip{family} route replace {route} via {place.source}", str(place.host))


def _another_gateway(case: Case, interface: str, trial: _Trial) -> list[Remedy]:
    """The gateway the director uses itself, if it is on the same wire; else the one router there.

    No gateway at all is right where the VIP is of the same network: clients are then supposed to be.
    """
    address = trial.place.host
    way = case.host.default_way(address.version)
    family = " -6" if address.version == 6 else ""
    if way is not None and way.gateway is not None and way.interface == interface:
        return [Remedy(f"ip{family} route replace default via {way.gateway}", str(address))]
    if remedies := default_route(case, interface, address.version, case.servers(), str(address)):
        return remedies
    if any(own.interface == interface and own.reaches(trial.service.vip) for own in case.host.carried):
        return [Remedy(f"ip{family} route del default", str(address))]
    return []


def _here(case: Case) -> Iterator[Finding]:
    if not case.vips:
        yield skip("the default gateway", "no VIP is known here; name it with --vip")
    for vip in case.vips:
        way = case.host.default_way(vip.version)
        client = case.client if case.client is not None and case.client.version == vip.version else None
        if client is not None and case.host.way_to(client) is None:
            remedies = default_route(case, own[0].interface, vip.version, []) if (own := _own(case, vip)) else []
            yield fail(f"the route to the client {client}", "there is none: it gets no answer", remedies)
        if way is None or way.gateway is None:
            yield _without(case, vip)
            continue
        looked_at = f"the default gateway {way.gateway} on {way.interface}"
        source = case.asking_address(way.interface, way.gateway)
        if source is None:
            yield skip(looked_at, f"{way.interface} has no address but VIPs to ask from")
            continue
        try:
            gateway = who_answers(case, way.interface, source, way.gateway)
            here = bool(gateway) and is_director(case, Place(way.gateway, way.interface, source, gateway[0]), vip)
        except CannotLook as reason:
            yield skip(looked_at, str(reason))
            continue
        if not gateway:
            remedies = default_route(case, way.interface, vip.version, [])
            yield fail(looked_at, "nobody answers for it: clients from elsewhere get no answer", remedies)
        elif not case.host.has(vip):
            yield ok(looked_at, f"it is {'' if here else 'not '}the director, {_WITHOUT_VIP[here]}")
        elif here:
            family = " -6" if vip.version == 6 else ""
            yield fail(
                looked_at,
                f"it is the director of {vip}, which drops answers that say they come from the VIP: in direct routing "
                "the gateway must be the router itself; without one, clients of its own networks alone are answered",
                [Remedy(f"ip{family} route del default via {way.gateway} dev {way.interface}")],
            )
        else:
            yield ok(looked_at, "it is not the director")


def _without(case: Case, vip: Address) -> Finding:
    """Without a default gateway; clients of a VIP that is of none of this host's networks are elsewhere, too."""
    looked_at, own = f"the default gateway for {vip}", _own(case, vip)
    if not own or any(each.reaches(vip) for each in own):
        return ok(looked_at, "there is none: clients of its own networks alone are answered")
    return warn(
        looked_at,
        "there is none, and the VIP is of another network: clients there get no answer",
        default_route(case, own[0].interface, vip.version, []),
    )


def _own(case: Case, vip: Address) -> list[Carried]:
    """The addresses of this host that stand in networks."""
    return [
        each
        for each in case.host.carried
        if each.scope == "global"
        and each.address.version == vip.version
        and each.prefix < vip.max_prefixlen
        and not case.is_vip(each.address)
    ]


CHECK = Check(
    "gateway",
    "the way a real server's answers go",
    "Answers of masqueraded real servers must come through the director, which gives them the VIP back. Those of all "
    "others go to clients past it: it takes them for forged, since they say they come from its own address.",
    frozenset({Role.DIRECTOR, Role.REALSERVER}),
    look,
    slow=True,
)
