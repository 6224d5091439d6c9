"""Who forwards on a wire: the hosts that could be a default gateway there, and whether the one there is the director.

For IPv4 every address of a small network is asked for, and each host that answers gets a SYN for somebody far away that
may pass no router (a TTL of 1): one that forwards says by ICMP that it would have had to, or that it knows no way;
others are silent. For IPv6 all that forward are members of a group, and answer an echo request for it.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Address, ip_address, ip_network

from directrix.doctor.case import CannotLook, Case, Place, who_answer, who_answers
from directrix.doctor.finding import Remedy
from directrix.doctor.probing import echoes
from directrix.lvs import Address
from directrix.system import frames
from directrix.system.frames import Route

FAR = {4: ip_address("198.51.100.1"), 6: ip_address("2001:db8:ffff::1")}
"""Addresses for documentation (RFC 5737, RFC 3849), which nobody has."""

_ALL_ROUTERS = IPv6Address("ff02::2")
_LARGEST = 256
_PATIENCE = 0.4
_PORT = 80


def default_route(case: Case, interface: str, version: int, besides: Collection[Address], on: str = "") -> list[Remedy]:
    """The command that leads a host's answers to the router of a wire; none if no host is, or several may be, that.

    Where there is no default route yet it takes nothing away.
    """
    found = routers_on(case, interface, version, besides)
    if len(found) != 1 or (on and found[0].is_link_local):
        return []
    family, device = " -6" if version == 6 else "", f" dev {interface}" if found[0].is_link_local else ""
    safe = not on and case.host.default_way(version) is None
    return [Remedy(f"ip{family} route replace default via {found[0]}{device}", on, safe)]


def is_director(case: Case, gateway: Place, vip: Address) -> bool:
    """Whether a gateway is the director of a VIP: it answers for both, or takes packets for the VIP itself.

    For a VIP of another wire a director need not answer, over IPv6 it never does, and a real server may be faster.

    Raises:
        CannotLook: it can't be asked on this interface.
    """
    answering = who_answers(case, gateway.interface, gateway.source, vip)
    return gateway.mac in answering or echoes(case, gateway, vip, hops=1)


def director_leads_out(case: Case, vip: Address) -> bool:
    """Whether the director of a VIP is this host's default gateway, as far as that can be known."""
    way = case.host.default_way(vip.version)
    source = case.asking_address(way.interface, way.gateway) if way is not None and way.gateway is not None else None
    if way is None or way.gateway is None or source is None:
        return False
    try:
        macs = who_answers(case, way.interface, source, way.gateway)
        return bool(macs) and is_director(case, Place(way.gateway, way.interface, source, macs[0]), vip)
    except CannotLook:
        return False


def routers_on(case: Case, interface: str, version: int, besides: Collection[Address]) -> list[Address]:
    """The hosts that forward on a wire, but those named, ourselves, and whoever carries a VIP."""
    try:
        found = _of_ipv4(case, interface, besides) if version == 4 else _of_ipv6(case, interface, besides)
    except CannotLook:
        return []
    return [address for address in found if not case.is_vip(address)]


def _of_ipv4(case: Case, interface: str, besides: Collection[Address]) -> list[Address]:
    for carried in case.host.carried:
        if carried.interface != interface or carried.address.version != 4 or case.is_vip(carried.address):
            continue
        network = ip_network(f"{carried.address}/{carried.prefix}", strict=False)
        if isinstance(network, IPv4Network) and 2 < network.num_addresses <= _LARGEST:
            source = carried.address
            others = [each for each in network.hosts() if each != source and each not in besides]
            answers = who_answer(case, interface, source, others)
            return _forwarding(case, interface, source, {macs[0]: host for host, macs in answers.items() if macs})
    return []


def _forwarding(case: Case, interface: str, source: Address, hosts: dict[bytes, Address]) -> list[Address]:
    """Those hosts, by MAC, that say they would have had to send a packet on."""
    wire, own = case.wire(interface), case.own_mac(interface)
    questions = [
        frames.tcp(Route(own, mac, source, FAR[4]), wire.port, _PORT, sequence=random.randrange(1 << 31), hop_limit=1)
        for mac in hosts
    ]
    heard = wire.ask(
        questions,
        lambda heard: heard.kind in ("exceeded", "unreachable") and heard.source_port == wire.port,
        seconds=_PATIENCE,
        enough=0,
    )
    saying = {each.mac for each in heard}
    return [host for mac, host in hosts.items() if mac in saying]


def _of_ipv6(case: Case, interface: str, besides: Collection[Address]) -> list[Address]:
    source = case.asking_address(interface, _ALL_ROUTERS)
    if source is None:
        return []
    wire, own, identifier = case.wire(interface), case.own_mac(interface), random.randrange(1 << 16)
    known: set[bytes] = set()
    for each in besides:
        with suppress(CannotLook):
            known.add(case.place_of(each).mac)
    heard = wire.ask(
        [frames.echo(Route(own, frames.multicast(_ALL_ROUTERS), source, _ALL_ROUTERS), identifier)],
        lambda heard: (heard.kind, heard.identifier) == ("echo-reply", identifier),
        seconds=_PATIENCE,
        enough=0,
    )
    return [each.source for each in heard if each.mac not in known]
