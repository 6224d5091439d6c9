"""Whether this director's VRRP and that of the others agree: one master, whom all heed."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from ipaddress import ip_address

from directrix.doctor.adverts import Heard, listen
from directrix.doctor.case import Case, who_answer
from directrix.doctor.checks.answers import who_is
from directrix.doctor.configured import Configured, word
from directrix.doctor.daemon import Router, Vrrp, read_daemon, read_vrrp
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.routers import Evidence, Kind, Trouble, examine, under_other_ids
from directrix.lvs import Address
from directrix.lvs.addresses import Family
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Verdict
from directrix.vrrp.configuration import MULTICAST
from directrix.vrrp.datagram import AH
from directrix.vrrp.packet import VRRP

_SHORTEST, _LONGEST = 1.0, 10.0
_PASSWORD = 1
"""VRRP version 2's authentication type (RFC 2338)."""
_CERTAIN = (Kind.FAULT, Kind.UNSENT, Kind.OTHER_ID)
"""What keeps clients from being served, or soon will, whoever is master."""


def look(case: Case) -> Iterator[Finding]:
    """Each virtual router of this host."""
    before = read_vrrp(case.ask)
    if not before.routers:
        yield skip("VRRP", "no director that speaks it (`directrix run`) is at work here")
        return
    adverts = _listen(case, before)
    until = time.monotonic()
    after = read_vrrp(case.ask)
    known = {router.name: router for router in before.routers}
    for router in after.routers:
        evidence = Evidence(known.get(router.name, router), router, adverts, until)
        troubles = examine(evidence)
        for trouble in troubles:
            wrong = fail if trouble.two_masters or trouble.kind in _CERTAIN else warn
            yield wrong(router.called, trouble.said, _remedies(case, evidence, after, trouble))
        unheard = list(_unheard(case, evidence)) if not troubles and router.holds else []
        yield from unheard
        if not troubles and not unheard:
            yield ok(router.called, _well(router, after))


def _unheard(case: Case, evidence: Evidence) -> Iterator[Finding]:
    """Hosts that answer for an address of a virtual router that is master here, and send no adverts that arrive."""
    router = evidence.after
    vip = next((each for each in router.addresses if each.version == router.family), None)
    source = None if vip is None else case.asking_address(router.interface, vip)
    if vip is None or source is None:
        return
    servers = case.servers()
    for mac in who_answer(case, router.interface, source, [vip])[vip]:
        host = who_is(case, router.interface, vip, mac)
        if host in servers:
            continue  # what is wrong there is told by another check
        who = mac.hex(":") if host is None else str(host)
        yield fail(
            router.called,
            f"{who} answers for {vip}, too, and no advert of it arrives here. Either its director was killed and left "
            "the address there (the check director tells so there), or what goes to the multicast group is lost on the "
            "way: let IP protocol 112 through, or have all directors speak to each other by unicast",
            [] if host is None else _by_unicast(case, router, host),
        )


def _by_unicast(case: Case, router: Router, peer: Address) -> list[Remedy]:
    configured = _configured(case)
    return [] if configured is None else configured.add(router.name, "unicast_peer", [str(peer)])


def _listen(case: Case, vrrp: Vrrp) -> list[Heard]:
    """What is on the wires of our virtual routers, for as long as each master needs to be heard for certain."""
    interfaces = {router.interface for router in vrrp.routers if router.interface in case.host.links}
    longest = max(router.interval for router in vrrp.routers)
    return listen(sorted(interfaces), min(max(3 * longest + 0.3, _SHORTEST), _LONGEST))


def _well(router: Router, vrrp: Vrrp) -> str:
    if router.holds:
        said = "master, and nobody else is"
    elif router.master is not None:
        said = f"backup of {router.master}, whose priority is {router.master_priority}"
    else:
        said = "backup, and no master was heard yet"
    others = [each for each in vrrp.strangers if (each.interface, each.family) == (router.interface, router.family)]
    if others:
        said += f"; other ids in use there: {', '.join(f'{each.vrid} ({each.source})' for each in others)}"
    past = ", ".join(f"{count} {cause}" for cause, count in router.rejected.items())
    return f"{said}; refused at some time before: {past}" if past else said


def _remedies(case: Case, evidence: Evidence, vrrp: Vrrp, trouble: Trouble) -> list[Remedy]:
    router, heard = evidence.after, trouble.heard
    if trouble.kind in (Kind.KEPT_BACK, Kind.UNSENT):
        return _let_through(case, router, heard)
    if heard is None:
        return []
    if trouble.kind in (Kind.DEAF, Kind.RIVALS):
        return [Remedy("directrix doctor --only vrrp --fix --yes", str(heard.source))]
    if trouble.kind is not Kind.FOREIGN and trouble.cause != "unicast" and not _gives_way(router, heard):
        # Who has less to lose is changed: there the same check tells how.
        return [Remedy("directrix doctor --only vrrp", str(heard.source))]
    configured = _configured(case)
    if configured is None:
        return []
    if trouble.kind is Kind.FOREIGN:
        free = _free_id(evidence, vrrp)
        return configured.set(router.name, "virtual_router_id", str(free)) if free else []
    if trouble.kind is Kind.OTHER_ID:
        return configured.set(router.name, "virtual_router_id", str(heard.advert.vrid))
    if trouble.kind is Kind.OWNERS:
        return configured.set(router.name, "priority", "254")
    return _agree(configured, router, heard, trouble.cause)


def _free_id(evidence: Evidence, vrrp: Vrrp) -> int | None:
    """A virtual router id that no other cluster uses: that of a director of ours which has left the old one already."""
    already = [heard.advert.vrid for heard in under_other_ids(evidence)]
    if already:
        return already[0]
    used = {heard.advert.vrid for heard in evidence.adverts}
    used |= {each.vrid for each in vrrp.strangers} | {each.vrid for each in vrrp.routers}
    ours = evidence.after.vrid
    return next((vrid for vrid in (*range(ours, 256), *range(1, ours)) if vrid not in used), None)


def _agree(configured: Configured, router: Router, heard: Heard, cause: str) -> list[Remedy]:
    """What makes this director's adverts be like those of another one, by what is different."""
    name, advert = router.name, heard.advert
    if cause == "version":
        return configured.set(name, "version", str(advert.version))
    if cause == "unicast" and not heard.destination.is_multicast:
        return configured.add(name, "unicast_peer", [str(heard.source)])
    if cause == "advertisements_interval":
        return configured.set(name, "advert_int", f"{advert.interval / 100:g}")
    if cause in ("authentication_failure", "authentication_mismatch") and advert.auth_type == _PASSWORD:
        password = word(advert.auth_data)
        if not password:
            return []
        if cause == "authentication_failure":
            return configured.set_inside(name, "authentication", "auth_pass", password)
        return configured.add(name, "authentication", ["auth_type PASS", f"auth_pass {password}"])
    if cause == "address_list":
        missing = [address for address in advert.addresses if address not in router.addresses]
        extra = [address for address in router.addresses if address not in advert.addresses]
        edits = [configured.add(name, "virtual_ipaddress", [str(address)]) for address in missing]
        edits += [edit for address in extra if (edit := configured.remove(name, "virtual_ipaddress", str(address)))]
        # Each names a line of the file as it is now, which the next one would find elsewhere.
        return edits[0] if edits else []
    return []


def _configured(case: Case) -> Configured | None:
    """The configuration of this host's director, if it can be read."""
    daemon = read_daemon(case.ask)
    try:
        return None if daemon is None else Configured(daemon)
    except OSError:
        return None


def _gives_way(router: Router, heard: Heard) -> bool:
    """Whether this director is the weaker of the two."""
    ours = (router.priority, int(router.source) if router.source is not None else 0)
    return ours < (heard.advert.priority, int(heard.source))


def _let_through(case: Case, router: Router, heard: Heard | None) -> list[Remedy]:
    """A rule ahead of the one that keeps adverts back."""
    verdict = _in_the_way(case, router, heard)
    if verdict is None:
        return []
    chain, protocol = verdict.chain, _called(AH if heard is not None and heard.signed else VRRP)
    if chain.tool:
        return [Remedy(f"{chain.tool} -t {chain.table} -I {chain.name} -p {protocol} -j ACCEPT", safe=True)]
    return [Remedy(f"nft insert rule {chain} meta l4proto {protocol} accept", safe=True)]


def _in_the_way(case: Case, router: Router, heard: Heard | None) -> Verdict | None:
    """The rule that keeps back an advert, or our own where none is given."""
    group = MULTICAST[Family.INET if router.family == 4 else Family.INET6]
    if heard is not None:
        protocol = _called(AH if heard.signed else VRRP)
        packet = Packet(protocol, heard.destination, None, router.interface, other=heard.source)
        hooks = ("ingress", "prerouting", "input")
    else:
        own = router.source or ip_address("0.0.0.0" if router.family == 4 else "::")
        packet = Packet(_called(VRRP), own, None, router.interface, answer=True, other=group)
        hooks = ("output", "postrouting", "egress")
    ruleset = case.host.ruleset
    stops = ruleset.journey(packet, *hooks).stops if ruleset is not None else []
    return stops[0] if stops else None


def _called(protocol: int) -> str:
    """A protocol as netfilter's tools call it: by its name, where the system knows one."""
    for name in {VRRP: ("vrrp",), AH: ("ah",)}[protocol]:
        try:
            if socket.getprotobyname(name) == protocol:
                return name
        except OSError:
            continue
    return str(protocol)


CHECK = Check(
    "vrrp",
    "one master, whom all directors heed, heard on the wire",
    "Two masters hold the same addresses, and clients go now to one, now to the other. They are two because one does "
    "not hear the other, or hears what it must not heed: another password, other addresses, another cluster's id.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
