"""Whether the director forwards what it has to: by the data plane, and for masqueraded real servers by the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.lvs import Address, ForwardingMethod

_SWITCH = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_BY_ROUTERS = "1"
"""Of `accept_ra`: routers are listened to, by hosts that don't forward."""


def look(case: Case) -> Iterator[Finding]:
    """Each version of IP that there are real servers of."""
    looked = False
    for version in (4, 6):
        addresses = [address for address in case.servers() if address.version == version]
        if addresses and case.make == "xdp":
            looked = True
            yield _of_lo(case, version)
        masqueraded = [each for each in case.servers(ForwardingMethod.MASQUERADE) if each.version == version]
        if masqueraded:
            looked = True
            yield _of_kernel(case, version, masqueraded)
    if not looked:
        yield skip("forwarding", "no service here needs any")


def _of_lo(case: Case, version: int) -> Finding:
    """Our data plane asks for routes as if packets came from lo, and gets an answer only where that forwards."""
    key = f"net.ipv{version}.conf.{LOOPBACK}.forwarding"
    if case.host.sysctl(key) != "0":
        return ok(f"{LOOPBACK}, IPv{version}", "the data plane is told routes by the kernel")
    return fail(
        f"{key} is 0",
        "the data plane asks for routes as if from there and is told of none: nothing gets to a real server. "
        f"`directrix up` set it, and writing {_SWITCH[version]} has put it back",
        [Remedy("directrix up", safe=True)],
    )


def _of_kernel(case: Case, version: int, servers: Sequence[Address]) -> Finding:
    looked_at = f"forwarding of IPv{version}"
    off = [key for key in _needed(case, version, servers) if case.host.sysctl(key) == "0"]
    if not off:
        return ok(looked_at, "on: masqueraded real servers reach others through this director")
    said = f"{', '.join(off)} is 0: "
    remedies = [*_kept_routes(case, version), *(Remedy(f"sysctl -w {key}=1") for key in off)]
    if case.make == "ipvs":
        return fail(looked_at, f"{said}answers of masqueraded real servers are dropped", remedies)
    return warn(
        looked_at,
        f"{said}the answers of masqueraded real servers get through, but what they begin themselves does not: updates, "
        "names, mail",
        remedies,
    )


def _needed(case: Case, version: int, servers: Sequence[Address]) -> list[str]:
    """The switch alone where it is off, else the settings of the interfaces in question; of IPv6 the switch decides."""
    switch = _SWITCH[version]
    if version == 6 or case.host.sysctl(switch) == "0":
        return [switch]
    ways = [case.host.way_to(address) for address in servers]
    names = [way.interface for way in ways if way is not None and not way.local]
    names += [each.interface for vip in case.vips for each in case.host.has(vip) if vip.version == version]
    return [f"net.ipv4.conf.{name.replace('.', '/')}.forwarding" for name in dict.fromkeys(names) if name != LOOPBACK]


def _kept_routes(case: Case, version: int) -> list[Remedy]:
    """A host that forwards IPv6 forgets the default route that a router told it of, unless it is told not to."""
    way = case.host.default_way(6) if version == 6 else None
    if way is None or way.gateway is None or not way.gateway.is_link_local:
        return []
    key = f"net.ipv6.conf.{way.interface.replace('.', '/')}.accept_ra"
    return [Remedy(f"sysctl -w {key}=2")] if case.host.sysctl(key) == _BY_ROUTERS else []


CHECK = Check(
    "forwarding",
    "this director forwards what it has to",
    "The data plane needs the kernel's word on routes, and real servers behind masquerading have the director for a "
    "router.",
    frozenset({Role.DIRECTOR}),
    look,
)
