"""Listing the connection table."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from socket import ntohs

from directrix.lvs import Address, Connection, ConnectionFlags, Protocol, sctp, tcp
from directrix.table.xdp import layout
from directrix.table.xdp.clock import Ticks, current_tick
from directrix.table.xdp.maps import Maps

_CONNECTION = layout.CONNECTION
_CHUNK = 1 << 20
_EMPTY = bytes(8)


def listing(maps: Maps, ticks: Ticks) -> Iterator[Connection]:
    """Every live connection and template, in the order of the table's slots."""
    shared = maps.buckets.bytes
    size = maps.parameter("buckets") * layout.BUCKET_SIZE
    now = current_tick(maps.front.bytes, ticks)
    for start in range(0, size, _CHUNK):
        chunk = bytes(shared[start : min(start + _CHUNK, size)])
        if not any(chunk):
            continue
        for raw in _CONNECTION.whole.iter_unpack(chunk):
            if raw[3] and not raw[8] & layout.CONNECTION_DEAD:
                found = entry(maps, ticks, now, raw)
                if found is not None:
                    yield found


def _addresses(family: int, packed: bytes) -> tuple[Address, Address]:
    if family == 4:
        return IPv4Address(packed[:4]), IPv4Address(packed[4:8])
    return IPv6Address(packed[:16]), IPv6Address(packed[16:])


def state_name(protocol: int, number: int) -> str:
    """The name of a connection's state by its number in the data plane."""
    if protocol == Protocol.UDP:
        return "UDP"
    if protocol == Protocol.SCTP:
        return sctp.SctpState(number - layout.SCTP_STATES).label
    return tcp.TcpState(number).name


def entry(maps: Maps, ticks: Ticks, now: int, raw: tuple[int, ...]) -> Connection | None:
    """The live connection or template in an unpacked slot; None if it is past its time."""
    (client_port, port, protocol, family, kind, packed, server, expires, status, _, children, server_port, _) = raw
    left = ticks.until(expires, now)
    template = bool(kind)
    if left < 0 and not (template and children):
        return None
    client, virtual = _addresses(family, packed)  # type: ignore[arg-type]
    base = server * layout.SERVER.size
    start = base + layout.SERVER.offsets["address"]
    address = bytes(maps.servers.bytes[start : start + 16])
    masqueraded = status & layout.CONNECTION_MASQUERADED
    flags = ConnectionFlags(0) if masqueraded else ConnectionFlags.NO_OUTPUT
    if template:
        flags = ConnectionFlags.TEMPLATE
        state = "ASSURED" if status & layout.CONNECTION_ASSURED else "NONE"
    else:
        state = state_name(protocol, status & layout.STATE_MASK)
        if not status & layout.CONNECTION_ACTIVE:
            flags |= ConnectionFlags.INACTIVE
    return Connection(
        protocol,
        client,
        ntohs(client_port),
        virtual,
        ntohs(port),
        IPv4Address(address[:4])
        if layout.SERVER.get(maps.servers.bytes, base, "family") == 4
        else IPv6Address(address),
        ntohs(server_port),
        state,
        max(int(left), 0),
        flags,
    )
