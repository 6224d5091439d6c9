"""Whether packets meet the data plane, and at which hook."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.lvs import ForwardingMethod
from directrix.system import ethtool

_UP = Remedy("directrix up", safe=True)


def look(case: Case) -> Iterator[Finding]:
    """Each attachment of the table."""
    status = case.status
    if case.make == "ipvs":
        yield skip("interfaces", "the kernel's IPVS attaches to none")
        return
    if status is None:
        yield fail("the table", "there is none in this network namespace, so nothing is forwarded", [_UP])
        return
    if not status.attachments:
        yield fail("interfaces", "the data plane is attached to none: it sees no packet", [_UP])
    for known, there in status.attachments:
        where = f"{known.name}, hook {known.hook}"
        link = case.host.links.get(known.name)
        if not there:
            yield fail(where, "the program is gone from it: the host's own stack gets the packets of clients", [_UP])
        elif known.hook == "xdp-generic":
            yield warn(
                where,
                "generic XDP copies each packet before it looks at it; tc does the same work for less",
                [Remedy(f"directrix up --interface {known.name} --hook tc")],
            )
        elif known.hook == "tc" and link is not None and not link.kind and link.type == "ether":
            yield _of_hardware(known.name, where)
        else:
            yield ok(where, "attached")
    if status.attachments:
        yield from _of_replies(case, {known.name for known, _ in status.attachments})
    if not status.current:
        yield warn("the programs attached", "they are of another build than this directrix", [_UP])


def _of_replies(case: Case, attached: set[str]) -> Iterator[Finding]:
    """Replies of masqueraded real servers must meet the data plane, too, at the interface or what it is made of."""
    seen = set()
    for address in case.servers(ForwardingMethod.MASQUERADE):
        way = case.host.way_to(address)
        if way is None or way.local or way.interface in seen:
            continue
        seen.add(way.interface)
        link = case.host.links.get(way.interface)
        below = {each.name for each in case.host.links.values() if each.master == way.interface}
        if not attached & {way.interface, *below, *([link.parent] if link is not None else [])}:
            yield fail(
                f"{way.interface}, towards {address}",
                "answers of masqueraded real servers come in there past the data plane: clients hear a stranger",
                [Remedy(f"directrix up --interface {way.interface}", safe=True)],
            )


def _of_hardware(name: str, where: str) -> Finding:
    """Hardware that is served by tc: its driver took no XDP, for good or because an offload is in the way."""
    if ethtool.large_receive(name):
        return warn(
            where,
            "large receive offload is on, with which its driver takes no native XDP; tc costs twice as much a packet",
            [Remedy(f"ethtool -K {name} lro off"), Remedy(f"directrix up --interface {name} --hook xdp")],
        )
    return ok(where, "attached; its driver took no native XDP, which would cost half as much a packet")


CHECK = Check(
    "hooks",
    "interfaces the data plane is attached to, and how",
    "A packet that does not meet the data plane goes to the director's own stack, which refuses it; a slow hook "
    "costs throughput.",
    frozenset({Role.DIRECTOR}),
    look,
)
