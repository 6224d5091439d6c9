"""Whether reverse-path filtering drops clients' packets, which arrive by another way than answers leave."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import LOOPBACK, CannotLook, Case, who_answers
from directrix.doctor.checks.arp_settings import effective
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip
from directrix.lvs import Address

_STRICT = 1


def look(case: Case) -> Iterator[Finding]:
    """Each interface by which packets for a VIP come in."""
    vips = [vip for vip in case.vips if vip.version == 4]
    if not vips:
        yield skip("rp_filter", "no IPv4 VIP is known here; IPv6 has no such setting")
        return
    for name in _receiving(case, vips[0]):
        strict = effective(case, name, "rp_filter") == _STRICT
        elsewhere = _answered_elsewhere(case, name)
        looked_at = f"{name}: rp_filter {effective(case, name, 'rp_filter')}"
        if strict and elsewhere:
            place = name.replace(".", "/")
            yield fail(
                looked_at,
                f"packets that come by {name} from {elsewhere[0][0]} are dropped, because answers to them "
                f"leave by {elsewhere[0][1]}",
                [Remedy(f"sysctl -w net.ipv4.conf.{place}.rp_filter=2", safe=True)],
            )
        elif strict:
            yield ok(looked_at, f"strict, but answers leave by {name} too")
        else:
            yield ok(looked_at, "packets are taken by whatever way they come")


def _receiving(case: Case, vip: Address) -> list[str]:
    """The interfaces the director is at, by who answers for the VIP there; all with an address if none answers."""
    if case.interface:
        return [case.interface]
    carrying = {
        each.interface: each.address
        for each in case.host.carried
        if each.address.version == 4 and each.interface != LOOPBACK and each.address not in case.vips
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
    "reverse-path filtering on the interface by which the director sends",
    "A real server gets packets of every client from the director. With strict filtering those are dropped whose "
    "answers would leave by another interface.",
    frozenset({Role.REALSERVER}),
    look,
    slow=True,
)
