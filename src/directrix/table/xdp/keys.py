"""Service keys and addresses as the data plane's bytes, and their places in its index."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs import Address, Family, Protocol, ServiceKey
from directrix.table.xdp import layout

_MASK64 = 0xFFFFFFFFFFFFFFFF


def address_bytes(address: Address) -> bytes:
    """Sixteen bytes: an IPv4 address stands in the first four."""
    return address.packed.ljust(16, b"\0")


def address_from(data: bytes, family: int) -> Address:
    """The address in sixteen bytes; `family` is 4 or 6."""
    return IPv4Address(data[:4]) if family == 4 else IPv6Address(data)


def family_number(family: Family) -> int:
    """4 or 6."""
    return 4 if family is Family.INET else 6


def key_bytes(key: ServiceKey) -> bytes:
    """struct service_key."""
    mark = key.fwmark.to_bytes(4, "little").ljust(16, b"\0")
    address = mark if key.address is None else address_bytes(key.address)
    return layout.SERVICE_KEY.whole.pack(
        address, socket.htons(key.port), int(key.protocol or 0), family_number(key.family)
    )


def key_from(data: bytes) -> ServiceKey:
    """The service key in a struct service_key."""
    address, port, protocol, family = layout.SERVICE_KEY.whole.unpack(data)
    if not protocol:
        return ServiceKey.mark(int.from_bytes(address[:4], "little"), Family.INET if family == 4 else Family.INET6)
    return ServiceKey.of(Protocol(protocol), address_from(address, family), socket.ntohs(port))


def _word(packed: bytes, version: int) -> int:
    """The 64 bits that stand for an address: address4_word() and address6_word() in index.h."""
    if version == 4:
        return int.from_bytes(packed[:4], "little") << 32
    first = int.from_bytes(packed[:8], "little") * layout.INDEX_PRIME & _MASK64
    return first ^ int.from_bytes(packed[8:], "little")


def index_place(protocol: int, address: Address, port: int) -> int:
    """Where front.index has a service: index_of() of index_key() in index.h."""
    word = _word(address.packed, address.version) ^ (socket.htons(port) << 16 ^ socket.htonl(protocol))
    return (word * layout.INDEX_PRIME & _MASK64) >> layout.INDEX_SHIFT


def service_place(key: ServiceKey) -> int:
    """Where front.index has a service: by its destination, or by its mark as if that were one."""
    if key.address is not None:
        return index_place(int(key.protocol or 0), key.address, key.port)
    word = _word(key.fwmark.to_bytes(4, "little").ljust(16, b"\0"), family_number(key.family))
    return (word * layout.INDEX_PRIME & _MASK64) >> layout.INDEX_SHIFT


def mark_place(address: Address) -> int:
    """Where front.address_mark has an address: address_has() in index.h."""
    return (_word(address.packed, address.version) * layout.INDEX_PRIME & _MASK64) >> layout.MARK_SHIFT


def takes_any_port(key: ServiceKey) -> bool:
    """Whether packets to other ports of the address may be for this service: port 0, or FTP's data."""
    return key.address is not None and (key.port == 0 or (key.port == 21 and key.protocol is Protocol.TCP))
