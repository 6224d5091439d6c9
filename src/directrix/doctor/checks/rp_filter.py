"""Whether reverse-path filtering drops packets that don't come the way they would go back.

At a real server these are clients' packets, which come from the director while answers leave by
another interface. At the clients' router they are answers, which say they come from the VIP and come from the
real servers' wire, while the VIP is on the director's.
"""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import LOOPBACK, CannotLook, Case, who_answers
from directrix.doctor.checks.arp_settings import effective
from directrix.doctor.commands import single
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip
from directrix.doctor.probing import echoes
from directrix.lvs import Address

_STRICT = 1
_TUNNELS = ("ipip", "gre", "ip6tnl", "ip6gre")
_MOST_NEIGHBOURS = 64


def look(case: Case) -> Iterator[Finding]:
    """Each interface by which packets for a VIP come in."""
    vips = [vip for vip in case.vips if vip.version == 4]
    if not vips:
        yield skip("rp_filter", "no IPv4 VIP is known here; IPv6 has no such setting")
        return
    if case.role is Role.BYSTANDER:
        for vip in vips:
            yield from _at_router(case, vip)
        return
    for name in _receiving(case, vips[0]):
        strict = effective(case, name, "rp_filter") == _STRICT
        elsewhere = _answered_elsewhere(case, name)
        looked_at = f"{name}: rp_filter {effective(case, name, 'rp_filter')}"
        if strict and elsewhere:
            yield fail(
                looked_at,
                f"packets that come by {name} from {elsewhere[0][0]} are dropped, because answers to them "
                f"leave by {elsewhere[0][1]}",
                [_loose(name)],
            )
        elif strict:
            yield ok(looked_at, f"strict, but answers leave by {name} too")
        else:
            yield ok(looked_at, "packets are taken by whatever way they come")
    yield from _out_of_tunnels(case, vips[0])


def _out_of_tunnels(case: Case, vip: Address) -> Iterator[Finding]:
    """The devices that take packets out of tunnels: no route to a client leads by one.

    The loose filter, too, drops what comes by an interface without an address of its own.
    """
    for name, link in case.host.links.items():
        if link.kind not in _TUNNELS or not link.up:
            continue
        value = effective(case, name, "rp_filter")
        looked_at = f"{name}: rp_filter {value}"
        if not value:
            yield ok(looked_at, "what comes out of the tunnel is taken")
            continue
        addressed = any(each.interface == name and each.address.version == 4 for each in case.host.carried)
        if value != _STRICT and addressed:
            yield ok(looked_at, "what comes out of the tunnel is taken from clients to whom any route leads")
            continue
        remedies = [] if addressed else [Remedy(f"ip address add {single(vip)} dev {name} scope host", safe=True)]
        yield fail(
            looked_at,
            "what comes out of the tunnel is dropped: clients sent it, to whom no route by this device leads"
            + ("" if addressed else ", and it has no address of its own"),
            [*remedies, _loose(name)],
        )


def _at_router(case: Case, vip: Address) -> Iterator[Finding]:
    way = case.host.way_to(vip)
    if not case.host.number("net.ipv4.ip_forward") or way is None:
        yield skip(f"VIP {vip}", "this host is no router to it")
        return
    for name in dict.fromkeys(each.interface for each in case.host.carried if each.address.version == 4):
        if name in (LOOPBACK, way.interface):
            continue
        looked_at = f"{name}: rp_filter {effective(case, name, 'rp_filter')}"
        if effective(case, name, "rp_filter") != _STRICT:
            yield ok(looked_at, "packets are taken by whatever way they come")
        elif found := _carrying(case, name, vip):
            yield fail(
                looked_at,
                f"answers of {found[0]} come by {name} and say they come from {vip}, which is reached by "
                f"{way.interface}: they are dropped here",
                [_loose(name)],
            )
        else:
            yield ok(looked_at, f"strict, but no real server of {vip} is known there")


def _carrying(case: Case, name: str, vip: Address) -> list[Address]:
    """The neighbours on a wire that answer an echo request for the VIP, but are not who answers ARP for it."""
    source = case.asking_address(name, vip)
    director = who_answers(case, name, source, vip) if source is not None else []
    known = [each.address for each in case.host.neighbours if each.interface == name and each.address.version == 4]
    places = []
    for address in known[:_MOST_NEIGHBOURS]:
        try:
            places.append(case.place_of(address))
        except CannotLook:
            continue
    return [place.host for place in places if place.mac not in director and echoes(case, place, vip)]


def _loose(name: str) -> Remedy:
    return Remedy(f"sysctl -w net.ipv4.conf.{name.replace('.', '/')}.rp_filter=2", safe=True)


def _receiving(case: Case, vip: Address) -> list[str]:
    """The interfaces the director is at, by who answers for the VIP there; all with an address if none answers."""
    if case.interface:
        return [case.interface]
    carrying = {
        each.interface: each.address
        for each in case.host.carried
        if each.address.version == 4 and each.interface != LOOPBACK and not case.is_vip(each.address)
    }
    found = []
    for name, source in carrying.items():
        try:
            if who_answers(case, name, source, vip):
                found.append(name)
        except CannotLook:
            continue
    return found or list(carrying)


def _answered_elsewhere(case: Case, name: str) -> list[tuple[str, str]]:
    """Destinations, with the interface, that are reached by another interface than `name`.

    The networks of the other interfaces' own addresses don't count, unless the client named is there:
    who is in one of these comes by that interface.
    """
    found = [
        ("other networks" if route.destination == "default" else f"clients in {route.destination}", route.interface)
        for route in case.host.routes
        if route.interface != name
    ]
    if case.client is not None:
        way = case.host.way_to(case.client)
        if way is not None and not way.local and way.interface != name:
            found.insert(0, (f"the client {case.client}", way.interface))
    return found


CHECK = Check(
    "rp-filter",
    "reverse-path filtering where packets come by another way than they would go back",
    "A real server gets packets of every client from the director. With strict filtering those are dropped whose "
    "answers would leave by another interface; and a router drops answers that come from another wire than the VIP's.",
    frozenset({Role.REALSERVER, Role.BYSTANDER}),
    look,
    slow=True,
)
