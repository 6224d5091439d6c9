"""From mark rules to what the data plane looks up: under each prefix, ranges of ports and their marks.

The ranges under a prefix hold all that its destinations can come to: what the rules of wider
prefixes say, over that the rules of the prefix itself for all protocols, and over those the ones
for its own protocol; each time the narrower range over the wider. The result is disjoint and
sorted, and the data plane need not know what is specific.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from directrix.lvs import Protocol
from directrix.lvs.mark import MarkRule, Network


class Range(NamedTuple):
    """Ports, both ends included, and the mark they have."""

    first: int
    last: int
    mark: int


Ranges = tuple[Range, ...]
Plan = dict[tuple[Protocol, Network], Ranges]


def plan(rules: Iterable[MarkRule]) -> Plan:
    """The ranges under each prefix that a rule names, by protocol."""
    by_place: dict[tuple[Network, Protocol | None], list[MarkRule]] = {}
    for rule in rules:
        by_place.setdefault((rule.match.network, rule.match.protocol), []).append(rule)
    planned: Plan = {}
    for protocol in Protocol:
        networks = {network for network, named in by_place if named in (None, protocol)}
        lengths = sorted({network.prefixlen for network in networks}, reverse=True)
        for network in sorted(networks, key=lambda network: network.prefixlen):
            wider = (network.supernet(new_prefix=length) for length in lengths if length < network.prefixlen)
            ranges = next((planned[protocol, above] for above in wider if (protocol, above) in planned), ())
            for named in (None, protocol):
                ranges = _laid_over(ranges, _flat(by_place.get((network, named), [])))
            planned[protocol, network] = ranges
    return planned


def _flat(rules: Sequence[MarkRule]) -> Ranges:
    """Disjoint ranges of rules whose ranges lie apart or inside one another, the inner ones over the outer."""
    return tuple(_merged(_cut(rules)))


def _cut(rules: Sequence[MarkRule]) -> Iterator[Range]:
    open_: list[MarkRule] = []
    at = 0
    for rule in sorted(rules, key=lambda rule: (rule.match.first_port, -rule.match.last_port)):
        while open_ and open_[-1].match.last_port < rule.match.first_port:
            yield Range(at, open_[-1].match.last_port, open_[-1].mark)
            at = open_.pop().match.last_port + 1
        if open_:
            yield Range(at, rule.match.first_port - 1, open_[-1].mark)
        open_.append(rule)
        at = rule.match.first_port
    while open_:
        yield Range(at, open_[-1].match.last_port, open_[-1].mark)
        at = open_.pop().match.last_port + 1


def _laid_over(below: Ranges, above: Ranges) -> Ranges:
    """Both, and what lies above where both are."""
    if not below or not above:
        return above or below
    return tuple(_merged(sorted((*above, *_uncovered(below, above)))))


def _uncovered(below: Ranges, above: Ranges) -> Iterator[Range]:
    covers = iter(above)
    cover = next(covers, None)
    for first, last, mark in below:
        at = first
        while cover is not None and cover.last < at:
            cover = next(covers, None)
        while cover is not None and cover.first <= last:
            yield Range(at, cover.first - 1, mark)
            at = cover.last + 1
            if cover.last >= last:
                break
            cover = next(covers, None)
        yield Range(at, last, mark)


def _merged(ranges: Iterable[Range]) -> Iterator[Range]:
    """Without empty ones, and neighbours of one mark as one."""
    held: Range | None = None
    for new in ranges:
        if new.first > new.last:
            continue
        if held is not None and held.mark == new.mark and held.last + 1 == new.first:
            held = Range(held.first, new.last, new.mark)
            continue
        if held is not None:
            yield held
        held = new
    if held is not None:
        yield held
