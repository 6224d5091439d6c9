"""Routes and routing rules, static ones and those that go with a VRRP instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from directrix.lvs import Address, Family
from directrix.lvs.addresses import family_of

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

    def words(self, family: Family) -> Iterator[str]:
        """As `ip route add` takes it behind `nexthop`, in a route of this family."""
        yield from _way(self.via, self.interface, family)
        if self.weight != 1:
            yield from ("weight", str(self.weight))
        if self.on_link:
            yield "onlink"
        for option in self.options:
            yield from option


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

    def words(self) -> Iterator[str]:
        """As `ip route add` takes it, with `-6` before it if that is the family; `ip route append` if `append`."""
        if self.type != "unicast":
            yield self.type
        yield str(self.destination)
        yield from _way(self.via, self.interface, self.family)
        if self.source is not None:
            yield from ("src", str(self.source))
        if self.table:
            yield from ("table", self.table)
        if self.metric is not None:
            yield from ("metric", str(self.metric))
        if self.scope:
            yield from ("scope", self.scope)
        if self.on_link:
            yield "onlink"
        for option in self.options:
            yield from option
        for hop in self.next_hops:
            yield from ("nexthop", *hop.words(self.family))


def _way(via: Address | None, interface: str, family: Family) -> Iterator[str]:
    if via is not None:
        other = () if family_of(via) is family else (f"inet{'6' if via.version == 6 else ''}",)
        yield from ("via", *other, str(via))
    if interface:
        yield from ("dev", interface)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A routing rule, as `ip rule add` takes it.

    Attributes:
        family: which packets.
        action: `lookup`, `goto`, `l3mdev`, or a type as `blackhole`, `unreachable`, `prohibit`.
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

    def words(self) -> Iterator[str]:
        """As `ip rule add` takes it, with `-6` before it if that is the family."""
        if self.negate:
            yield "not"
        for name, network in (("from", self.source), ("to", self.destination)):
            if network is not None:
                yield from (name, str(network))
        for option in self.options:
            yield from option
        if self.action == "lookup":
            yield from ("table", self.table)
        elif self.action == "goto":
            yield from ("goto", str(self.target))
        elif self.action != "l3mdev":
            yield self.action
        if self.preference is not None:
            yield from ("preference", str(self.preference))
