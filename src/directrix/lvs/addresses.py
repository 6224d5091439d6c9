"""Addresses and their families."""

from __future__ import annotations

import enum
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Family(enum.IntEnum):
    """Address family, with the numbers Linux uses."""

    INET = socket.AF_INET
    INET6 = socket.AF_INET6

    @property
    def bits(self) -> int:
        """Length of an address of this family in bits: 32 or 128."""
        return 32 if self is Family.INET else 128


def family_of(address: Address) -> Family:
    """The family an address belongs to."""
    return Family.INET if address.version == 4 else Family.INET6


def parse_address(text: str) -> Address:
    """An address from its numeric text.

    Raises:
        ValueError: the text is neither an IPv4 nor an IPv6 address.
    """
    if ":" in text:
        return IPv6Address(text)
    return IPv4Address(text)


def endpoint(address: Address, port: int) -> str:
    """`address:port` as every listing prints it: IPv6 in brackets."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def at_other_ports(server: str, there: Iterable[str]) -> str:
    """For who named a server with a port it isn't there with: with which it is, as the end of a sentence.

    Args:
        server: what was named, as `endpoint` writes it.
        there: what is there, likewise.
    """
    address = server.rpartition(":")[0]
    found = [other for other in there if other.rpartition(":")[0] == address]
    return f"; at that address it has {', '.join(dict.fromkeys(found))}" if found else ""


def read_endpoint(text: str) -> tuple[Address, int]:
    """Address and port of what `endpoint` writes.

    Raises:
        ValueError: it is neither `A:PORT` nor `[A]:PORT`.
    """
    address, _, port = text.rpartition(":")
    return parse_address(address.removeprefix("[").removesuffix("]")), int(port)
