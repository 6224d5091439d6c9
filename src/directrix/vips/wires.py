"""What a director's VIPs are on their wires: whether another host has one, and telling everybody that we have it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address

from directrix.system import frames
from directrix.system.address import Address
from directrix.system.announcing import announcement
from directrix.system.facts.fact import Command
from directrix.system.heard import Heard
from directrix.system.links import Link
from directrix.system.whereabouts import Vip, Whereabouts
from directrix.system.wire import Wire

_NOBODY: Mapping[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}
_SECONDS, _TRIES = 0.3, 2
"""A neighbour answers within a millisecond if it isn't busy. Hosts not in a hurry ask for seconds (RFC 5227)."""


def taken(vips: Mapping[Vip, str], host: Whereabouts) -> dict[Vip, bytes]:
    """Which addresses another host answers for, each asked for at its interface, with the MAC of who does.

    They are asked for by probes, which change nobody's memory (RFC 5227, RFC 4862). An interface that can't be asked
    on (no Ethernet, down, no privilege) has nobody.
    """
    links = {link.name: link for link in host.links}
    own = {link.mac for link in host.links}
    found: dict[Vip, bytes] = {}
    for interface in dict.fromkeys(vips.values()):
        link = links[interface]
        if link.type == "ether" and link.up and link.carrier:
            wanted = [vip for vip, name in vips.items() if name == interface]
            found |= {vip: mac for vip, mac in _answers(link, wanted).items() if mac not in own}
    return found


def _answers(link: Link, vips: list[Vip]) -> dict[Vip, bytes]:
    wanted = set(vips)

    def is_answer(heard: Heard) -> bool:
        return _told_of(heard) in wanted and heard.link != link.mac

    with ExitStack() as stack:
        try:
            wire = stack.enter_context(Wire(link.name))
            questions = [frames.who_has(link.mac, _NOBODY[vip.version], vip) for vip in vips]
            heard = wire.ask(questions, is_answer, seconds=_SECONDS, tries=_TRIES, enough=len(vips))
        except OSError:
            return {}
    return {told: each.link for each in heard if (told := _told_of(each)) is not None}


def _told_of(heard: Heard) -> Address | None:
    """The address that an answer is about."""
    return {"arp-reply": heard.source, "advertisement": heard.destination}.get(heard.kind)


def announcements(vip: Vip, interface: str, host: Whereabouts) -> list[Command]:
    """What tells all neighbours that a VIP is at an interface of ours, where there are MACs; raise OSError."""
    macs = [link.mac for link in host.links if link.name == interface and link.type == "ether" and link.mac]
    return [announcement(vip, interface, mac) for mac in macs]
