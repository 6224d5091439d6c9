"""iptables' rules in the shape of nft's listing, so that `firewall.py` can read them.

Only `iptables-save` tells all conditions of its rules: nft lists those of extensions as opaque.
"""

from __future__ import annotations

import ipaddress
import itertools
import shlex
from typing import Any

_HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output"}
_UNKNOWN_CONDITION: dict[str, Any] = {"limit": {}}
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0}
_WITHOUT_MEANING = ("-m", "--comment", "--reject-with", "--log-prefix", "--log-level")
_PORTS = {"--sport": "sport", "--sports": "sport", "--dport": "dport", "--dports": "dport"}
_STATEMENTS: dict[str, dict[str, Any]] = {
    "ACCEPT": {"accept": None},
    "DROP": {"drop": None},
    "REJECT": {"reject": None},
    "RETURN": {"return": None},
    "LOG": {"log": None},
}


def as_entries(saved: str, family: str) -> list[dict[str, Any]]:
    """What `iptables-save` (family `ip`) or `ip6tables-save` (`ip6`) printed, as entries of a listing of nft's."""
    entries: list[dict[str, Any]] = []
    table = ""
    handle = 0
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chain: dict[str, Any] = {"family": family, "table": table, "name": name}
            if name in _HOOKS:
                kind = "nat" if table == "nat" else "filter"
                chain |= {"hook": _HOOKS[name], "prio": _PRIORITIES.get(table, 0), "type": kind}
                chain["policy"] = policy.lower()
            entries.append({"chain": chain})
        elif line.startswith("-A "):
            handle += 1
            words = shlex.split(line)
            rule = {"family": family, "table": table, "chain": words[1], "handle": handle}
            entries.append({"rule": rule | {"expr": _statements(words[2:], family)}})
    return entries


def _statements(words: list[str], family: str) -> list[dict[str, Any]]:
    """The conditions of a rule, then what it does."""
    found: list[dict[str, Any]] = []
    does: dict[str, Any] | None = None
    protocol = "th"
    negated = False
    left = iter(words)
    for word in left:
        if word == "!":
            negated = True
            continue
        operation, negated = ("!=" if negated else "=="), False
        if word in _WITHOUT_MEANING:
            next(left, "")
        elif word in ("-s", "-d"):
            field = {"protocol": family, "field": f"{word[1]}addr"}
            found.append(_match({"payload": field}, _network(next(left)), operation))
        elif word == "-p":
            protocol = next(left)
            found.append(_match({"meta": {"key": "l4proto"}}, protocol, operation))
        elif word in ("-i", "-o"):
            found.append(_match({"meta": {"key": f"{word[1]}ifname"}}, next(left).replace("+", "*"), operation))
        elif word in _PORTS:
            ports = [_ports(part) for part in next(left).split(",")]
            field = {"protocol": protocol, "field": _PORTS[word]}
            found.append(_match({"payload": field}, {"set": ports}, operation))
        elif word in ("--ctstate", "--state"):
            states = [state.lower() for state in next(left).split(",")]
            found.append(_match({"ct": {"key": "state"}}, {"set": states}, operation))
        elif word == "--syn":
            continue
        elif word in ("-j", "-g"):
            target = next(left)
            does = _STATEMENTS.get(target)
            if does is None and target in ("REDIRECT", "DNAT"):
                does = {target.lower(): _target(dict(itertools.pairwise(words)))}
            elif does is None:
                does = {"jump" if word == "-j" else "goto": {"target": target}}
        elif word in ("--to-ports", "--to-destination"):
            next(left, "")
        elif word.startswith("-"):
            found.append(_UNKNOWN_CONDITION)
    return [*found, *([does] if does else [])]


def _match(left: dict[str, Any], right: object, operation: str) -> dict[str, Any]:
    return {"match": {"op": operation, "left": left, "right": right}}


def _network(text: str) -> object:
    network = ipaddress.ip_network(text, strict=False)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _ports(text: str) -> object:
    first, colon, last = text.partition(":")
    return {"range": [int(first), int(last)]} if colon else int(first)


def _target(options: dict[str, str]) -> dict[str, Any]:
    if "--to-ports" in options and options["--to-ports"].isdigit():
        return {"port": int(options["--to-ports"])}
    address, _, port = options.get("--to-destination", "").rpartition(":")
    return {"addr": address.strip("[]"), "port": int(port)} if port.isdigit() and address else {}
