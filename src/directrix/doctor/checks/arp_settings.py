"""Whether a real server keeps quiet about the VIP: the settings in force on each of its interfaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.commands import QUIET, announce
from directrix.doctor.finding import THE_DIRECTOR, Check, Finding, Remedy, Role, fail, ok, skip
from directrix.lvs import Address
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Fate

_IGNORES = (1, 2, 8)
"""Values of arp_ignore under which an address of lo is not told on another interface."""


def look(case: Case) -> Iterator[Finding]:
    """Each interface on which somebody could ask for a VIP, or hear of it."""
    vips = [vip for vip in case.vips if vip.version == 4 and case.host.has(vip)]
    if not vips:
        yield skip("ARP settings", "this host carries no IPv4 VIP; neighbour discovery never tells addresses of lo")
        return
    for name, link in case.host.links.items():
        if name == LOOPBACK or link.type != "ether" or not link.up or link.enslaved:
            continue
        if any(carried.interface == name and carried.address.version == 4 for carried in case.host.carried):
            yield from _on_interface(case, name, vips)


def _on_interface(case: Case, name: str, vips: Sequence[Address]) -> Iterator[Finding]:
    # The kernel takes the greater of what is set for the interface and for all.
    ignore, restriction = effective(case, name, "arp_ignore"), effective(case, name, "arp_announce")
    where = f"{name}: arp_ignore {ignore}, arp_announce {restriction}"
    filtered = all(_has_rule(case, name, vip, "input") for vip in vips)
    masked = all(_has_rule(case, name, vip, "output") for vip in vips)
    wrong = []
    if ignore not in _IGNORES and not filtered:
        wrong.append(f"it answers for {vips[0]} when anybody on {name} asks, and takes clients from the director")
    if restriction < 2 and not masked:
        wrong.append("it asks for its neighbours in the VIP's name, which puts its MAC into their memory")
    if wrong:
        loud = restriction > 2 or ignore > 2
        quiet = Remedy(_quiet_on(name) if loud else QUIET, safe=True)
        yield fail(where, " and ".join(wrong), [quiet, announce(*vips, on=THE_DIRECTOR)])
    else:
        yield ok(where, "rules keep ARP for the VIP back" if filtered else "it keeps quiet about addresses of lo")


def _quiet_on(name: str) -> str:
    place = name.replace(".", "/")
    keys = [f"net.ipv4.conf.{each}.{key}" for each in ("all", place) for key in ("arp_ignore=1", "arp_announce=2")]
    return f"sysctl -w {' '.join(keys)}"


def effective(case: Case, name: str, key: str) -> int:
    """The value of an IPv4 setting that is in force on an interface: the greater of its own and that of all."""
    return max(case.host.number(f"net/ipv4/conf/{each}/{key}") for each in ("all", name))


def _has_rule(case: Case, name: str, vip: Address, hook: str) -> bool:
    """Whether rules (arptables, or nftables' arp family) drop requests for a VIP, or keep it out of our own."""
    if case.host.ruleset is None:
        return False
    journey = case.host.ruleset.journey(Packet("arp", vip, None, name, answer=hook == "output"), hook)
    return any(verdict.fate in (Fate.DROPPED, Fate.REWRITTEN) for verdict in (*journey.stops, *journey.changes))


CHECK = Check(
    "arp-settings",
    "a real server's settings that keep it quiet about the VIP",
    "Whoever answers ARP for the VIP gets the clients. By Linux's defaults a host answers on every interface for every "
    "address it has, those on lo included.",
    frozenset({Role.REALSERVER}),
    look,
)
