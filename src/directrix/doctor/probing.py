"""Trying a real server from outside, the way packets of clients reach it in direct routing.

A SYN for the VIP is sent to the real server's MAC, from an address of this host, so that the answer
comes back here. What comes tells a good deal: a real server that takes the connection has the VIP,
listens on it and lets packets in. One that refuses has the VIP but nobody listening. One that is
silent lacks the VIP or filters; an echo request to the VIP by the same way tells which. One that
sends the very packet on has forwarding switched on and no VIP.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from directrix.doctor.case import CannotLook, Case, Place
from directrix.lvs import Address
from directrix.system import frames
from directrix.system.frames import RST, SYN, Route
from directrix.system.heard import Heard
from directrix.system.wire import Wire

_ALL_NODES = IPv6Address("ff02::1")
_MSS = {4: 40, 6: 60}
"""What TCP and IP headers take of an MTU."""


class Reach(enum.Enum):
    """What became of a SYN."""

    ACCEPTED = "the connection is taken"
    REFUSED = "the connection is refused"
    REJECTED = "a firewall rejects it"
    BOUNCED = "it is sent on"
    SILENT = "there is no answer"


@dataclass(frozen=True, slots=True)
class Knock:
    """What a SYN found. `mtu` is what the answer's maximum segment size stands for, 0 if it told none."""

    reach: Reach
    mtu: int = 0


def knock(case: Case, place: Place, address: Address, port: int) -> Knock:
    """Send a SYN for an address and port to a host, whatever its own address is; a connection taken is reset.

    What was tried once is not tried again.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    tried = (place.host, address, port)
    if tried not in case.knocks:
        case.knocks[tried] = _knock(case, place, address, port)
    return case.knocks[tried]


def _knock(case: Case, place: Place, address: Address, port: int) -> Knock:
    wire, route = case.wire(place.interface), _route(case, place, address)
    sequence = random.randrange(1 << 32)
    mtu = case.host.links[place.interface].mtu
    question = frames.tcp(route, wire.port, port, SYN, sequence=sequence, mss=mtu - _MSS[address.version])

    def is_answer(heard: Heard) -> bool:
        if heard.mac != place.mac:
            return False
        if heard.kind == "unreachable":
            return (heard.source_port, heard.port) == (wire.port, port)
        if heard.kind != "tcp":
            return False
        if (heard.source_port, heard.port) == (wire.port, port):
            return heard.sequence == sequence and heard.destination == address
        asked_back = (heard.source_port, heard.port, heard.source) == (port, wire.port, address)
        return asked_back and heard.acknowledged == (sequence + 1) % (1 << 32)

    answers = _ask(wire, question, is_answer)
    if not answers:
        return Knock(Reach.SILENT)
    answer = answers[0]
    if answer.kind == "unreachable":
        return Knock(Reach.REJECTED)
    if answer.source_port == wire.port:
        return Knock(Reach.BOUNCED)
    if answer.flags & RST:
        return Knock(Reach.REFUSED)
    wire.send(frames.tcp(route, wire.port, port, RST, sequence=(sequence + 1) % (1 << 32)))
    return Knock(Reach.ACCEPTED, answer.mss + _MSS[address.version] if answer.mss else 0)


def echoes(case: Case, place: Place, address: Address, length: int = 64, *, hops: int = 64) -> bool:
    """Whether a host answers an echo request of so many bytes for an address of its own.

    With one of `hops` nobody behind it can answer in its stead.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    wire, identifier = case.wire(place.interface), random.randrange(1 << 16)
    question = frames.echo(_route(case, place, address), identifier, length, hop_limit=hops)
    return bool(
        _ask(
            wire,
            question,
            lambda heard: (heard.kind, heard.source, heard.identifier) == ("echo-reply", address, identifier),
        )
    )


def link_local_of(case: Case, interface: str, mac: bytes) -> Address | None:
    """The IPv6 link-local address of whoever has a MAC: all hosts answer an echo request for ff02::1.

    None if it doesn't say.

    Raises:
        CannotLook: it can't be asked on this interface.
    """
    wire, identifier = case.wire(interface), random.randrange(1 << 16)
    own = next(
        (each.address for each in case.host.carried if each.interface == interface and each.address.is_link_local), None
    )
    if not isinstance(own, IPv6Address):
        return None
    route = Route(case.own_mac(interface), mac, own, _ALL_NODES)
    heard = _ask(
        wire,
        frames.echo(route, identifier),
        lambda heard: (heard.kind, heard.mac, heard.identifier) == ("echo-reply", mac, identifier),
    )
    return heard[0].source if heard else None


def refuses_datagrams(case: Case, place: Place, address: Address, port: int) -> bool:
    """Whether a host says that nobody takes UDP there; silence may mean that somebody does.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    wire = case.wire(place.interface)
    question = frames.udp(_route(case, place, address), wire.port, port)
    return bool(
        _ask(
            wire,
            question,
            lambda heard: heard.kind == "unreachable" and (heard.source_port, heard.port) == (wire.port, port),
        )
    )


@dataclass(frozen=True, slots=True)
class ForeignSyn:
    """A SYN that says it comes from somebody else, and the RST that ends what comes of it."""

    syn: bytes
    end: bytes
    sequence: int


def foreign_syn(case: Case, place: Place, source: Address, address: Address, port: int) -> ForeignSyn:
    """A SYN for an address that says it comes from `source`, for the host at a place."""
    route = Route(case.own_mac(place.interface), place.mac, source, address)
    sequence, own = random.randrange(1 << 31), case.wire(place.interface).port
    end = frames.tcp(route, own, port, RST, sequence=sequence + 1)
    return ForeignSyn(frames.tcp(route, own, port, SYN, sequence=sequence), end, sequence)


def _route(case: Case, place: Place, address: Address) -> Route:
    return Route(case.own_mac(place.interface), place.mac, place.source, address)


def _ask(wire: Wire, question: bytes, is_answer: Callable[[Heard], bool]) -> list[Heard]:
    try:
        return wire.ask([question], is_answer, seconds=0.4, tries=3)
    except OSError as error:
        raise CannotLook(f"{wire.interface} takes no frames: {error.strerror}") from None
