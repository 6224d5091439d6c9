"""A packet followed through the chains of netfilter's hooks.

A walk visits the base chains of each hook of a path by their priority. What a rule changes of the packet, its marks
or by redirection its destination, later rules see. Of a rule that depends on what can't be known see the package.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from directrix.system.address import Address
from directrix.system.netfilter import conditions
from directrix.system.netfilter.packet import UNKNOWN, Packet

Entry = Mapping[str, Any]
Place = tuple[str, str, str, str]
"""Where something stands: the tool that edits it, family, table, name."""

_DEPTH = 16
"""How deep chains may call each other; the kernel allows as many."""


class Fate(enum.Enum):
    """What becomes of a packet in a chain."""

    PASSED = "passed"
    DROPPED = "dropped"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    REWRITTEN = "rewritten"


STOPPED = (Fate.DROPPED, Fate.REJECTED)


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain.

    Attributes:
        hook, priority, type: as nft names them.
        tool: the program that edits it where that is not nft: `iptables`, `iptables-legacy` …
        devices: those whose packets alone it sees; empty for all.
    """

    family: str
    table: str
    name: str
    hook: str
    priority: int = 0
    type: str = "filter"
    policy: str = "accept"
    tool: str = ""
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    def sees(self, packet: Packet) -> bool:
        """Whether packets of this kind come by it."""
        if packet.protocol == "arp":
            return self.family == "arp"
        families = ("netdev", "inet") if self.hook in ("ingress", "egress") else ("inet", packet.family)
        return self.family in families and (not self.devices or packet.interface in self.devices)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a packet, and where.

    Attributes:
        packet: as it was known then.
        chain: the base chain in which that is decided.
        rule: handle of the rule, and the chain it stands in; None if it is the policy.
        port, address: where a packet is redirected to; None for the same port, or the interface's own address.
        words: the rule in the words of `chain.tool`; empty if that is nft, whose listing doesn't tell them.
    """

    fate: Fate
    packet: Packet
    chain: Chain
    rule: tuple[str, int] | None = None
    port: int | None = None
    address: Address | None = None
    words: str = ""

    @property
    def where(self) -> str:
        """The rule or policy, in words."""
        if self.rule is None:
            return f"the policy of the chain {self.chain}"
        if self.chain.tool:
            return f"a rule in the chain {self.rule[0]} of {self.chain.tool}"
        return f"the rule with handle {self.rule[1]} in the chain {self.rule[0]}"


@dataclass(slots=True)
class Journey:
    """What a packet met on its way.

    Attributes:
        stops: where it is dropped or rejected, one for each base chain; it is followed as if none had.
        changes: where it was redirected or rewritten.
        doubts: rules that drop or reject some such packets, by what can't be known here.
    """

    stops: list[Verdict] = field(default_factory=list)
    changes: list[Verdict] = field(default_factory=list)
    doubts: list[Verdict] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules of a host, by where they stand."""

    chains: tuple[Chain, ...] = ()
    rules: Mapping[Place, tuple[Entry, ...]] = field(default_factory=dict)
    sets: Mapping[Place, tuple[Any, ...]] = field(default_factory=dict)

    def with_those_of(self, other: Ruleset) -> Ruleset:
        """Both together."""
        chains = sorted((*self.chains, *other.chains), key=lambda chain: chain.priority)
        return Ruleset(tuple(chains), {**self.rules, **other.rules}, {**self.sets, **other.sets})

    def journey(self, packet: Packet, *hooks: str) -> Journey:
        """Follow a packet through some of netfilter's hooks, in this order."""
        walk = _Walk(self, packet)
        for hook in hooks:
            translated = False
            for chain in sorted(self.chains, key=lambda chain: chain.priority):
                if chain.hook != hook or not chain.sees(walk.packet):
                    continue
                if chain.type == "nat" and (translated or packet.answer):
                    continue  # What is decided once for a connection is decided for its answers too.
                verdict = walk.base_chain(chain)
                if verdict.fate in STOPPED:
                    walk.journey.stops.append(verdict)
                elif verdict.fate is not Fate.PASSED:
                    walk.journey.changes.append(verdict)
                    translated = walk.redirect(verdict)
        return walk.journey


class _Walk:
    """A packet on its way: what is known of it now, and what it has met."""

    def __init__(self, ruleset: Ruleset, packet: Packet) -> None:
        self.packet = packet
        self.journey = Journey()
        self._ruleset = ruleset
        self._in_doubt = False
        """Whether it may never have come to the chain it is in."""
        self._words = ""

    def base_chain(self, chain: Chain) -> Verdict:
        """What one base chain decides."""
        decided = self._chain(chain, chain.name, _DEPTH)
        policy = Fate.DROPPED if chain.policy == "drop" else Fate.PASSED
        return decided or Verdict(policy, self.packet, chain)

    def redirect(self, verdict: Verdict) -> bool:
        """Go on as the packet is now, where it was redirected; False if it was not."""
        if verdict.fate is not Fate.REDIRECTED:
            return False
        address = verdict.address or self.packet.own or self.packet.address
        # What is redirected to an address of the interface it came by is taken there.
        local = frozenset({self.packet.interface}) if verdict.address is None else None
        self.packet = replace(self.packet, address=address, port=verdict.port or self.packet.port, local_on=local)
        return True

    def _chain(self, base: Chain, name: str, depth: int) -> Verdict | None:
        """What the rules of a chain decide; None if the packet comes to its end or returns."""
        for rule in self._ruleset.rules.get((base.tool, base.family, base.table, name), ()):
            decided = self._rule(base, name, rule, depth)
            if decided is _RETURN:
                return None
            if isinstance(decided, Verdict):
                return decided
        return None

    def _rule(self, base: Chain, name: str, rule: Entry, depth: int) -> object:
        """A Verdict, _RETURN, or None: go on with the next rule."""
        where = (f"{base.family} {base.table} {name}", int(rule.get("handle", 0)))
        doubtful = False
        self._words = str(rule.get("words", ""))

        def named(kind: str) -> Sequence[Any] | None:
            return self._ruleset.sets.get((base.tool, base.family, base.table, kind))

        for kind, value in _statements(rule):
            if kind == "match":
                met = conditions.is_met(value, self.packet, named)
                if met is False:
                    return None
                doubtful = doubtful or met is None
            elif _is_doubt(kind, value):
                doubtful = True
            elif kind == "mangle" and base.family != "arp":
                self._mark(value, doubtful=doubtful)
            elif kind == "vmap":
                return self._mapped(base, where, value, named, depth, doubtful=doubtful)
            else:
                decided = self._statement(base, where, kind, value, depth, doubtful=doubtful)
                if decided is not None:
                    return decided
        return None

    def _statement(
        self, base: Chain, where: tuple[str, int], kind: str, value: Any, depth: int, *, doubtful: bool
    ) -> object:
        """What a statement that is no condition decides: a Verdict, _RETURN, or None if nothing."""
        if kind in ("accept", "queue"):
            return Verdict(Fate.PASSED, self.packet, base, where)
        if kind == "return":
            return Verdict(Fate.PASSED, self.packet, base, where) if doubtful else _RETURN
        if kind in ("jump", "goto") and depth:
            before, self._in_doubt = self._in_doubt, self._in_doubt or doubtful
            decided = self._chain(base, str(value["target"]), depth - 1)
            self._in_doubt = before
            if decided is None and kind == "goto":
                return Verdict(Fate.PASSED, self.packet, base, where) if doubtful else _RETURN
            return decided
        if kind == "xt" and value.get("name") in ("MARK", "CONNMARK"):
            self.packet = replace(self.packet, mark=UNKNOWN, connection_mark=UNKNOWN)
        fate = _FATES.get(kind) or (_TARGETS.get(value.get("name", "")) if kind == "xt" else None)
        if fate is None:
            return None
        details = value if isinstance(value, dict) else {}
        port, address = _number(details.get("port")), _address(details.get("addr"))
        found = Verdict(fate, self.packet, base, where, port, address, self._words)
        if not doubtful and not self._in_doubt:
            return found
        if fate in STOPPED:
            self.journey.doubts.append(found)
        return None

    def _mapped(
        self, base: Chain, where: tuple[str, int], vmap: Entry, named: conditions.Sets, depth: int, *, doubtful: bool
    ) -> object:
        """What the statement decides that a verdict map has for the packet; None if it has none."""
        actual, data = conditions.value(vmap.get("key"), self.packet), vmap.get("data")
        pairs = named(data[1:]) if isinstance(data, str) else data.get("set") if isinstance(data, dict) else None
        if actual is None:
            return None
        for key, statement in pairs or ():
            met = conditions.equals(actual, key, named)
            if met is False:
                continue
            kind, value = next(iter(statement.items()))
            decided = self._statement(base, where, kind, value, depth, doubtful=doubtful or met is None)
            if met or decided is not None:
                return decided
        return None

    def _mark(self, mangle: Entry, *, doubtful: bool) -> None:
        """Follow a change of a mark; other fields that are changed stay as they are here."""
        kind, told = next(iter(mangle.get("key", {"": {}}).items()))
        if kind not in ("meta", "ct") or told.get("key") != "mark":
            return
        value = UNKNOWN if doubtful or self._in_doubt else conditions.value(mangle.get("value"), self.packet)
        if kind == "meta":
            self.packet = replace(self.packet, mark=value)
        else:
            self.packet = replace(self.packet, connection_mark=value)


def _statements(rule: Entry) -> Iterator[tuple[str, Any]]:
    """The statements of a rule, each with its kind."""
    for statement in rule.get("expr", ()):
        if isinstance(statement, dict):
            yield next(iter(statement.items()))


def _is_doubt(kind: str, value: Any) -> bool:
    """Whether a statement lets only some packets by, and which can't be known: those over a rate, for one."""
    if kind in ("limit", "quota", "ct count", "meter"):
        return True
    if kind == "set":
        return isinstance(value, dict) and "stmt" in value
    return kind == "xt" and value.get("type") == "match"


_RETURN = object()
_FATES = {
    "drop": Fate.DROPPED,
    "reject": Fate.REJECTED,
    "redirect": Fate.REDIRECTED,
    "dnat": Fate.REDIRECTED,
    "mangle": Fate.REWRITTEN,
}
_TARGETS = {
    "REJECT": Fate.REJECTED,
    "REDIRECT": Fate.REDIRECTED,
    "DNAT": Fate.REDIRECTED,
    "mangle": Fate.REWRITTEN,
}
"""Targets of iptables that nft can't name in its own words."""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _address(value: object) -> Address | None:
    try:
        return ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
