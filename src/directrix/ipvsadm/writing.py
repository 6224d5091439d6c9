"""How addresses, ports and numbers are written in listings."""

from __future__ import annotations

import socket

from directrix.ipvsadm.names import Names
from directrix.lvs import Address, Protocol

_INT_BITS = 32

LONGEST = 59
"""Endpoints with names are cut to this many characters, ports and all."""


def numeric_address(address: Address) -> str:
    """An address as inet_ntop writes it, IPv6 in brackets."""
    if address.version == 4:
        return socket.inet_ntoa(address.packed)
    return f"[{socket.inet_ntop(socket.AF_INET6, address.packed)}]"


class EndpointWriter:
    """Writes `address:port`, in numbers or with whatever names there are."""

    def __init__(self, names: Names | None) -> None:
        """`names` None means numbers."""
        self._names = names

    def write(self, address: Address, port: int, protocol: Protocol | None) -> str:
        """The endpoint; ports have names only where there is a protocol."""
        if self._names is None:
            return f"{numeric_address(address)}:{port}"
        host = self._names.host(address)
        if host is None:
            host = numeric_address(address)
        elif address.version == 6:
            host = f"[{host}]"
        service = self._names.service(port, protocol) if protocol is not None and port else None
        return f"{host}:{service or port}"[:LONGEST]


def signed(value: int) -> int:
    """A 32-bit number as C's %d prints it: ipvsadm 1.31 prints firewall marks so."""
    return value - (1 << _INT_BITS) if value >> (_INT_BITS - 1) else value


def large_number(value: int) -> str:
    """A number in a column of nine, shortened with K, M, G or T."""
    if value < 100_000_000:
        return f"{value:9d}"
    if value < 1_000_000_000:
        return f"{value // 1_000:8d}K"
    if value < 100_000_000_000:
        return f"{value // 1_000_000:8d}M"
    if value < 100_000_000_000_000:
        return f"{value // 1_000_000_000:8d}G"
    return f"{value // 1_000_000_000_000:8d}T"


def exact_number(value: int) -> str:
    """A number in full, in a column of nine or with one blank before it."""
    text = str(value)
    return f"{text:>9}" if len(text) <= 8 else f" {text}"
