"""From nft's listing, libnftables-json(5), to a ruleset."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from directrix.system.netfilter.ruleset import Chain, Entry, Place, Ruleset


def read_ruleset(entries: Iterable[Entry], tool: str = "") -> Ruleset:
    """The rules that a listing tells of; `tool` edits them if not nft."""
    chains: list[Chain] = []
    rules: dict[Place, list[Entry]] = {}
    sets: dict[Place, tuple[Any, ...]] = {}
    for entry in entries:
        kind, value = next(iter(entry.items()))
        if kind == "chain" and "hook" in value:
            chains.append(
                Chain(
                    value["family"],
                    value["table"],
                    value["name"],
                    value["hook"],
                    int(value.get("prio", 0)),
                    value.get("type", "filter"),
                    value.get("policy", "accept"),
                    tool,
                    _names(value.get("dev")),
                )
            )
        elif kind == "rule":
            rules.setdefault((tool, value["family"], value["table"], value["chain"]), []).append(value)
        elif kind in ("set", "map"):
            sets[(tool, value["family"], value["table"], value["name"])] = tuple(value.get("elem", ()))
    return Ruleset(tuple(chains), {place: tuple(those) for place, those in rules.items()}, sets)


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


def _names(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()
