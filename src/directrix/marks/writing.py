"""Mark rules as text: listed for people, as JSON for programs, saved for restoring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from directrix.lvs import Family, MarkMatch, MarkRule
from directrix.lvs.mark import destination, network_text, ports_text
from directrix.marks.words import DESTINATION, DPORT, MARK, PROTO, SERVICES, SHORT, Names

_TITLES = ("Prot", "Destination:Port", "Mark")
_SERVICE_OPTIONS = {
    protocol: next((short for short, long in SHORT.items() if long == option), option)
    for option, protocol in SERVICES.items()
}


def in_order(rules: Iterable[MarkRule]) -> list[MarkRule]:
    """By family, address, prefix, protocol and ports; of two that fit one packet the more specific one comes last."""

    def place(rule: MarkRule) -> tuple[int, int, int, int, int, int]:
        match = rule.match
        network = match.network
        return (
            network.version,
            int(network.network_address),
            network.prefixlen,
            int(match.protocol or 0),
            match.first_port,
            -match.last_port,
        )

    return sorted(rules, key=place)


def listing(rules: Iterable[MarkRule], names: Names | None) -> Iterator[str]:
    """Titles, then a line a rule; with `names`, hosts and ports by name where they have one."""
    rows = [_TITLES, *((_protocol(rule.match), _named(rule.match, names), str(rule.mark)) for rule in in_order(rules))]
    width = max(len(row[1]) for row in rows)
    for protocol, where, mark in rows:
        yield f"{protocol:<4} {where:<{width}} {mark}\n"


def as_json(rules: Iterable[MarkRule]) -> str:
    """All rules on one line. `protocol` is null for all, `ports` null for every port."""
    import json

    found = [
        {
            "family": "inet" if rule.match.family is Family.INET else "inet6",
            "protocol": rule.match.protocol.name.lower() if rule.match.protocol else None,
            "destination": str(rule.match.network),
            "ports": None if rule.match.every_port else [rule.match.first_port, rule.match.last_port],
            "mark": rule.mark,
        }
        for rule in in_order(rules)
    ]
    return json.dumps({"marks": found}, separators=(",", ":")) + "\n"


def saved(rules: Iterable[MarkRule]) -> Iterator[str]:
    """A line a rule, in the words that made it or could have."""
    for rule in in_order(rules):
        yield f"{_words(rule.match)} {MARK} {rule.mark}\n"


def _words(match: MarkMatch) -> str:
    ports = ports_text(match)
    if match.protocol is not None and ports:
        return f"{_SERVICE_OPTIONS[match.protocol]} {destination(match)}"
    text = f"{PROTO} {_protocol(match).lower()} {DESTINATION} {network_text(match.network)}"
    return f"{text} {DPORT} {ports}" if ports else text


def _protocol(match: MarkMatch) -> str:
    return match.protocol.name if match.protocol is not None else "all"


def _named(match: MarkMatch, names: Names | None) -> str:
    if names is None:
        return destination(match)
    network, ports = match.network, ports_text(match)
    name = names.host(network.network_address) if network.prefixlen == network.max_prefixlen else None
    if match.protocol is not None and ports and match.first_port == match.last_port:
        ports = names.service(match.first_port, match.protocol) or ports
    if name is None:
        where, _, _ = destination(match).rpartition(":") if ports else (destination(match), "", "")
    else:
        where = name
    return f"{where}:{ports}" if ports else where
