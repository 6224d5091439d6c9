"""Routes and routing rules, static ones and those that go with a VRRP instance."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from directrix.lvs import Address, Family

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """One of several ways of a route.

    Attributes:
        via: the gateway, of either family; None for a way straight out of `interface`.
        interface: empty for whichever leads to `via`.
        weight: its share, 1 to 256.
        on_link: take `via` for a neighbour, whatever the addresses of the interface.
        options: the rest, as `ip route` has it: names with their words.
    """

    via: Address | None = None
    interface: str = ""
    weight: int = 1
    on_link: bool = False
    options: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route, as `ip route add` takes it.

    Attributes:
        family: which routing table family.
        type: `unicast`, `blackhole`, `unreachable`, `prohibit`, `throw`, `local`, … as iproute2 has them.
        destination: whereto; all zeros with prefix 0 for the default route.
        via: the gateway; None without, or with `next_hops`.
        interface: empty for whichever leads to `via`.
        source: preferred source address (`src`).
        table: name or number; empty for the main table.
        metric: None for the kernel's.
        scope: a name or number; empty for the kernel's choice.
        on_link: take `via` for a neighbour, whatever the addresses of the interface.
        options: the rest, as `ip route` has it: names with their words, like ("mtu", "lock", "1400").
        next_hops: the ways of a multipath route.
        append: behind other routes for the same destination, not before them.
        track: whether its removal by others is a fault of the instance.
        track_group: of a static route: the track group whose instances follow it.
    """

    family: Family
    destination: Network
    type: str = "unicast"
    via: Address | None = None
    interface: str = ""
    source: Address | None = None
    table: str = ""
    metric: int | None = None
    scope: str = ""
    on_link: bool = False
    options: tuple[tuple[str, ...], ...] = ()
    next_hops: tuple[NextHop, ...] = ()
    append: bool = False
    track: bool = True
    track_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A routing rule, as `ip rule add` takes it.

    Attributes:
        family: which packets.
        action: `lookup`, `goto`, or a type as `blackhole`, `unreachable`, `prohibit`.
        table: of `lookup`: name or number.
        target: of `goto`: the preference to go on at.
        negate: for packets that do not fit (`not`).
        source, destination: networks; None for all.
        preference: its place among the rules; None to have one given.
        options: the rest, as `ip rule` has it: names with their words, like ("fwmark", "24/12").
        track: whether its removal by others is a fault of the instance.
        track_group: of a static rule: the track group whose instances follow it.
    """

    family: Family
    action: str = "lookup"
    table: str = ""
    target: int | None = None
    negate: bool = False
    source: Network | None = None
    destination: Network | None = None
    preference: int | None = None
    options: tuple[tuple[str, ...], ...] = ()
    track: bool = True
    track_group: str = ""
