"""Whether a condition of a rule, as libnftables-json(5) writes it, is met by a packet: yes, no, or not to be known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from directrix.system.netfilter.packet import UNKNOWN, Packet

Sets = Callable[[str], Iterable[Any] | None]
"""Gives the elements of a named set or map; None if there is none."""

_BITWISE: Mapping[str, Callable[[int, int], int]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def value(expression: Any, packet: Packet) -> object:
    """What an expression is for a packet: UNKNOWN if that can't be known, None if the packet has no such header."""
    if isinstance(expression, int):
        return expression
    if not isinstance(expression, dict) or not expression:
        return UNKNOWN
    kind, told = next(iter(expression.items()))
    if kind == "payload":
        return packet.field(told.get("protocol", ""), told.get("field", ""))
    if kind == "meta":
        return packet.meta(told.get("key", ""))
    if kind == "ct":
        return packet.connection(told.get("key", "")) if "dir" not in told else UNKNOWN
    if kind == "fib":
        return packet.route(told.get("result", ""), _words(told.get("flags")))
    if kind == "concat":
        parts = tuple(value(part, packet) for part in told)
        return None if None in parts else parts
    if kind in _BITWISE:
        return _bitwise(kind, [value(part, packet) if not isinstance(part, list) else frozenset(part) for part in told])
    return UNKNOWN


def is_met(match: Mapping[str, Any], packet: Packet, sets: Sets) -> bool | None:
    """Whether a `match` statement is met; None if that can't be known."""
    actual, right, operation = value(match.get("left"), packet), match.get("right"), match.get("op", "==")
    if actual is UNKNOWN:
        return None
    if actual is None:
        return False
    if operation in _ORDER:
        return _ORDER[operation](actual, right) if isinstance(actual, int) and isinstance(right, int) else None
    if operation == "in" and isinstance(actual, frozenset):
        return bool(actual & frozenset(_words(right)))
    met = equals(actual, right, sets)
    return met if operation in ("==", "in") or met is None else not met if operation == "!=" else None


def equals(actual: object, right: Any, sets: Sets) -> bool | None:
    """Whether a value is the one, or among those, that a condition names; None if that can't be known."""
    if actual is UNKNOWN:
        return None
    if isinstance(right, str) and right.startswith("@"):
        elements = sets(right[1:])
        return None if elements is None else _among(actual, elements, sets)
    if isinstance(actual, frozenset) and isinstance(right, str | list):
        return actual == frozenset(_words(right))
    if isinstance(right, list):
        return _among(actual, right, sets)
    if isinstance(right, dict):
        return _structured(actual, right, sets)
    if isinstance(actual, str) and isinstance(right, str) and right.endswith("*"):
        return actual.startswith(right[:-1])
    if isinstance(actual, IPv4Address | IPv6Address):
        try:
            return actual == ip_address(right)
        except ValueError:
            return None  # a name
    return str(actual) == str(right)


def _structured(actual: object, right: Mapping[str, Any], sets: Sets) -> bool | None:
    kind, told = next(iter(right.items()))
    if kind == "set":
        return _among(actual, told, sets)
    if kind == "prefix" and isinstance(actual, IPv4Address | IPv6Address):
        return actual in ip_network(f"{told['addr']}/{told['len']}", strict=False)
    if kind == "range":
        return _within(actual, told[0], told[1])
    if kind == "elem":
        return equals(actual, told.get("val"), sets)
    if kind == "concat" and isinstance(actual, tuple) and len(actual) == len(told):
        met = [equals(one, wanted, sets) for one, wanted in zip(actual, told, strict=True)]
        return False if False in met else None if None in met else True
    return None


def _among(actual: object, elements: Iterable[Any], sets: Sets) -> bool | None:
    met = [equals(actual, element, sets) for element in elements]
    return True if True in met else None if None in met else False


def _bitwise(kind: str, parts: list[object]) -> object:
    if None in parts:
        return None
    numbers = [part for part in parts if isinstance(part, int)]
    if len(numbers) == len(parts):
        result = numbers[0]
        for number in numbers[1:]:
            result = _BITWISE[kind](result, number)
        return result
    flags = [part for part in parts if isinstance(part, frozenset)]
    return flags[0] & flags[1] if kind == "&" and len(flags) == len(parts) == 2 else UNKNOWN


def _within(actual: object, low: Any, high: Any) -> bool | None:
    if isinstance(actual, int):
        return bool(int(low) <= actual <= int(high))
    if isinstance(actual, IPv4Address | IPv6Address):
        return int(ip_address(low)) <= int(actual) <= int(ip_address(high))
    return None


def _words(told: object) -> tuple[str, ...]:
    return (told,) if isinstance(told, str) else tuple(map(str, told)) if isinstance(told, list) else ()
