"""Whether rules of nftables or iptables are in the way on this host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.firewall import Fate, Verdict
from directrix.doctor.packet import Packet
from directrix.doctor.served import Service
from directrix.lvs import Address, Protocol, ServiceKey

_ADMINISTRATION = 22
_PATHS: dict[tuple[Role, str], tuple[tuple[str, tuple[str, ...]], ...]] = {
    # What a packet of a client meets, by role and table: netfilter's hooks, and the families if not the usual.
    (Role.DIRECTOR, "xdp"): (("egress", ("netdev",)),),
    (Role.DIRECTOR, "ipvs"): (("ingress", ("netdev",)), ("prerouting", ()), ("input", ())),
    (Role.REALSERVER, ""): (("ingress", ("netdev", "inet")), ("prerouting", ()), ("input", ())),
}
_ANSWERS = (("output", ()), ("postrouting", ()))
"""What an answer of a real server meets; the director sees none."""


def look(case: Case) -> Iterator[Finding]:
    """Each service on the way a packet for it takes through this host."""
    if case.host.rulesets is None:
        yield skip("netfilter's rules", "they can't be listed: neither nft nor iptables is there")
        return
    if case.services:
        for service in case.services:
            yield _service(case, service)
        return
    for vip in case.vips:
        yield _unnamed(case, vip)
    if not case.vips:
        yield skip("netfilter's rules", "no VIP is known here; name it with --vip")


def _service(case: Case, service: Service) -> Finding:
    if not service.port:
        return skip(str(service), "it is for every port; rules may well let only some of them in")
    verdict = _in_the_way(case, service)
    if verdict is None:
        return ok(str(service), "no rule keeps its packets back")
    what = "drops" if verdict.fate is Fate.DROPPED else "rejects"
    whose = "answers" if _is_of_answers(case, verdict) else "packets"
    return fail(str(service), f"{verdict.where} {what} its {whose}", _let_in(case, verdict, service))


def _unnamed(case: Case, vip: Address) -> Finding:
    """A real server that wasn't told its services: something that listens must be let in."""
    ports = {
        (listener.protocol, listener.port)
        for listener in case.host.listeners
        if listener.takes(listener.protocol, vip, listener.port) and listener.port != _ADMINISTRATION
    }
    kept = {}
    for protocol, port in sorted(ports):
        key = Protocol[protocol.upper()]
        service = Service(key, vip, port, ServiceKey.of(key, vip, port))
        verdict = _in_the_way(case, service)
        if verdict is not None:
            kept[service] = verdict
    if not kept:
        return ok(f"VIP {vip}", "no rule keeps packets back from what listens")
    told = ", ".join(str(service) for service in kept)
    if len(kept) < len(ports):
        return ok(f"VIP {vip}", f"rules let some of what listens be reached; not {told}. --service tells what must be")
    return warn(
        f"VIP {vip}",
        f"rules keep packets back from all that listens: {told}; {next(iter(kept.values())).where} does",
        [remedy for service, verdict in kept.items() for remedy in _let_in(case, verdict, service)],
    )


def _in_the_way(case: Case, service: Service) -> Verdict | None:
    path = _PATHS.get((case.role, case.make if case.role is Role.DIRECTOR else ""), ())
    for interface in _interfaces(case):
        client = case.client if case.client is not None and case.client.version == service.vip.version else None
        packet = Packet(service.protocol.name.lower(), service.vip, service.port, interface, other=client)
        answer = replace(packet, answer=True)
        ways = [(packet, path), (answer, _ANSWERS if case.role is Role.REALSERVER else ())]
        for ruleset in case.host.rulesets or ():
            for seen, hooks in ways:
                for hook, families in hooks:
                    for verdict in ruleset.verdicts(seen, hook, families):
                        if verdict.fate in (Fate.DROPPED, Fate.REJECTED):
                            return verdict
    return None


def _is_of_answers(case: Case, verdict: Verdict) -> bool:
    """Whether a chain is one that answers meet."""
    hooks = [hook for hook, _ in _ANSWERS]
    return any(
        chain == verdict.chain and hook in hooks
        for ruleset in case.host.rulesets or ()
        for chain, hook, _, _ in ruleset.bases
    )


def _interfaces(case: Case) -> list[str]:
    if case.interface:
        return [case.interface]
    return [
        name
        for name, link in case.host.links.items()
        if name != LOOPBACK and link.type == "ether" and any(each.interface == name for each in case.host.carried)
    ]


def _let_in(case: Case, verdict: Verdict, service: Service) -> list[Remedy]:
    """A rule that lets a service in, or its answers out, ahead of all others: nobody's rule is taken away."""
    chain = verdict.chain
    if chain is None:
        return []
    family = "ip" if service.vip.version == 4 else "ip6"
    protocol, out = service.protocol.name.lower(), _is_of_answers(case, verdict)
    if chain.tool:
        match = f"{'-s' if out else '-d'} {service.vip} -p {protocol} --{'sport' if out else 'dport'} {service.port}"
        return [Remedy(f"{chain.tool} -t {chain.table} -I {chain.name} {match} -j ACCEPT", safe=True)]
    match = f"{family} {'saddr' if out else 'daddr'} {service.vip} {protocol} {'sport' if out else 'dport'}"
    return [Remedy(f"nft insert rule {chain} {match} {service.port} accept", safe=True)]


CHECK = Check(
    "firewall",
    "rules of nftables or iptables on the way of clients' packets",
    "A rule written for the host's own address or made before there was a VIP drops the packets of clients, and "
    "nobody is told.",
    frozenset({Role.DIRECTOR, Role.REALSERVER}),
    look,
)
