"""Trying a real server behind a tunnel, the way packets of clients reach it.

A SYN for the VIP, from an address of this host, goes into the tunnel that the director makes. A real server that
takes it out answers in the VIP's name, past the tunnel. One that doesn't says so itself: that it knows no such
protocol, that nobody is at that port. Silence has many reasons; a question that goes there without a tunnel tells
whether the host lives at all. Echo requests as long as a link takes tell whether so much gets through.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.served import Server, Service
from directrix.lvs import Address, TunnelType
from directrix.system import frames
from directrix.system.frames import ACK, RST, SYN, Route
from directrix.system.heard import Heard

_HEADERS = {4: 40, 6: 60}
"""What TCP and IP headers take."""

LEAST = 1280
"""What every link of IPv6 takes."""

_SIZES = (9000, 1500, 1492, 1480, 1460, 1450, 1420, 1400, 1360, 1300, LEAST)
"""What links take, largest first: Ethernet, PPPoE, tunnels of others, IPv6's least."""

_OUTER = {4: 20, 6: 40}
_BETWEEN = {TunnelType.IPIP: 0, TunnelType.GRE: 4, TunnelType.GUE: 12}


class Taken(enum.Enum):
    """What became of a packet in a tunnel."""

    ACCEPTED = "the connection is taken"
    REFUSED = "the connection is refused"
    UNWRAPPED = "it is taken out and rejected"
    NOT_TAKEN_OUT = "it is not taken out"
    SILENT = "there is no answer"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a SYN in a tunnel found. `mss` is the maximum segment size of the answer, 0 if it told none."""

    taken: Taken
    mss: int = 0


@dataclass(frozen=True, slots=True)
class Far:
    """A real server behind a tunnel.

    Attributes:
        place: the next host on the way there: itself, or a router.
        outer: how the outer packet goes.
        source: our address inside.
    """

    place: Place
    outer: Route
    source: Address


def far(case: Case, service: Service, server: Server) -> Far:
    """Where a real server is.

    Raises:
        CannotLook: there is no way, nobody on it answers, or we have no address to ask from.
    """
    way = case.host.way_to(server.address)
    if way is None:
        raise CannotLook(f"there is no route to {server.address}")
    if way.local:
        raise CannotLook("it is this host")
    place = case.place_of(way.gateway or server.address)
    outside = case.asking_address(place.interface, server.address) or way.source
    inside = case.asking_address(place.interface, service.vip)
    if outside is None or inside is None:
        raise CannotLook(f"{place.interface} has no address but VIPs to ask from")
    return Far(place, Route(case.own_mac(place.interface), place.mac, outside, server.address), inside)


def try_connection(case: Case, found: Far, service: Service, server: Server) -> Trial:
    """Send a SYN for a service through the tunnel to a real server; a connection taken is reset.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    wire = case.wire(found.place.interface)
    inner = Route(found.outer.source_mac, found.outer.mac, found.source, service.vip)
    sequence = random.randrange(1 << 32)
    mss = case.host.links[found.place.interface].mtu - _HEADERS[service.vip.version]

    def is_answer(heard: Heard) -> bool:
        if heard.kind == "unreachable":
            return heard.source in (server.address, service.vip)
        asked_back = (heard.kind, heard.source, heard.source_port, heard.port)
        ours = asked_back == ("tcp", service.vip, service.port, wire.port)
        return ours and heard.acknowledged == (sequence + 1) % (1 << 32)

    syn = frames.tcp(inner, wire.port, service.port, SYN, sequence=sequence, mss=mss)
    answer = _ask(case, found, server, syn, is_answer)
    if answer is None:
        return Trial(Taken.SILENT)
    if answer.kind == "unreachable":
        return Trial(Taken.UNWRAPPED if answer.source == service.vip else Taken.NOT_TAKEN_OUT)
    if answer.flags & RST or not answer.flags & ACK:
        return Trial(Taken.REFUSED)
    wire.send(_wrapped(found, server, frames.tcp(inner, wire.port, service.port, RST, sequence=sequence + 1)))
    return Trial(Taken.ACCEPTED, answer.mss)


def largest(case: Case, found: Far, service: Service, server: Server) -> int:
    """The largest packet that gets through the tunnel, of the sizes that links have; 0 if none of them does.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    mtu = case.host.links[found.place.interface].mtu
    if passes(case, found, service, server, mtu):
        return mtu
    smaller = (size for size in _SIZES if size < mtu)
    return next((size for size in smaller if passes(case, found, service, server, size, tries=1)), 0)


def segment_size(service: Service, server: Server, mtu: int) -> int:
    """The largest TCP segment whose packet fits into a tunnel's on a way that takes so much."""
    overhead = _OUTER[server.address.version] + _BETWEEN[server.tunnel.type]
    if server.tunnel.checksum and server.tunnel.type is TunnelType.GRE:
        overhead += _BETWEEN[TunnelType.GRE]
    return mtu - overhead - _HEADERS[service.vip.version]


def passes(case: Case, found: Far, service: Service, server: Server, length: int = 0, tries: int = 3) -> bool:
    """Whether an echo request for the VIP, whose outer packet is of so many bytes, is answered; 0: of few.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    identifier = random.randrange(1 << 16)
    inner = Route(found.outer.source_mac, found.outer.mac, found.source, service.vip)
    inside = max(64, length - _OUTER[server.address.version] - _BETWEEN[server.tunnel.type])
    question = frames.echo(inner, identifier, inside)
    wanted = ("echo-reply", service.vip, identifier)

    def is_answer(heard: Heard) -> bool:
        return (heard.kind, heard.source, heard.identifier) == wanted

    return _ask(case, found, server, question, is_answer, tries) is not None


def lives(case: Case, found: Far, server: Server) -> bool:
    """Whether the real server answers an echo request that comes in no tunnel.

    Raises:
        CannotLook: it can't be asked on this wire.
    """
    identifier = random.randrange(1 << 16)
    wanted = ("echo-reply", server.address, identifier)
    wire = case.wire(found.place.interface)
    try:
        heard = wire.ask(
            [frames.echo(found.outer, identifier)], lambda heard: (heard.kind, heard.source, heard.identifier) == wanted
        )
    except OSError as error:
        raise CannotLook(f"{wire.interface} takes no frames: {error.strerror}") from None
    return bool(heard)


def _wrapped(found: Far, server: Server, inner: bytes) -> bytes:
    return frames.tunnelled(found.outer, inner, server.tunnel.type.name.lower(), server.tunnel.port)


def _ask(
    case: Case, found: Far, server: Server, question: bytes, is_answer: Callable[[Heard], bool], tries: int = 3
) -> Heard | None:
    wire = case.wire(found.place.interface)
    try:
        answers = wire.ask([_wrapped(found, server, question)], is_answer, seconds=0.4, tries=tries)
    except OSError as error:
        raise CannotLook(f"{wire.interface} takes no frames: {error.strerror}") from None
    return answers[0] if answers else None
