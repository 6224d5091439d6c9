"""The surroundings of the table of this network namespace."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from directrix.explain.surroundings import Surroundings, Way
from directrix.lvs import Address, RealServer, ServiceKey
from directrix.lvs.errors import InvalidRequest
from directrix.system import sysctl
from directrix.system.local_address import is_here
from directrix.system.neighbours import next_hop
from directrix.table.xdp import attachment
from directrix.table.xdp.insight import Insight
from directrix.table.xdp.pins import Place

Fresh = Callable[[ServiceKey, RealServer], tuple[int, str] | None]
"""Gives interface and MAC that the data plane has of a service's real server and would use unasked."""


def check_interface(name: str | None) -> None:
    """See whether there is an interface.

    Raises:
        InvalidRequest: there is none of this name.
    """
    known = [other for _, other in socket.if_nameindex()]
    if name is not None and name not in known:
        raise InvalidRequest(f"there is no interface {name!r} here (there are: {', '.join(known)})", errno.ENODEV)


def of_our_table(place: Place, source: Address, interface: str | None, insight: Insight | None) -> Surroundings:
    """What surrounds our own table; `interface` is the one that the packet comes in by, None if nobody said.

    What is of this host itself comes in by none, unless somebody says so.
    """
    if interface is None and is_here(source):
        return Surroundings(f"none: {source} is this host, whose own connections don't go to real servers", False)
    way = None if insight is None else _way(insight.fresh_hop)
    attachments = attachment.from_record(place.read_record())
    hooks = {known.name: known.hook for known in attachments if attachment.is_there(known)}
    if interface is None:
        said = ", ".join(f"{name} ({hook})" for name, hook in hooks.items())
        arrival = f"any of those with the data plane: {said}" if hooks else _NOWHERE
    elif interface in hooks:
        arrival = f"{interface}: the data plane sees it by the hook {hooks[interface]}"
    else:
        others = f"; it sits at {', '.join(hooks)}" if hooks else ""
        arrival = f"{interface}: the data plane is not attached there{others}"
    seen = bool(hooks) if interface is None else interface in hooks
    return Surroundings(arrival, seen) if way is None else Surroundings(arrival, seen, way, _by_data_plane)


def without_table() -> Surroundings:
    """Where there is no table, nothing is seen."""
    return Surroundings(_NOWHERE, False)


_NOWHERE = "the data plane is attached to no interface; run directrix up"


def of_the_kernels() -> Surroundings:
    """What surrounds the kernel's IPVS, which sees what comes in everywhere."""
    return Surroundings(way=lambda service, server: _by_kernel(server.address), back=_by_kernel)


def _way(fresh: Fresh) -> Callable[[ServiceKey, RealServer], Way]:
    def way(service: ServiceKey, server: RealServer) -> Way:
        known = fresh(service, server)
        if known is None:
            return _by_data_plane(server.address)
        kernels = next_hop(str(server.address))
        ifindex, mac = known
        try:
            interface = socket.if_indextoname(ifindex)
        except OSError:
            interface = f"#{ifindex}"
        state = kernels.state if kernels is not None else ""
        return Way(f"{mac} on {interface}, looked up lately", "forwarded", interface, mac, state)

    return way


def _by_data_plane(address: Address) -> Way:
    if not is_here(address) and sysctl.read(f"net.ipv{address.version}.conf.lo.forwarding") == "0":
        return Way(
            f"lo forwards no IPv{address.version} any more, and the data plane asks for routes by it: `directrix up`",
            "no_route",
        )
    return _by_kernel(address)


def _by_kernel(address: Address) -> Way:
    if is_here(address):
        return Way(f"{address} is this host: its own stack gets the packet", "local")
    hop = next_hop(str(address))
    if hop is None:
        return Way(f"there is no route to {address}", "no_route")
    whose = f"{hop.gateway}, the router to {address}," if hop.gateway else f"{address}"
    if hop.resolved:
        says = f"{whose} has {hop.mac} on {hop.interface} (neighbour {hop.state})"
        return Way(says, "forwarded", hop.interface, hop.mac, hop.state)
    says = f"{whose} has no MAC yet on {hop.interface} (neighbour {hop.state or 'never asked for'})"
    return Way(says, "no_neighbour", hop.interface, "", hop.state)
