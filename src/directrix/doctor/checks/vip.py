"""Whether the VIP is carried where it must be: by the director on a wire, by a real server on `lo`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.commands import announce, carry_vip, on_director
from directrix.doctor.daemon import Router
from directrix.doctor.finding import THE_DIRECTOR, Check, Finding, Remedy, Role, fail, ok, skip
from directrix.doctor.gateways import director_leads_out
from directrix.doctor.host import Carried, Host
from directrix.doctor.redirection import redirected
from directrix.lvs import Address


def look(case: Case) -> Iterator[Finding]:
    """Each VIP on this host."""
    if not case.vips:
        yield skip("VIPs", "none is known here; name it with --vip")
    for vip in case.pace.each(case.vips, "VIPs"):
        if case.role is Role.DIRECTOR:
            yield from _on_director(case, vip)
        elif case.role is Role.REALSERVER:
            yield from _on_real_server(case, vip)
        else:
            yield from _on_bystander(case, vip)


def _on_director(case: Case, vip: Address) -> Iterator[Finding]:
    carried = [each for each in case.host.has(vip) if each.interface != LOOPBACK]
    router = case.vrrp.router_of(vip)
    if router is not None and (not carried or not router.holds):
        yield _by_vrrp(vip, router, carried)
        return
    if carried:
        yield ok(f"VIP {vip}", f"carried on {', '.join(each.interface for each in carried)}")
        return
    interface = case.interface or wire_of(case.host, vip)
    if not interface and case.host.has(vip):
        yield ok(f"VIP {vip}", "carried on lo: routers have to send it here")
        return
    yield fail(
        f"VIP {vip}",
        "the director does not carry it: nobody answers when clients ask for it",
        [Remedy(f"ip address add {on_director(vip, interface)}", safe=True)] if interface else [],
    )


def _by_vrrp(vip: Address, router: Router, carried: list[Carried]) -> Finding:
    """A VIP that goes with the mastership, which is elsewhere, or has not come with it."""
    looked_at = f"VIP {vip}, which goes with {router.called}"
    if carried:
        said = f"this director is no master ({router.state}) and carries it nevertheless: two hosts have it"
        return fail(looked_at, said, [Remedy(f"ip address del {each} dev {each.interface}") for each in carried])
    if router.holds:
        return fail(looked_at, "this director is master and does not carry it: nobody answers when clients ask for it")
    return ok(looked_at, f"not carried: this director is no master ({router.state})")


def _on_real_server(case: Case, vip: Address) -> Iterator[Finding]:
    host = case.host
    looked_at = f"VIP {vip}"
    on_lo = [each for each in host.has(vip) if each.interface == LOOPBACK]
    elsewhere = [each for each in host.has(vip) if each.interface != LOOPBACK]
    wide = [each for each in on_lo if each.prefix != vip.max_prefixlen]
    if wide:
        yield _too_wide(vip, wide[0])
    elif on_lo:
        yield ok(looked_at, "carried on lo")
    if elsewhere and not any(_may_stand(each, host) for each in elsewhere):
        first = elsewhere[0]
        yield fail(
            f"{looked_at} on {first.interface}",
            "there it is an address of the wire, and this host answers for it beside the director",
            [
                *carry_vip(vip),
                Remedy(f"ip address del {first} dev {first.interface}"),
                announce(vip, on=THE_DIRECTOR),
            ],
        )
    elif elsewhere:
        yield ok(looked_at, f"carried on {elsewhere[0].interface}, which is on no wire")
    if not on_lo and not elsewhere:
        if redirected(case, vip):
            yield ok(looked_at, "not carried, but packets for it are redirected to this host")
        elif director_leads_out(case, vip):
            yield skip(
                looked_at,
                "not carried, and the default gateway is the director, as masquerading needs it; for direct routing or "
                "a tunnel this real server lacks it",
            )
        else:
            yield fail(
                looked_at, "this real server does not carry it, and drops what the director sends", carry_vip(vip)
            )


def _too_wide(vip: Address, carried: Carried) -> Finding:
    """Of IPv4 all addresses of its network are local then; IPv6 gets a route to that network by lo."""
    network, away = _network(carried), Remedy(f"ip address del {carried} dev lo")
    if vip.version == 4:
        said = f"on lo this makes every address of {network} one of this host: it can't answer clients there"
        remedies = [*carry_vip(vip), away]
    else:
        # The same IPv6 address isn't carried twice, so the wide one goes first.
        said = f"on lo this makes a second route to {network}, and answers to clients there may go by it, to nowhere"
        remedies = [away, *carry_vip(vip)]
    return fail(f"VIP {vip} as {carried} on lo", said, remedies)


def _on_bystander(case: Case, vip: Address) -> Iterator[Finding]:
    carried = case.host.has(vip)
    if not carried:
        yield ok(f"VIP {vip}", "not carried by this host, which is neither director nor real server")
    for each in carried:
        yield fail(
            f"VIP {vip} on {each.interface}",
            "this host carries the VIP, though it is neither director nor real server of it",
            [Remedy(f"ip address del {each} dev {each.interface}"), announce(vip, on=THE_DIRECTOR)],
        )


def _may_stand(carried: Carried, host: Host) -> bool:
    """Whether an interface has no wire on which somebody could ask for its addresses."""
    link = host.links.get(carried.interface)
    return link is not None and (link.kind == "dummy" or link.type != "ether")


def _network(carried: Carried) -> str:
    return str(ipaddress.ip_network(f"{carried.address}/{carried.prefix}", strict=False))


def wire_of(host: Host, vip: Address) -> str:
    """The interface whose network a VIP belongs to, else that of the default route, else the only one; or empty."""
    for carried in host.carried:
        if carried.interface != LOOPBACK and carried.address != vip and carried.reaches(vip):
            return carried.interface
    way = host.default_way(vip.version)
    if way is not None and way.interface != LOOPBACK:
        return way.interface
    wired = [link.name for link in host.links.values() if link.type == "ether" and link.up]
    return wired[0] if len(wired) == 1 else ""


CHECK = Check(
    "vip",
    "the VIP is carried where it must be, and only there",
    "Clients find the VIP at the director; a real server takes packets for it only if it has it, on lo, where nobody "
    "can ask for it.",
    frozenset(Role),
    look,
)
