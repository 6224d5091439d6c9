"""Values as objects for JSON, with the same names wherever directrix writes them.

Names are stable: fields may be added, none is renamed. Numbers are numbers, times are seconds, and what does not
apply is null or left out of its object.
"""

from __future__ import annotations

from typing import Any, Final

from directrix.lvs.addresses import Family
from directrix.lvs.budget import Budget
from directrix.lvs.flags import flag_names
from directrix.lvs.server import ForwardingMethod, RealServer, Tunnel, TunnelType
from directrix.lvs.service import ServiceKey, VirtualService

FAMILIES: Final = {Family.INET: "inet", Family.INET6: "inet6"}


def key_object(key: ServiceKey) -> dict[str, Any]:
    """What identifies a service."""
    family = FAMILIES[key.family]
    if key.protocol is None:
        return {"family": family, "fwmark": key.fwmark}
    return {"family": family, "protocol": key.protocol.name.lower(), "address": str(key.address), "port": key.port}


def service_object(service: VirtualService) -> dict[str, Any]:
    """A service as it was defined."""
    return {
        **key_object(service.key),
        "scheduler": service.scheduler,
        "scheduler_flags": flag_names(service),
        "persistence": service.persistence or None,
        "netmask": netmask_object(service),
        "one_packet": service.one_packet,
        "engine": service.engine or None,
    }


def server_object(server: RealServer) -> dict[str, Any]:
    """A real server as it was defined."""
    return {
        "address": str(server.address),
        "port": server.port,
        "method": server.method.name.lower(),
        **({"tunnel": tunnel_object(server.tunnel)} if server.method is ForwardingMethod.TUNNEL else {}),
        "weight": server.weight,
        "upper_threshold": server.upper_threshold,
        "lower_threshold": server.lower_threshold,
    }


def budget_object(budget: Budget) -> dict[str, Any]:
    """A budget of new connections: each rate a second's, and as an operator writes it."""
    service, source = (
        None if rate is None else {"rate": rate.count / rate.period, "text": rate.text, "burst": rate.burst}
        for rate in (budget.service, budget.source)
    )
    if source is not None:
        source |= {"prefix4": budget.prefix4, "prefix6": budget.prefix6}
    return {"budget": service, "source_budget": source}


def tunnel_object(tunnel: Tunnel) -> dict[str, Any]:
    """How the tunnel method encapsulates; what its type doesn't know is left out."""
    words: dict[str, Any] = {"type": tunnel.type.name.lower()}
    if tunnel.type is TunnelType.GUE:
        words["port"] = tunnel.port
    if tunnel.type is not TunnelType.IPIP:
        words["checksum"] = (tunnel.checksum.name or "").lower()
    return words


def netmask_object(service: VirtualService) -> str | int:
    """The netmask of a service: dotted for IPv4, a prefix length for IPv6."""
    if service.key.family is Family.INET6:
        return service.netmask
    return ".".join(str(byte) for byte in service.netmask.to_bytes(4, "big"))
