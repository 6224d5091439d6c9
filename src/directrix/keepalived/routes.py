"""Lines of `static_routes` and `virtual_routes`: the words of `ip route add`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.faults import suggestion
from directrix.keepalived.interface_addresses import read_scope
from directrix.keepalived.kinds import INTERFACE, LEFT_OUT, Kind, read_address, read_integer
from directrix.keepalived.lines import Word, quoted
from directrix.keepalived.routing import EVERYTHING, CutShort, family_of_network, in_family, read_network
from directrix.keepalived.values import NextHop, Route
from directrix.lvs import Address, Family
from directrix.lvs.addresses import family_of

TYPES = (
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
)

OPTIONS: Mapping[str, str] = {
    "tos": "tos",
    "dsfield": "tos",
    "protocol": "protocol",
    "proto": "protocol",
    "mtu": "mtu",
    "hoplimit": "hoplimit",
    "advmss": "advmss",
    "rtt": "rtt",
    "rttvar": "rttvar",
    "reordering": "reordering",
    "window": "window",
    "cwnd": "cwnd",
    "ssthresh": "ssthresh",
    "realms": "realms",
    "realm": "realms",
    "rto_min": "rto_min",
    "initcwnd": "initcwnd",
    "initrwnd": "initrwnd",
    "quickack": "quickack",
    "congctl": "congctl",
    "features": "features",
    "fastopen_no_cookie": "fastopen_no_cookie",
    "pref": "pref",
    "expires": "expires",
    "vrf": "vrf",
    "ttl-propagate": "ttl-propagate",
    "encap": "encap",
}
"""Options with one word, or with `lock` and one; iproute2's spelling of each."""

OF_NEXT_HOPS = ("realms", "realm", "encap", "vrf", "ttl-propagate")
OTHERS = (
    *("src", "to", "via", "dev", "oif", "table", "metric", "priority", "preference", "scope", "onlink", "nexthop"),
    *("append", "prepend", "inet", "inet6", "no_track", "track_group", "gw", "or"),
)
ENCAPSULATIONS: Mapping[str, tuple[str, ...]] = {
    "mpls": (),
    "ila": (),
    "ip": ("id", "dst", "src", "tos", "ttl", "flags"),
    "ip6": ("id", "dst", "src", "tc", "hoplimit", "flags"),
}
"""Kinds of `encap`: those without options of their own have one word."""


@dataclass(frozen=True)
class RouteLine(Kind):
    """A route; `static` ones follow track groups, others an instance."""

    static: bool = False

    @property
    def syntax(self) -> str:
        track = "[track_group <NAME>]" if self.static else "[no_track]"
        return (
            "[<TYPE>] <NETWORK>|default [via [inet6] <IPADDR>] [dev <INTERFACE>] [src <IPADDR>] [table <TABLE>]"
            " [metric <NUMBER>] [scope <SCOPE>] [onlink] [<OPTION> [lock] <WORD>] [nexthop via … dev … weight …]"
            f" [append] [inet6] {track}"
        )

    def read(self, arguments: Arguments) -> Any:
        try:
            return _Reader(arguments, self.static).route()
        except CutShort:
            word = arguments.statement.words[arguments.at - 1]
            arguments.faults.warn(word.place, f"{word.text!r} is no network: this route is left out, as by keepalived")
            arguments.at = len(arguments.statement.words)
            return LEFT_OUT

    def write(self, value: Route) -> str:
        words = [quoted(word) for word in value.words()]
        before = words.index("nexthop") if value.next_hops else len(words)
        ours = ["append"] if value.append else []
        addresses = [address for address in (value.via, value.source) if address is not None]
        if value.destination == EVERYTHING["default"] and Family.INET6 in map(family_of, addresses):
            ours.append("inet")
        ours += ["track_group", quoted(value.track_group)] if value.track_group else []
        ours += [] if value.track else ["no_track"]
        return " ".join([*words[:before], *ours, *words[before:]])


class _Reader:
    """Reads one route, word by word."""

    def __init__(self, arguments: Arguments, static: bool) -> None:
        self.arguments = arguments
        self.static = static
        self.fields: dict[str, Any] = {}
        self.options: list[tuple[str, ...]] = []
        self.hops: list[NextHop] = []
        self.family: Family | None = None
        self.first = arguments.left[0]

    def route(self) -> Route:
        while (word := self.arguments.maybe()) is not None:
            self.word(word)
        destination = self.fields.get("destination")
        if destination is None:
            raise Bad(self.first.place, "a route needs a destination: a network, an address or `default`")
        family = self.family or family_of_network(destination)
        if self.family is None and destination == EVERYTHING["default"]:
            addresses = [self.fields[key] for key in ("source", "via") if key in self.fields]
            family = max(map(family_of, addresses), default=family)
        self.fields["destination"] = in_family(destination, family)
        if family_of_network(self.fields["destination"]) is not family:
            raise Bad(self.first.place, "this route mixes IPv4 and IPv6")
        return Route(family=family, options=tuple(self.options), next_hops=tuple(self.hops), **self.fields)

    def word(self, word: Word) -> None:
        name = word.text
        if name in ("inet", "inet6"):
            self.family = Family.INET6 if name == "inet6" else Family.INET
        elif name == "src":
            self.fields["source"] = self.address()
        elif name in ("via", "gw"):
            self.old(word, "via")
            self.fields["via"] = self.gateway()
        elif name == "or":
            self.alternative(word)
        elif name in ("dev", "oif"):
            self.fields["interface"] = INTERFACE.read(self.arguments)
        elif name == "table":
            self.fields["table"] = self.arguments.next("a table").text
        elif name in ("metric", "priority", "preference"):
            number = self.arguments.next("a number")
            self.fields["metric"] = read_integer(self.arguments, number, 0, 0xFFFFFFFF, f"{name} takes")
        elif name == "scope":
            self.fields["scope"] = read_scope(self.arguments, self.arguments.next("a scope"))
        elif name == "onlink":
            self.fields["on_link"] = True
        elif name in OPTIONS:
            self.options.append(self.option(name))
        elif name == "nexthop":
            self.next_hops()
        elif name in ("append", "prepend"):
            self.fields["append"] = name == "append"
        elif name == "no_track" and not self.static:
            self.fields["track"] = False
        elif name == "track_group" and self.static:
            self.fields["track_group"] = self.arguments.next("the name of a track group").text
        elif name in TYPES and "destination" not in self.fields:
            self.fields["type"] = name
        else:
            self.destination(word)

    def destination(self, word: Word) -> None:
        target = self.arguments.next("a network") if word.text == "to" else word
        if "destination" in self.fields:
            near = suggestion(word.text, (*OPTIONS, *OTHERS))
            raise self.arguments.wrong(word, f"{word.text!r} is no option of a route{near}")
        if target.text in TYPES:
            self.fields["type"] = target.text
            target = self.arguments.next("a network")
        self.fields["destination"] = read_network(self.arguments, target)

    def old(self, word: Word, better: str) -> None:
        if word.text != better:
            self.arguments.faults.warn(word.place, f"{word.text!r} in routes is deprecated; write {better!r}")

    def address(self) -> Address:
        return read_address(self.arguments, self.arguments.next("an address"))

    def gateway(self) -> Address:
        word = self.arguments.next("an address")
        if word.text in ("inet", "inet6"):
            word = self.arguments.next("an address")
        return read_address(self.arguments, word)

    def alternative(self, word: Word) -> None:
        """`via A or B`: two next hops, as they were written before there was `nexthop`."""
        self.old(word, "nexthop")
        first = self.fields.pop("via", None)
        if first is None:
            raise Bad(word.place, "'or' stands behind 'via' and an address")
        self.hops += [NextHop(via=first), NextHop(via=self.address())]

    def option(self, name: str) -> tuple[str, ...]:
        if name == "encap":
            return self.encapsulation()
        word = self.arguments.next("a value")
        if word.text == "lock":
            return (OPTIONS[name], "lock", self.arguments.next("a value").text)
        return (OPTIONS[name], word.text)

    def encapsulation(self) -> tuple[str, ...]:
        kind = self.arguments.next(f"one of {', '.join(ENCAPSULATIONS)}")
        if kind.text not in ENCAPSULATIONS:
            near = suggestion(kind.text, ENCAPSULATIONS) or f"; there are {', '.join(ENCAPSULATIONS)}"
            raise self.arguments.wrong(kind, f"{kind.text!r} is no encapsulation{near}")
        names = ENCAPSULATIONS[kind.text]
        if not names:
            return ("encap", kind.text, self.arguments.next("a value").text)
        words = ["encap", kind.text]
        while self.arguments.left and self.arguments.left[0].text in names:
            words += [self.arguments.next("an option").text, self.arguments.next("a value").text]
        return tuple(words)

    def next_hops(self) -> None:
        """Everything behind the first `nexthop`."""
        fields: dict[str, Any] = {}
        options: list[tuple[str, ...]] = []
        while (word := self.arguments.maybe()) is not None:
            name = word.text
            if name == "nexthop":
                self.hops.append(NextHop(options=tuple(options), **fields))
                fields, options = {}, []
            elif name in ("via", "gw"):
                self.old(word, "via")
                fields["via"] = self.gateway()
            elif name in ("dev", "oif"):
                fields["interface"] = INTERFACE.read(self.arguments)
            elif name == "weight":
                fields["weight"] = read_integer(self.arguments, self.arguments.next("a number"), 1, 256, "weight takes")
            elif name == "onlink":
                fields["on_link"] = True
            elif name in OF_NEXT_HOPS:
                options.append(self.option(name))
            else:
                known = ("via", "dev", "weight", "onlink", *OF_NEXT_HOPS)
                self.hops.append(NextHop(options=tuple(options), **fields))
                if name not in (*OPTIONS, *OTHERS):
                    raise self.arguments.wrong(word, f"{name!r} is no option of a next hop{suggestion(name, known)}")
                self.arguments.at -= 1
                return
        self.hops.append(NextHop(options=tuple(options), **fields))
