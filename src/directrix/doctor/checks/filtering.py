"""Whether rules of nftables or iptables are in the way on this host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.served import Service
from directrix.lvs import Address, ForwardingMethod, Protocol, ServiceKey
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Fate, Ruleset, Verdict

_ADMINISTRATION = 22
_PATHS: dict[tuple[Role, str], tuple[str, ...]] = {
    # What a packet of a client meets, by role and table: netfilter's hooks.
    (Role.DIRECTOR, "xdp"): ("egress",),
    (Role.DIRECTOR, "ipvs"): ("ingress", "prerouting", "input"),
    (Role.REALSERVER, ""): ("ingress", "prerouting", "input"),
}
_ANSWERS = ("output", "postrouting")
"""What an answer of a real server meets there."""
_THROUGH = "forward"
"""What it meets at a director that masquerades, over the kernel's IPVS: as it came, before it gets the VIP back."""


def look(case: Case) -> Iterator[Finding]:
    """Each service on the way a packet for it takes through this host."""
    if case.host.ruleset is None:
        yield skip("netfilter's rules", "they can't be listed: neither nft nor iptables is there")
        return
    if case.services:
        for service in case.pace.each(case.services, "services"):
            yield _service(case, service)
        return
    for vip in case.pace.each(case.vips, "VIPs"):
        yield _unnamed(case, vip)
    if not case.vips:
        yield skip("netfilter's rules", "no VIP is known here; name it with --vip")


def _service(case: Case, service: Service) -> Finding:
    if not service.port:
        return skip(str(service), "it is for every port; rules may well let only some of them in")
    stops, doubts = _on_its_way(case, service)
    if doubts and not stops and case.client is not None:
        # Somebody named a client because of trouble: then a rule that may be the cause is a suspect.
        remedies = dict.fromkeys(remedy for verdict in doubts for remedy in _let_in(verdict))
        return warn(str(service), f"no rule keeps all of its packets back{_told(doubts)}", list(remedies))
    if not stops:
        return ok(str(service), f"no rule keeps its packets back{_told(doubts)}")
    what = "drops" if stops[0].fate is Fate.DROPPED else "rejects"
    whose = "answers" if stops[0].chain.hook in (*_ANSWERS, _THROUGH) else "packets"
    remedies = dict.fromkeys(remedy for verdict in stops for remedy in _let_in(verdict))
    return fail(str(service), f"{stops[0].where} {what} its {whose}", list(remedies))


def _told(doubts: Sequence[Verdict]) -> str:
    """What is said of rules that may stop some packets, and of which no more can be known."""
    if not doubts:
        return ""
    others = f" and {len(doubts) - 1} more" if len(doubts) > 1 else ""
    return f"; {doubts[0].where}{others} may keep some back, by what can't be known here"


def _unnamed(case: Case, vip: Address) -> Finding:
    """A real server that wasn't told its services: something that listens must be let in."""
    ports = {
        (listener.protocol, listener.port)
        for listener in case.host.listeners
        if listener.takes(listener.protocol, vip, listener.port) and listener.port != _ADMINISTRATION
    }
    kept: dict[Service, list[Verdict]] = {}
    unclear: list[Verdict] = []
    for protocol, port in sorted(ports):
        key = Protocol[protocol.upper()]
        service = Service(key, vip, port, ServiceKey.of(key, vip, port))
        stops, doubts = _on_its_way(case, service)
        unclear += [each for each in doubts if each not in unclear]
        if stops:
            kept[service] = stops
    if not kept:
        return ok(f"VIP {vip}", f"no rule keeps packets back from what listens{_told(unclear)}")
    told = ", ".join(str(service) for service in kept)
    if len(kept) < len(ports):
        return ok(f"VIP {vip}", f"rules let some of what listens be reached; not {told}. --service tells what must be")
    remedies = dict.fromkeys(remedy for stops in kept.values() for verdict in stops for remedy in _let_in(verdict))
    return warn(
        f"VIP {vip}",
        f"rules keep packets back from all that listens: {told}; {next(iter(kept.values()))[0].where} does",
        list(remedies),
    )


def _on_its_way(case: Case, service: Service) -> tuple[list[Verdict], list[Verdict]]:
    """Where packets for a service are stopped, at the first interface at which they are; and what may stop some."""
    path = _PATHS.get((case.role, case.make if case.role is Role.DIRECTOR else ""), ())
    doubts: list[Verdict] = []
    rules = case.host.ruleset or Ruleset()
    for interface in _interfaces(case):
        ways = [rules.journey(case.packet(service, interface), *path)]
        if case.role is Role.REALSERVER:
            ways.append(rules.journey(case.packet(service, interface, answer=True), *_ANSWERS))
        elif case.make == "ipvs":
            ways += [rules.journey(packet, _THROUGH) for packet in _through(case, service, interface)]
        stops = [verdict for way in ways for verdict in way.stops]
        if stops:
            return stops, []
        doubts += [verdict for way in ways for verdict in way.doubts if verdict.rule not in _rules(doubts)]
    return [], doubts


def _through(case: Case, service: Service, interface: str) -> Iterator[Packet]:
    """The answers of masqueraded real servers that leave by an interface."""
    answer = case.packet(service, interface, answer=True)
    for server in service.servers:
        if server.method is ForwardingMethod.MASQUERADE:
            yield replace(answer, address=server.address, port=server.port or service.port)


def _rules(verdicts: Iterable[Verdict]) -> set[tuple[str, int] | None]:
    return {verdict.rule for verdict in verdicts}


def _interfaces(case: Case) -> list[str]:
    if case.interface:
        return [case.interface]
    return [
        name
        for name, link in case.host.links.items()
        if name != LOOPBACK and link.type == "ether" and any(each.interface == name for each in case.host.carried)
    ]


def _let_in(verdict: Verdict) -> list[Remedy]:
    """A rule that lets such packets by, ahead of all others: nobody's rule is taken away."""
    chain, packet = verdict.chain, verdict.packet
    own, port = ("s", "sport") if packet.answer else ("d", "dport")
    if chain.tool:
        match = f"-{own} {packet.address} -p {packet.protocol} --{port} {packet.port}"
        return [Remedy(f"{chain.tool} -t {chain.table} -I {chain.name} {match} -j ACCEPT", safe=True)]
    match = f"{packet.family} {own}addr {packet.address} {packet.protocol} {port} {packet.port}"
    return [Remedy(f"nft insert rule {chain} {match} accept", safe=True)]


CHECK = Check(
    "firewall",
    "rules of nftables or iptables on the way of clients' packets",
    "A rule written for the host's own address or made before there was a VIP drops the packets of clients, and "
    "nobody is told.",
    frozenset({Role.DIRECTOR, Role.REALSERVER}),
    look,
)
