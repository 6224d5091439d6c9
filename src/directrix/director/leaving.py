"""Real servers that the configuration has no more, and that are drained before they go, by `drain`.

Such a server stays with the director as one that is configured with weight 0 and without checks, and a drain is ordered
of it: so table, listings, memory and API know it like any other one. When the drain is over it goes. Put back into the
configuration before that, it goes on with the connections it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from directrix.director.orders import Kind, Order
from directrix.director.setup import Setup
from directrix.director.virtual import ServerName, Virtual, port_in, sorry_key
from directrix.keepalived.values import Drain, RealServer, SorryServer

Leaving = Mapping[ServerName, RealServer]
"""Servers on their way out, as the director has them meanwhile."""


def newly_leaving(before: Setup, after: Setup, stands: Callable[[ServerName], bool]) -> dict[ServerName, RealServer]:
    """The servers that a reload takes out of virtual servers that stay, and that are to be drained.

    Args:
        before: what was configured.
        after: what is configured now.
        stands: whether a server is in the table; one that isn't has nothing to be drained.
    """
    found: dict[ServerName, RealServer] = {}
    for virtual in after.virtuals.values():
        old = before.virtuals.get(virtual.name)
        if old is None:
            continue
        for key, server in old.real_servers.items():
            drain = drain_of(server, old, virtual)
            if drain is not None and _is_out(server, virtual) and stands((virtual.name, key)):
                found[virtual.name, key] = replace(
                    server, weight=0, checks=(), inhibit_on_failure=False, slow_start=0.0, drain=drain
                )
    return found


def _is_out(server: RealServer, virtual: Virtual) -> bool:
    """Whether a virtual server has neither this server nor another one that stands in its place in the table."""
    if (server.address, server.port) in virtual.real_servers:
        return False
    others: list[RealServer | SorryServer] = [*virtual.real_servers.values()]
    sorry = virtual.settings.sorry_server
    if sorry is not None and sorry_key(sorry) != (server.address, server.port):
        others.append(sorry)
    same = [other for other in others if other.address == server.address]
    return not any(port_in(server, key) == port_in(other, key) for other in same for key in virtual.keys)


def drain_of(server: RealServer, before: Virtual, after: Virtual) -> Drain | None:
    """How a server that is configured no more is drained: as it said itself, else as its virtual server says now."""
    return after.settings.drain if server.drain == before.settings.drain else server.drain


def still_leaving(leaving: Leaving, setup: Setup) -> dict[ServerName, RealServer]:
    """Those that a configuration leaves on their way out: it has their virtual server, and has not got them back."""
    return {
        (virtual, key): server
        for (virtual, key), server in leaving.items()
        if virtual in setup.virtuals and _is_out(server, setup.virtuals[virtual])
    }


def with_leaving(setup: Setup, leaving: Leaving) -> Setup:
    """What the director goes by: what is configured, and those on their way out behind it."""
    if not leaving:
        return setup
    virtuals, checks = dict(setup.virtuals), dict(setup.checks)
    for name, server in leaving.items():
        virtual = virtuals[name[0]]
        virtuals[name[0]] = replace(virtual, real_servers={**virtual.real_servers, name[1]: server})
        checks[name] = ()
    return replace(setup, virtuals=virtuals, checks=checks)


def drain_order(drain: Drain, now: float, *, leaves: bool = False) -> Order:
    """What is ordered of a server that shall be drained so. `leaves`: the configuration has it no more."""
    return Order(Kind.DRAIN, now, seconds=drain.deadline, expire=drain.expire, udp_now=drain.udp_now, leaves=leaves)


def leaving_order(server: RealServer, order: Order | None, now: float) -> Order:
    """The order for one on its way out: a drain that the operator has begun goes on, else it is drained as configured.

    Args:
        server: it, with its `drain`.
        order: what the operator had ordered of it.
        now: seconds since the machine was started.
    """
    if order is not None and order.kind is Kind.DRAIN and order.goes_on:
        return replace(order, leaves=True)
    return drain_order(server.drain or Drain(), now, leaves=True)
