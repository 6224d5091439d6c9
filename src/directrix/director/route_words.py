"""Addresses, routes and rules of a keepalived.conf as the words that `ip address add` and its like take."""

from __future__ import annotations

from directrix.keepalived.values import InterfaceAddress, NextHop, Route, Rule
from directrix.lvs import Address, Family


def address_words(address: InterfaceAddress, interface: str) -> tuple[str, ...]:
    """The words of an address on an interface."""
    words = [f"{address.address}/{address.prefix}"]
    if address.peer is not None:
        words = [str(address.address), "peer", f"{address.peer}/{address.prefix}"]
    words += ["dev", interface]
    for name, value in (("broadcast", address.broadcast), ("scope", address.scope), ("label", address.label)):
        words += [name, value] if value else []
    for name, given in (
        ("home", address.home),
        ("nodad", address.no_dad),
        ("mngtmpaddr", address.manage_temporary),
        ("noprefixroute", address.no_prefix_route),
        ("autojoin", address.auto_join),
    ):
        words += [name] if given else []
    if address.preferred_lifetime is not None:
        words += ["preferred_lft", str(address.preferred_lifetime)]
    return tuple(words)


def route_words(route: Route, default_interface: str = "") -> tuple[str, ...]:
    """The words of a route. `default_interface` is taken if it names neither an interface nor a gateway."""
    words = [] if route.type == "unicast" else [route.type]
    words.append("default" if route.destination.prefixlen == 0 else str(route.destination))
    forwards = route.type in ("unicast", "multicast", "anycast", "broadcast", "local", "nat")
    interface = route.interface
    if forwards and not (interface or route.via or route.next_hops):
        interface = default_interface
    words += _way(route.via, interface, route.on_link, route.family)
    for name, value in (
        ("src", route.source),
        ("table", route.table),
        ("metric", route.metric),
        ("scope", route.scope),
    ):
        words += [] if value in (None, "") else [name, str(value)]
    words += [word for option in route.options for word in option]
    for hop in route.next_hops:
        words += _next_hop(hop, route.family)
    return tuple(words)


def _next_hop(hop: NextHop, family: Family) -> list[str]:
    words = ["nexthop", *_way(hop.via, hop.interface, hop.on_link, family), "weight", str(hop.weight)]
    return words + [word for option in hop.options for word in option]


def _way(via: Address | None, interface: str, on_link: bool, family: Family) -> list[str]:
    words = []
    if via is not None:
        other = (via.version == 6) != (family is Family.INET6)
        words += ["via", *(["inet6" if via.version == 6 else "inet"] if other else []), str(via)]
    words += ["dev", interface] if interface else []
    return [*words, "onlink"] if on_link else words


def rule_words(rule: Rule) -> tuple[str, ...]:
    """The words of a rule."""
    words = ["not"] if rule.negate else []
    words += ["from", "all" if rule.source is None else str(rule.source)]
    words += [] if rule.destination is None else ["to", str(rule.destination)]
    words += [word for option in rule.options for word in option]
    words += [] if rule.preference is None else ["preference", str(rule.preference)]
    if rule.action == "lookup":
        words += ["table", rule.table]
    elif rule.action == "goto":
        words += ["goto", str(rule.target)]
    elif rule.action != "l3mdev":
        words.append(rule.action)
    return tuple(words)
