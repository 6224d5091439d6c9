"""Service keys and addresses as the data plane's bytes, and the filter that knows them."""

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


def filter_place(key: ServiceKey, port: int, protocol: int) -> int:
    """Number of the filter's byte for (address of `key`, port, protocol): filter_has() in packet.h."""
    assert key.address is not None
    packed = key.address.packed
    if len(packed) == 4:
        word = int.from_bytes(packed, "little") << 32
    else:
        word = (int.from_bytes(packed[:8], "little") * layout.FILTER_PRIME & _MASK64) ^ int.from_bytes(
            packed[8:], "little"
        )
    return ((word ^ (socket.htons(port) << 16 | protocol)) * layout.FILTER_PRIME & _MASK64) >> layout.FILTER_SHIFT


def filter_places(key: ServiceKey) -> list[int]:
    """The bytes that let packets for this service through to the table, and its fragments."""
    if key.address is None or key.protocol is None:
        return []
    places = [filter_place(key, key.port, int(key.protocol)), filter_place(key, 0, layout.ADDRESS_MARK)]
    if takes_any_port(key):
        places.append(filter_place(key, 0, 0))
    return places


def takes_any_port(key: ServiceKey) -> bool:
    """Whether packets to other ports of the address may be for this service: port 0, or FTP's data."""
    return key.address is not None and (key.port == 0 or (key.port == 21 and key.protocol is Protocol.TCP))
