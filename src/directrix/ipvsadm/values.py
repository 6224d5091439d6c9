"""Reading numbers, addresses and ports the way ipvsadm does: with the C library's leniency."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from directrix.ipvsadm.names import Names
from directrix.lvs import Address, Protocol

_C_SPACE = " \t\n\v\f\r"
_LONG_DIGITS = 19
"""Decimal digits of LONG_MAX; a number with more is out of every range here."""

MAX_PORT = 65535


class Endpoint(NamedTuple):
    """An address and the port given with it, None for none."""

    address: Address
    port: int | None


def number(text: str, low: int, high: int) -> int | None:
    """A decimal number within bounds, or None. Blanks and a sign may come before it (strtol)."""
    if not (text.isdecimal() and text.isascii()):
        text = text.lstrip(_C_SPACE)
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not (digits.isdecimal() and digits.isascii()):
            return None
    if len(text) > _LONG_DIGITS:
        sign = "-" if text[0] == "-" else ""
        text = text.lstrip("+-").lstrip("0") or "0"
        if len(text) > _LONG_DIGITS:
            return None
        text = sign + text
    value = int(text)
    return value if low <= value <= high else None


def leading_number(text: str) -> int:
    """The number a text begins with, 0 if none, as a C int holds it (atoi)."""
    text = text.lstrip(_C_SPACE)
    sign = -1 if text[:1] == "-" else 1
    text = text[1:] if text[:1] in ("+", "-") else text
    length = 0
    while length < len(text) and text[length] in "0123456789":
        length += 1
    value = sign * int(text[:length].lstrip("0")[: _LONG_DIGITS + 1] or "0")
    value = min(max(value, -(1 << 63)), (1 << 63) - 1)
    return (value + 0x80000000) % 0x100000000 - 0x80000000


def ipv4(text: str, names: Names) -> IPv4Address | None:
    """An IPv4 address in any form inet_aton knows (`10.1`, `0x0a000001`), or a host's."""
    try:
        packed: bytes | None = socket.inet_aton(text)
    except (OSError, ValueError):
        packed = names.address(text)
    return None if packed is None else IPv4Address(packed)


@lru_cache(maxsize=4096)
def _numeric(text: str) -> Endpoint | None:
    """The common forms, which need no names; None for everything else."""
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not port.isascii() or len(port) > 5 or int(port) > MAX_PORT:
        return None
    try:
        if address[:1] == "[" and address[-1] == "]":
            return Endpoint(IPv6Address(socket.inet_pton(socket.AF_INET6, address[1:-1])), int(port))
        return Endpoint(IPv4Address(socket.inet_pton(socket.AF_INET, address)), int(port))
    except (OSError, ValueError):
        return None


def endpoint(text: str, protocol: Protocol | None, names: Names) -> Endpoint | None:
    """`host[:port]`, `[v6]:port` or a bare IPv6 address; None if it is neither.

    A number without dots is no address. Brackets ask for a port after them, which is read only if
    IPv6 stands inside. Port names need the protocol.
    """
    return _numeric(text) or _endpoint(text, protocol, names)


def _endpoint(text: str, protocol: Protocol | None, names: Names) -> Endpoint | None:
    if not text.strip("0123456789"):
        return None
    port: str | None = None
    if text[0] == "[":
        text, bracket, rest = text[1:].partition("]")
        if not bracket or rest[:1] != ":":
            return None
        port = rest[1:]
    address: Address | None
    try:
        address = IPv6Address(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        host, colon, last = text.rpartition(":")
        port = last if colon else None
        address = ipv4(host if colon else text, names)
    if address is None:
        return None
    if port is None:
        return Endpoint(address, None)
    value = number(port, 0, MAX_PORT)
    if value is None and protocol is not None:
        value = names.port(port, protocol)
    return None if value is None else Endpoint(address, value)
