"""The rules this host has: nft's and iptables', of whatever make."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from directrix.system.commands import CommandFailed, run
from directrix.system.netfilter.iptables import as_entries
from directrix.system.netfilter.reading import devices_told, read_ruleset
from directrix.system.netfilter.ruleset import Ruleset

_OF_DEVICES = ("ingress", "egress")
_TABLES_OF_OLD = Path("/proc/thread-self/net")


def ruleset_here() -> Ruleset | None:
    """All rules of this network namespace; None if they can't be listed: neither nft nor iptables, or no privilege."""
    found = []
    has_nft = bool(shutil.which("nft"))
    if has_nft:
        try:
            entries = json.loads(run(["nft", "--json", "--handle", "list", "ruleset"])).get("nftables", [])
        except (CommandFailed, ValueError):
            return None
        found += _with_extensions_told(_with_devices_told(entries))
    for program, family in (("iptables", "ip"), ("ip6tables", "ip6")):
        # Without nft, whatever make of iptables there is. Beside it, the old one: but to list its tables would
        # load modules where nobody uses them.
        tool = f"{program}-legacy" if has_nft else program
        if has_nft and not (_TABLES_OF_OLD / f"{family}_tables_names").exists():
            continue
        if shutil.which(f"{tool}-save"):
            with suppress(CommandFailed):
                found.append(read_ruleset(as_entries(run([f"{tool}-save"]), family), tool))
    if not found:
        return None
    together = found[0]
    for other in found[1:]:
        together = together.with_those_of(other)
    return together


def _with_extensions_told(entries: list[dict[str, Any]]) -> list[Ruleset]:
    """The listing, with iptables' own words for the tables in which it uses what nft can't name."""
    found = []
    for program, family in (("iptables-nft", "ip"), ("ip6tables-nft", "ip6")):
        opaque = any(entry.get("rule", {}).get("family") == family and '"xt"' in json.dumps(entry) for entry in entries)
        if not opaque or not shutil.which(f"{program}-save"):
            continue
        with suppress(CommandFailed):
            told = as_entries(run([f"{program}-save"]), family)
            tables = {value["table"] for entry in told for value in entry.values()}
            entries = [entry for entry in entries if not _is_of(entry, family, tables)]
            found.append(read_ruleset(told, program))
    return [read_ruleset(entries), *found]


def _with_devices_told(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The listing, with the devices of chains that are of some alone."""
    silent = [each["chain"] for each in entries if each.get("chain", {}).get("hook") in _OF_DEVICES]
    if any("dev" not in chain for chain in silent):
        with suppress(CommandFailed):
            told = devices_told(run(["nft", "list", "ruleset"]))
            for chain in silent:
                chain.setdefault("dev", told.get((chain["family"], chain["table"], chain["name"])))
    return entries


def _is_of(entry: dict[str, Any], family: str, tables: set[str]) -> bool:
    value = next(iter(entry.values()))
    return value.get("family") == family and value.get("table") in tables
