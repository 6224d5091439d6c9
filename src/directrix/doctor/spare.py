"""Addresses nobody has: asked for on the wire, as RFC 5227 has a host do before it takes one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_network

from directrix.doctor.case import CannotLook, Case, who_answer
from directrix.doctor.host import Carried

_CANDIDATES = 8


def spare_address(case: Case, interface: str, network_of: Carried) -> IPv4Address | None:
    """An IPv4 address of a network that nobody on the wire answers for; None if none was found soon.

    Looked for from the end of the network, where people seldom put hosts.
    """
    if interface not in case.spares:
        case.spares[interface] = _look_for(case, interface, network_of)
    return case.spares[interface]


def _look_for(case: Case, interface: str, network_of: Carried) -> IPv4Address | None:
    network = ip_network(f"{network_of.address}/{network_of.prefix}", strict=False)
    if not isinstance(network, IPv4Network) or network.num_addresses < 8:
        return None
    known = {carried.address for carried in case.host.carried} | {each.address for each in case.host.neighbours}
    last = int(network.broadcast_address)
    candidates = [IPv4Address(last - back) for back in range(2, min(64, network.num_addresses - 2))]
    asked = [each for each in candidates if each not in known][:_CANDIDATES]
    try:
        answers = who_answer(case, interface, IPv4Address(0), asked)
    except CannotLook:
        return None
    return next((each for each in asked if not answers[each]), None)
