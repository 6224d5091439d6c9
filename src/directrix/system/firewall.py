"""Which rules of this host's firewall are in the way of packets for an address.

Read is what nftables has, with it the rules that iptables puts there. Nothing is said of a rule that
depends on what isn't known here, like who sends a packet: what is named hits every packet, or every packet
of the protocol and the port that the rule names.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from directrix.system.commands import CommandFailed, run

_HOOKS = ("prerouting", "input")
_NARROWING = ("dport", "flags")
_REFUSALS = ("drop", "reject")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that is in the way.

    Attributes:
        where: the chain: family, table, name.
        rule: the rule in nft's words, or the chain's policy.
        command: shows the rule with its handle, for whoever wants to delete it.
    """

    where: str
    rule: str
    command: str

    @property
    def text(self) -> str:
        """For people."""
        return f"`{self.rule}` in the chain {self.where}; see `{self.command}`"


def obstacles(address: IPv4Address | IPv6Address) -> list[Obstacle]:
    """What drops or rejects packets for an address that is this host's; nothing where there is no nft to ask."""
    if shutil.which("nft") is None:
        return []
    try:
        listing = json.loads(run(["nft", "--json", "--handle", "list", "ruleset"]))["nftables"]
    except (CommandFailed, ValueError, KeyError):
        return []
    return [_named(chain, rule) for chain, rule in in_the_way(listing, address)]


def in_the_way(
    listing: list[dict[str, Any]], address: IPv4Address | IPv6Address
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """From the listing of libnftables-json(5): base chain and rule; None for the rule if it is the chain's policy."""
    families = ("inet", "ip" if address.version == 4 else "ip6")
    rules: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in listing:
        if "rule" in entry:
            rule = entry["rule"]
            rules.setdefault((rule["family"], rule["table"], rule["chain"]), []).append(rule)
    for entry in listing:
        chain = entry.get("chain", {})
        if chain.get("family") not in families or chain.get("hook") not in _HOOKS or chain.get("type") != "filter":
            continue
        let_in = some_let_in = False
        for rule in rules.get((chain["family"], chain["table"], chain["name"]), []):
            met, narrow, verdict = _of(rule, address)
            if met and verdict in _REFUSALS and not let_in:
                yield chain, rule
            elif met is not False and verdict in ("accept", "jump", "goto", "vmap"):
                some_let_in = True
                let_in = let_in or (met is True and not narrow and verdict == "accept")
        if chain.get("policy") == "drop" and not some_let_in:
            yield chain, None


def _of(rule: dict[str, Any], address: IPv4Address | IPv6Address) -> tuple[bool | None, bool, str]:
    """Whether packets for the address meet a rule (None: some may), whether only some ports' do, and what it does."""
    met: bool | None = True
    narrow = False
    verdict = ""
    for statement in rule.get("expr", ()):
        kind, value = next(iter(statement.items()))
        if kind == "match":
            one = _match(value, address)
            met = False if met is False or one is False else None if met is None or one is None else True
            narrow = narrow or _is_narrow(value)
        elif kind in ("accept", "drop", "reject", "jump", "goto", "vmap", "return"):
            verdict = kind
        elif kind in ("limit", "quota", "ct count", "xt"):
            met = met and None
    return met, narrow, verdict


def _is_narrow(match: dict[str, Any]) -> bool:
    left = match.get("left", {})
    return isinstance(left, dict) and (
        left.get("payload", {}).get("field") in _NARROWING or left.get("meta", {}).get("key") == "l4proto"
    )


def _match(match: dict[str, Any], address: IPv4Address | IPv6Address) -> bool | None:
    left, right = match.get("left", {}), match.get("right")
    if not isinstance(left, dict):
        return None
    payload, meta = left.get("payload", {}), left.get("meta", {})
    family = "ip" if address.version == 4 else "ip6"
    if payload.get("protocol") in ("ip", "ip6") and payload.get("protocol") != family:
        return False
    if payload.get("field") == "daddr":
        among = _names(right, address)
        return among if among is None or match.get("op", "==") in ("==", "in") else not among
    if payload.get("protocol") in ("icmp", "icmpv6") or left.get("ct", {}).get("key") == "state":
        return _speaks_of_new(right) if "ct" in left else False
    if payload.get("field") in _NARROWING or meta.get("key") in ("l4proto", "nfproto", "protocol"):
        return True
    return False if meta.get("key") in ("iifname", "iif") and right == "lo" else None


def _speaks_of_new(states: Any) -> bool:
    words = states.get("set", states) if isinstance(states, dict) else states
    return "new" in (words if isinstance(words, list) else [words])


def _names(right: Any, address: IPv4Address | IPv6Address) -> bool | None:
    """Whether what a condition names has the address in it; None if that can't be told from here."""
    if isinstance(right, dict) and "prefix" in right:
        return address in ip_network(f"{right['prefix']['addr']}/{right['prefix']['len']}", strict=False)
    if isinstance(right, dict) and "range" in right:
        low, high = (int(ip_address(end)) for end in right["range"])
        return low <= int(address) <= high
    if isinstance(right, dict) and "set" in right:
        each = [_names(element, address) for element in right["set"]]
        return True if True in each else None if None in each else False
    if isinstance(right, str) and re.fullmatch(r"[0-9a-fA-F.:]+", right):
        return ip_address(right) == address
    return None


def _named(chain: dict[str, Any], rule: dict[str, Any] | None) -> Obstacle:
    where = f"{chain['family']} {chain['table']} {chain['name']}"
    command = f"nft -a list chain {where}"
    if rule is None:
        return Obstacle(where, "policy drop", command)
    listing = run(["nft", "-a", "list", "chain", chain["family"], chain["table"], chain["name"]])
    mark = f"# handle {rule['handle']}"
    words = next((line.split(" # handle")[0].strip() for line in listing.splitlines() if line.endswith(mark)), "")
    return Obstacle(where, words or f"rule {rule['handle']}", command)
