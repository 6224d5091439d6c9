"""What netfilter's rules would do with a packet, told from their listing.

The listing is that of `nft --json list ruleset` (libnftables-json(5)), which holds iptables-nft's rules
too; where these use extensions nft can't name, what `iptables-save` says is read instead (`iptables.py`).
A condition on something that can't be known of a packet not yet here (its source, a rate, a counter)
is neither met nor unmet. Doubt speaks for the rules: with such a condition a rule that accepts counts,
one that drops does not. What is told is what happens to every such packet.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from directrix.doctor.packet import UNKNOWN, Packet
from directrix.lvs import Address

Entry = Mapping[str, Any]

_DEPTH = 16
"""How deep chains may call each other here; the kernel allows as many."""


class Fate(enum.Enum):
    """What becomes of a packet in the chains of one hook."""

    PASSED = "passed"
    DROPPED = "dropped"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain in which something happened to a packet.

    Attributes:
        tool: the program that edits it where that is not nft: `iptables`, `iptables-legacy` …
        devices: those whose packets alone it sees; empty for all.
    """

    family: str
    table: str
    name: str
    policy: str = "accept"
    tool: str = ""
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a packet at a hook.

    Attributes:
        chain: the base chain where that is decided.
        rule: handle of the rule and the chain it stands in; None if it is the policy.
        port, address: where a packet is redirected to; None for the same port, or the interface's own address.
    """

    fate: Fate
    chain: Chain | None = None
    rule: tuple[str, int] | None = None
    port: int | None = None
    address: Address | None = None

    @property
    def where(self) -> str:
        """The rule or policy, in words."""
        if self.rule is None:
            return f"the policy of the chain {self.chain}"
        if self.chain is not None and self.chain.tool:
            return f"a rule in the chain {self.rule[0]} of {self.chain.tool}"
        return f"the rule with handle {self.rule[1]} in the chain {self.rule[0]}"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules of a host, by where they stand."""

    bases: tuple[tuple[Chain, str, int, str], ...]
    """Base chains with hook, priority and type, by priority."""
    rules: Mapping[tuple[str, str, str], tuple[Entry, ...]]
    sets: Mapping[tuple[str, str, str], tuple[Any, ...]] = field(default_factory=dict)

    def verdicts(
        self, packet: Packet, hook: str, families: tuple[str, ...] = (), types: str = "filter"
    ) -> list[Verdict]:
        """What becomes of a packet at a hook: every base chain that does something else than let it pass.

        `types` is `nat` for the chains that redirect. `families` defaults to those that see IP packets.
        """
        seen = families or ("inet", "ip" if packet.address.version == 4 else "ip6")
        found = []
        for chain, at, _, kind in self.bases:
            if at != hook or chain.family not in seen or (kind == "nat") != (types == "nat"):
                continue
            if chain.devices and packet.interface not in chain.devices:
                continue
            verdict = self._walk(chain, chain.name, packet, _DEPTH) or self._policy(chain)
            if verdict.fate is not Fate.PASSED:
                found.append(verdict)
        return found

    def _policy(self, chain: Chain) -> Verdict:
        return Verdict(Fate.DROPPED if chain.policy == "drop" else Fate.PASSED, chain)

    def _walk(self, base: Chain, name: str, packet: Packet, depth: int) -> Verdict | None:
        """What the rules of a chain decide; None if the packet comes to its end."""
        for rule in self.rules.get((base.family, base.table, name), ()):
            decided = self._rule(base, name, rule, packet, depth)
            if decided is _RETURN:
                return None
            if isinstance(decided, Verdict):
                return decided
        return None

    def _rule(self, base: Chain, name: str, rule: Entry, packet: Packet, depth: int) -> object:
        """A Verdict, _RETURN, or None: go on with the next rule."""
        where = (f"{base.family} {base.table} {name}", int(rule.get("handle", 0)))
        doubtful = False
        for statement in rule.get("expr", ()):
            if not isinstance(statement, dict):
                continue
            kind, value = next(iter(statement.items()))
            if kind == "match":
                met = self._match(base, value, packet)
                if met is False:
                    return None
                doubtful = doubtful or met is None
            elif kind in ("limit", "quota", "ct count") or (kind == "xt" and value.get("type") == "match"):
                doubtful = True
            elif kind == "vmap":
                statement = self._mapped(base, value, packet)
                if statement is UNKNOWN:
                    return Verdict(Fate.PASSED, base, where)
                if isinstance(statement, dict):
                    return self._statement(base, where, statement, packet, depth, doubtful)
                return None
            else:
                decided = self._statement(base, where, statement, packet, depth, doubtful)
                if decided is not None:
                    return decided
        return None

    def _statement(
        self, base: Chain, where: tuple[str, int], statement: Entry, packet: Packet, depth: int, doubtful: bool
    ) -> object:
        """What a statement that is no condition decides: a Verdict, _RETURN, or None if nothing."""
        kind, value = next(iter(statement.items()))
        if kind == "accept":
            return Verdict(Fate.PASSED, base, where)
        if kind == "return":
            return Verdict(Fate.PASSED, base, where) if doubtful else _RETURN
        if kind in ("jump", "goto") and depth:
            decided = self._walk(base, str(value["target"]), packet, depth - 1)
            if doubtful and decided is not None and decided.fate is not Fate.PASSED:
                return None
            if decided is None and kind == "goto":
                return Verdict(Fate.PASSED, base, where) if doubtful else _RETURN
            return decided
        if kind == "mangle" and base.family != "arp":
            return None  # It goes on through the rules, with a field of its header changed.
        fate = _FATES.get(kind) or (_TARGETS.get(value.get("name", "")) if kind == "xt" else None)
        if fate is None or doubtful:
            return None
        details = value if isinstance(value, dict) else {}
        return Verdict(fate, base, where, _number(details.get("port")), _address(details.get("addr")))

    def _mapped(self, base: Chain, vmap: Entry, packet: Packet) -> object:
        """The statement a verdict map has for a packet; None if it has none, UNKNOWN if that can't be known."""
        actual = _left(vmap.get("key"), packet)
        data = vmap.get("data")
        if actual is None:
            return None
        if actual is UNKNOWN or not isinstance(data, dict) or "set" not in data:
            return UNKNOWN
        for key, statement in data["set"]:
            if self._equals(base, actual, key):
                return statement
        return None

    def _match(self, base: Chain, match: Entry, packet: Packet) -> bool | None:
        """Whether a condition is met; None if that can't be known."""
        actual = _left(match.get("left"), packet)
        if actual is UNKNOWN:
            return None
        if actual is None:
            return False
        met = self._equals(base, actual, match.get("right"))
        operation = match.get("op", "==")
        if met is None:
            return None
        if operation in ("==", "in"):
            return met
        return not met if operation == "!=" else None

    def _equals(self, base: Chain, actual: object, right: Any) -> bool | None:
        """Whether a value is the one, or among those, that a condition names."""
        if isinstance(right, str) and right.startswith("@"):
            elements = self.sets.get((base.family, base.table, right[1:]))
            return None if elements is None else self._among(base, actual, elements)
        if isinstance(right, list):
            return self._among(base, actual, right)
        if isinstance(right, dict):
            kind, value = next(iter(right.items()))
            if kind == "set":
                return self._among(base, actual, value)
            if kind == "prefix" and isinstance(actual, ipaddress.IPv4Address | ipaddress.IPv6Address):
                return actual in ipaddress.ip_network(f"{value['addr']}/{value['len']}", strict=False)
            if kind == "range":
                return _within(actual, value[0], value[1])
            if kind == "elem":
                return self._equals(base, actual, value.get("val"))
            return None
        if isinstance(actual, ipaddress.IPv4Address | ipaddress.IPv6Address):
            return str(actual) == str(right)
        if isinstance(actual, str) and isinstance(right, str) and right.endswith("*"):
            return actual.startswith(right[:-1])
        return str(actual) == str(right)

    def _among(self, base: Chain, actual: object, elements: Any) -> bool | None:
        met = [self._equals(base, actual, element) for element in elements]
        return True if True in met else None if None in met else False


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


def devices_told(listing: str) -> dict[tuple[str, str, str], list[str]]:
    """The devices of chains, from the listing in nft's own words: an older nft's JSON keeps silent about them."""
    found: dict[tuple[str, str, str], list[str]] = {}
    table: tuple[str, str] = ("", "")
    chain = ""
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            table = (words[1], words[2])
        elif words[:1] == ["chain"]:
            chain = words[1]
        elif told := re.search(r"^\s+type \w+ hook \w+ devices? (?:= \{ )?(.*?)(?: \})? priority ", line):
            found[(*table, chain)] = [name.strip('" ') for name in told[1].split(",")]
    return found


def read_ruleset(entries: Iterable[Entry], tool: str = "") -> Ruleset:
    """The rules that a listing tells of; `tool` edits them if not nft."""
    bases: list[tuple[Chain, str, int, str]] = []
    rules: dict[tuple[str, str, str], list[Entry]] = {}
    sets: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    for entry in entries:
        kind, value = next(iter(entry.items()))
        if kind == "chain" and "hook" in value:
            chain = Chain(
                value["family"],
                value["table"],
                value["name"],
                value.get("policy", "accept"),
                tool,
                _names(value.get("dev")),
            )
            bases.append((chain, value["hook"], int(value.get("prio", 0)), value.get("type", "filter")))
        elif kind == "rule":
            rules.setdefault((value["family"], value["table"], value["chain"]), []).append(value)
        elif kind == "set":
            sets[(value["family"], value["table"], value["name"])] = tuple(value.get("elem", ()))
    bases.sort(key=lambda base: base[2])
    return Ruleset(tuple(bases), {place: tuple(those) for place, those in rules.items()}, sets)


def _left(left: Any, packet: Packet) -> object:
    if not isinstance(left, dict):
        return UNKNOWN
    kind, value = next(iter(left.items()))
    known: dict[str, Callable[[], object]] = {
        "payload": lambda: packet.field(value.get("protocol", ""), value.get("field", "")),
        "meta": lambda: packet.meta(value.get("key", "")),
        "ct": lambda: packet.state if value.get("key") == "state" else UNKNOWN,
    }
    return known[kind]() if kind in known and isinstance(value, dict) else UNKNOWN


def _within(actual: object, low: Any, high: Any) -> bool | None:
    if isinstance(actual, int):
        return bool(int(low) <= actual <= int(high))
    if isinstance(actual, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return int(ipaddress.ip_address(low)) <= int(actual) <= int(ipaddress.ip_address(high))
    return None


def _names(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _address(value: object) -> Address | None:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
