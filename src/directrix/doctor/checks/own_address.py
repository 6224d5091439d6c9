"""Whether the director has an address beside the VIP to ask its real servers from."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.commands import single
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.doctor.host import Way
from directrix.doctor.spare import spare_address
from directrix.lvs import Address


def look(case: Case) -> Iterator[Finding]:
    """Each way to a real server: the address the director would ask from."""
    seen: set[tuple[str, int]] = set()
    for address in case.pace.each(case.servers(), "real servers"):
        way = case.host.way_to(address)
        if way is None or way.local or (way.interface, address.version) in seen:
            continue
        seen.add((way.interface, address.version))
        where = f"{way.interface}, towards {address}"
        # IPv6 asks from the link-local address that every interface has.
        if address.version == 6:
            yield _connecting(case, where, way) or ok(where, "neighbours are asked from its link-local address")
        elif way.source is not None and not case.is_vip(way.source):
            yield ok(where, f"neighbours are asked from {way.source}")
        else:
            yield _trapped(case, way.interface, address)
    if not seen:
        yield skip("ways to real servers", "there is none")


def _connecting(case: Case, where: str, way: Way) -> Finding | None:
    """IPv6 prefers the address that was added last, or has the longest prefix, unless that is deprecated."""
    if way.source is None or not case.is_vip(way.source):
        return None
    carried = [each for each in case.host.has(way.source) if each.interface == way.interface]
    return warn(
        where,
        f"connections of its own, health checks among them, come from the VIP {way.source}, which real servers take "
        "for their own address, and don't answer; in keepalived.conf, give the VIP no prefix length",
        [Remedy(f"ip address change {each} dev {each.interface} preferred_lft 0", safe=True) for each in carried],
    )


def _trapped(case: Case, interface: str, address: Address) -> Finding:
    vips = [carried for carried in case.host.carried if carried.interface == interface and case.is_vip(carried.address)]
    wide = [carried for carried in vips if carried.reaches(address) and carried.prefix < 32]
    remedies = []
    if wide:
        spare = spare_address(case, interface, wide[0])
        if spare is not None:
            remedies = [
                Remedy(f"ip address del {wide[0]} dev {interface}"),
                Remedy(f"ip address add {spare}/{wide[0].prefix} dev {interface}"),
                Remedy(f"ip address add {single(wide[0].address)} dev {interface}"),
            ]
            # With the address goes the network's route, and with that the default route over it.
            default = case.host.default_way(4)
            if default is not None and default.gateway is not None and default.interface == interface:
                remedies.append(Remedy(f"ip route replace default via {default.gateway} dev {interface}"))
    return fail(
        f"{interface}, towards {address}",
        "the VIP is the only address it could ask its neighbours from; real servers carry the VIP themselves and "
        "don't answer a question that seems to come from them",
        remedies,
    )


CHECK = Check(
    "own-address",
    "the director has an address of its own beside the VIP",
    "The director asks for the MACs of its real servers. A question with the VIP as the sender is one that each real "
    "server takes for its own.",
    frozenset({Role.DIRECTOR}),
    look,
)
