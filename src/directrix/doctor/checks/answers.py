"""Who answers on the wire when somebody asks for the VIP, by ARP or neighbour discovery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_network

from directrix.doctor.case import LOOPBACK, CannotLook, Case, who_answer
from directrix.doctor.checks.vip import wire_of
from directrix.doctor.commands import announce, carry_vip
from directrix.doctor.daemon import Router
from directrix.doctor.finding import EVERYWHERE, Check, Finding, Remedy, Role, fail, ok, skip
from directrix.doctor.probing import link_local_of
from directrix.lvs import Address

_TOGETHER = 256
_SEARCHED_PREFIX = 22
"""Networks up to this size are searched for whoever has the VIP as well: a thousand questions."""


def look(case: Case) -> Iterator[Finding]:
    """Each VIP on each wire on which it can be asked for."""
    if not case.vips:
        yield skip("VIPs", "none is known here; name it with --vip")
    case.ask_for(case.servers())
    # Real servers on another wire than clients could answer there too.
    ways = (case.host.way_to(address) for address in case.servers())
    towards = list(dict.fromkeys(way.interface for way in ways if way is not None and not way.local))
    asked: list[tuple[Address, str]] = []
    for vip in case.vips:
        interfaces = _interfaces(case, vip, towards)
        asked += [(vip, interface) for interface in interfaces]
        if not interfaces:
            yield skip(f"VIP {vip}", "there is no interface to ask on; name one with --interface")
    for part in case.pace.in_parts(asked, _TOGETHER, "VIPs"):
        _ask_together(case, part)
        for vip, interface in part:
            try:
                yield from _ask(case, vip, interface)
            except CannotLook as reason:
                yield skip(f"VIP {vip} on {interface}", str(reason))


def _ask_together(case: Case, asked: Sequence[tuple[Address, str]]) -> None:
    """Ask for many VIPs at once: that nobody but the director answers, only time tells."""
    groups: dict[tuple[str, Address], list[Address]] = {}
    for vip, interface in asked:
        source = case.asking_address(interface, vip)
        if source is not None:
            groups.setdefault((interface, source), []).append(vip)
    for (interface, source), vips in groups.items():
        with suppress(CannotLook):
            for vip, macs in who_answer(case, interface, source, vips).items():
                case.claims[interface, vip] = macs


def _interfaces(case: Case, vip: Address, towards: Sequence[str]) -> list[str]:
    if case.interface:
        return [case.interface]
    if case.role is Role.DIRECTOR:
        carrying = [each.interface for each in case.host.has(vip) if each.interface != LOOPBACK]
        found = dict.fromkeys([*carrying, *towards]) or {wire_of(case.host, vip): None}
    elif case.role is Role.REALSERVER:
        found = dict.fromkeys(
            each.interface
            for each in case.host.carried
            if each.address.version == vip.version and each.scope == "global" and not case.is_vip(each.address)
        )
    else:
        way = case.host.way_to(vip)
        found = {} if way is None or way.gateway is not None or way.local else {way.interface: None}
    links = case.host.links
    return [name for name in found if name and name != LOOPBACK and name in links and links[name].type == "ether"]


def _ask(case: Case, vip: Address, interface: str) -> Iterator[Finding]:
    source = case.asking_address(interface, vip)
    if source is None:
        yield skip(f"VIP {vip} on {interface}", "it has no address but VIPs to ask from")
        return
    answers = case.claims.get((interface, vip))
    if answers is None:
        answers = who_answer(case, interface, source, [vip])[vip]
    known = _known_macs(case, interface, vip.version)
    looked_at = f"who has {vip}, asked on {interface}"
    router = case.vrrp.router_of(vip) if case.role is Role.DIRECTOR else None
    if router is not None and not router.holds:
        yield from _beside_backup(case, router, vip, looked_at, answers, known)
        return
    told = ", ".join(_called(mac, known) for mac in answers)
    if case.role is Role.DIRECTOR:
        for mac in answers:
            yield _beside_director(case, vip, interface, looked_at, mac, known)
        if not answers:
            yield ok(looked_at, "nobody answers but this director")
    elif (
        not answers
        and case.role is Role.REALSERVER
        and not any(each.reaches(vip) for each in case.host.carried if each.interface == interface)
    ):
        yield ok(looked_at, "nobody answers, and this wire is not that of the VIP")
    elif not answers:
        yield fail(looked_at, "nobody answers: clients on this wire don't find the director")
    elif len(answers) > 1:
        said = f"{len(answers)} hosts answer: {told}. Clients go to whoever was heard last"
        yield fail(looked_at, f"{said}; the doctor on the director tells which of them should not")
    else:
        yield ok(looked_at, f"one host answers: {told}")


def _beside_director(
    case: Case, vip: Address, interface: str, looked_at: str, mac: bytes, known: dict[bytes, Address]
) -> Finding:
    host = known.get(mac)
    if host is not None and host in case.servers():
        # Its settings are wrong, or the VIP stands on an interface of the wire; which, can't be seen from here.
        *quiet, carried = carry_vip(vip, str(host))
        remedies = [*quiet, _drop(vip, str(host)), carried, announce(vip)]
        return fail(
            looked_at,
            f"the real server {host} ({mac.hex(':')}) answers too: clients that hear it go past the director",
            remedies,
        )
    if host is None:
        host = who_is(case, interface, vip, mac)
    where = "" if host is None else f"{host}%{interface}" if host.is_link_local else str(host)
    called = f"{where} ({mac.hex(':')})" if where else f"a host with the MAC {mac.hex(':')}"
    if case.vrrp.router_of(vip) is not None or case.killed is not None:
        # What VRRP put there it would put there again.
        which = "director" if case.vrrp.router_of(vip) is None else "vrrp"
        return fail(looked_at, f"{called} answers too: the VIP is there twice; the check {which} tells why")
    return fail(
        looked_at,
        f"{called}, which is no real server, answers too: the VIP is there twice",
        [_drop(vip, where), announce(vip)] if where else [],
    )


def _beside_backup(
    case: Case, router: Router, vip: Address, looked_at: str, answers: Sequence[bytes], known: dict[bytes, Address]
) -> Iterator[Finding]:
    """The director is no master: whoever is has to answer, and nobody else."""
    servers = [mac for mac in answers if known.get(mac) in case.servers()]
    for mac in servers:
        yield _beside_director(case, vip, router.interface, looked_at, mac, known)
    others = [mac for mac in answers if mac not in servers]
    if len(others) == 1:
        yield ok(looked_at, f"the master answers: {_called(others[0], known)}")
    elif not others:
        yield fail(
            looked_at, f"nobody answers, though this director is no master ({router.state}): nobody holds the VIP"
        )
    else:
        told = ", ".join(_called(mac, known) for mac in others)
        yield fail(looked_at, f"{len(others)} hosts answer: {told}; the check vrrp tells why")


def who_is(case: Case, interface: str, vip: Address, mac: bytes) -> Address | None:
    """The address of a host by which it can be reached, found by its MAC; None if it can't be found out."""
    known = _known_macs(case, interface, vip.version).get(mac)
    return known or _searched(case, interface, vip, mac) or link_local_of(case, interface, mac)


def _searched(case: Case, interface: str, vip: Address, mac: bytes) -> Address | None:
    """The IPv4 address of whoever has a MAC, looked for by asking for every address of a small network."""
    for carried in case.host.carried:
        if carried.interface != interface or case.is_vip(carried.address) or carried.address.version != 4:
            continue
        network = ip_network(f"{carried.address}/{carried.prefix}", strict=False)
        if carried.prefix < _SEARCHED_PREFIX:
            continue
        others = [each for each in network.hosts() if each not in (carried.address, vip)]
        found = who_answer(case, interface, carried.address, others)
        return next((address for address, macs in found.items() if mac in macs), None)
    return None


def _drop(vip: Address, on: str) -> Remedy:
    return Remedy(f"ip address flush to {vip}/{vip.max_prefixlen}", on)


def _known_macs(case: Case, interface: str, version: int) -> dict[bytes, Address]:
    """Addresses by MAC: of real servers, asked for afresh, else from the neighbour table."""
    if (interface, version) in case.macs:
        return case.macs[interface, version]
    found: dict[bytes, Address] = {}
    for each in case.host.neighbours:
        if each.mac and each.interface == interface and not each.address.is_link_local:
            _prefer(found, bytes.fromhex(each.mac.replace(":", "")), each.address, version)
    for address in case.servers():
        try:
            place = case.place_of(address)
        except CannotLook:
            continue
        if place.interface == interface and address.version == version:
            found[place.mac] = address
    case.macs[interface, version] = {mac: address for mac, address in found.items() if not case.is_vip(address)}
    return case.macs[interface, version]


def _prefer(found: dict[bytes, Address], mac: bytes, address: Address, version: int) -> None:
    if mac not in found or address.version == version:
        found[mac] = address


def _called(mac: bytes, known: dict[bytes, Address]) -> str:
    return f"{mac.hex(':')} ({known[mac]})" if mac in known else mac.hex(":")


CHECK = Check(
    "answers",
    "who answers for the VIP on the wire",
    "Clients and routers send to whoever answers when they ask for the VIP. It must be the director, and nobody else.",
    EVERYWHERE,
    look,
    slow=True,
)
