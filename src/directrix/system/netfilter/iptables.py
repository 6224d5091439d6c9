"""iptables' rules in the shape of nft's listing.

Only `iptables-save` tells all conditions of its rules: nft lists those of extensions as opaque.
"""

from __future__ import annotations

import ipaddress
import itertools
import shlex
from collections.abc import Iterator
from typing import Any

_HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output"}
_HOOKS["POSTROUTING"] = "postrouting"
_UNKNOWN_CONDITION: dict[str, Any] = {"limit": {}}
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_WITHOUT_MEANING = ("--comment", "--reject-with", "--log-prefix", "--log-level")
_PORTS = {"--sport": "sport", "--sports": "sport", "--dport": "dport", "--dports": "dport"}
_MARKS = {"mark": {"meta": {"key": "mark"}}, "connmark": {"ct": {"key": "mark"}}}
_ALL_BITS = 0xFFFFFFFF
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
            rule = {"family": family, "table": table, "chain": words[1], "handle": handle, "words": line}
            entries.append({"rule": rule | {"expr": _statements(words[2:], family)}})
    return entries


def _statements(words: list[str], family: str) -> list[dict[str, Any]]:
    """The conditions of a rule, then what it does."""
    found: list[dict[str, Any]] = []
    does: list[dict[str, Any]] = []
    protocol, module = "th", ""
    negated = False
    left = iter(words)
    for word in left:
        if word == "!":
            negated = True
            continue
        operation, negated = ("!=" if negated else "=="), False
        if word == "-m":
            module = next(left, "")
        elif word in _WITHOUT_MEANING:
            next(left, "")
        elif word in ("-s", "-d", "--src-range", "--dst-range"):
            field = {"protocol": family, "field": f"{word.lstrip('-')[0]}addr"}
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
        elif word == "--tcp-flags":
            found.append(_flags(next(left), next(left), operation))
        elif word == "--syn":
            found.append(_flags("FIN,SYN,RST,ACK", "SYN", operation))
        elif word == "--mark":
            value, mask = _masked(next(left))
            marked = _MARKS.get(module, _MARKS["mark"])
            found.append(_match({"&": [marked, mask]}, value, operation))
        elif word in ("--dst-type", "--src-type"):
            types = [kind.lower() for kind in next(left).split(",")]
            of = [f"{word[2]}addr", *(["iif"] if "--limit-iface-in" in words else [])]
            found.append(_match({"fib": {"result": "type", "flags": of}}, {"set": types}, operation))
        elif word in ("-j", "-g"):
            does = _target(word, next(left), list(left))
        elif word.startswith("-") and word != "--limit-iface-in":
            found.append(_UNKNOWN_CONDITION)
    return [*found, *does]


def _target(word: str, target: str, options: list[str]) -> list[dict[str, Any]]:
    """What a rule does; the words behind its target are the target's options."""
    named = dict(itertools.pairwise(options))
    if target in _STATEMENTS:
        return [_STATEMENTS[target]]
    if target in ("REDIRECT", "DNAT"):
        return [{target.lower(): _destination(named)}]
    if target == "MARK" and "--set-xmark" in named:
        value, mask = _masked(named["--set-xmark"])
        mark = {"meta": {"key": "mark"}}
        return [_mangle("meta", {"^": [{"&": [mark, ~mask & _ALL_BITS]}, value]})]
    if target == "CONNMARK" and "--restore-mark" in options:
        return [_mangle("meta", {"ct": {"key": "mark"}})]
    if target == "CONNMARK" and "--save-mark" in options:
        return [_mangle("ct", {"meta": {"key": "mark"}})]
    if target in ("MARK", "CONNMARK"):
        return [_mangle("meta", {}), _mangle("ct", {})]
    return [{"jump" if word == "-j" else "goto": {"target": target}}]


def _match(left: dict[str, Any], right: object, operation: str) -> dict[str, Any]:
    return {"match": {"op": operation, "left": left, "right": right}}


def _mangle(of: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"mangle": {"key": {of: {"key": "mark"}}, "value": value}}


def _network(text: str) -> object:
    first, dash, last = text.partition("-")
    if dash:
        return {"range": [first, last]}
    network = ipaddress.ip_network(text, strict=False)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _ports(text: str) -> object:
    first, colon, last = text.partition(":")
    return {"range": [int(first), int(last)]} if colon else int(first)


def _flags(mask: str, wanted: str, operation: str) -> dict[str, Any]:
    flags = {"payload": {"protocol": "tcp", "field": "flags"}}
    return _match({"&": [flags, list(_flag_names(mask))]}, list(_flag_names(wanted)), operation)


def _flag_names(text: str) -> Iterator[str]:
    for name in text.lower().split(","):
        if name == "all":
            yield from ("fin", "syn", "rst", "psh", "ack", "urg")
        elif name != "none":
            yield name


def _masked(text: str) -> tuple[int, int]:
    """A mark and the bits of it that count: `0x8000/0x8000`."""
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if mask else _ALL_BITS


def _destination(options: dict[str, str]) -> dict[str, Any]:
    if "--to-ports" in options and options["--to-ports"].isdigit():
        return {"port": int(options["--to-ports"])}
    address, _, port = options.get("--to-destination", "").rpartition(":")
    return {"addr": address.strip("[]"), "port": int(port)} if port.isdigit() and address else {}
