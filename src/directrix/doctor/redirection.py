"""Rules that take packets for a VIP to another address or port of the host, instead of the VIP on lo."""

from __future__ import annotations

from directrix.doctor.case import Case
from directrix.lvs import Address
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Fate, Verdict


def redirection(case: Case, protocol: str, vip: Address, port: int) -> Verdict | None:
    """Where packets for a VIP's port are redirected by this host's rules; None if they are not."""
    if case.host.ruleset is None:
        return None
    for interface in _interfaces(case):
        journey = case.host.ruleset.journey(Packet(protocol, vip, port, interface), "prerouting")
        for verdict in journey.changes:
            if verdict.fate is Fate.REDIRECTED:
                return verdict
    return None


def redirected(case: Case, vip: Address) -> bool:
    """Whether packets for a VIP are redirected: of its services, or of any port a rule could be for."""
    services = [service for service in case.services if service.vip == vip]
    if services:
        return all(
            redirection(case, service.protocol.name.lower(), vip, service.port) is not None for service in services
        )
    return redirection(case, "tcp", vip, 0) is not None or any(
        redirection(case, listener.protocol, vip, listener.port) is not None for listener in case.host.listeners
    )


def _interfaces(case: Case) -> list[str]:
    if case.interface:
        return [case.interface]
    return [link.name for link in case.host.links.values() if link.type == "ether"]
