"""From the table's bytes to the values that listings show."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from socket import ntohs

from directrix.lvs import (
    Counters,
    ForwardingMethod,
    Rates,
    RealServer,
    SchedulerFlags,
    ServerState,
    ServiceState,
    VirtualService,
)
from directrix.table.xdp import layout
from directrix.table.xdp.keys import key_from
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.sets import Sets

_SERVICE = layout.SERVICE
_SERVER = layout.SERVER
_S = _SERVER.places
_COUNT = struct.Struct("=QQ")
Totals = tuple[int, int, int]
"""Connections, packets, bytes."""


def counters(totals: Totals) -> Counters:
    """Totals as a listing shows them; in direct routing nothing goes out through the director."""
    return Counters(totals[0], totals[1], 0, totals[2], 0)


def rates(averages: Totals) -> Rates:
    """The estimator's averages rounded as IPVS does: up, from 10 fractional bits, for bytes from 5."""
    return Rates(averages[0] + 0x1FF >> 10, averages[1] + 0x1FF >> 10, 0, averages[2] + 0xF >> 5, 0)


def add(a: Totals, b: Totals) -> Totals:
    """The sum of two."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def subtract(a: Totals, b: Totals) -> Totals:
    """The difference of two."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


class Reader:
    """Reads services and servers. Holds no lock: what changes meanwhile is seen before or after."""

    def __init__(self, maps: Maps, sets: Sets) -> None:
        self._maps = maps
        self._sets = sets

    def service_numbers(self) -> list[int]:
        """The services in use."""
        shared, size = self._maps.services.bytes, _SERVICE.size
        offset = _SERVICE.offsets["in_use"]
        top = layout.FRONT.get(self._maps.front.bytes, 0, "service_top")
        return [number for number in range(top) if shared[number * size + offset]]

    def raw_counts(self, number: int, connections: int) -> Totals:
        """What a server's counters stand at, whatever was subtracted since."""
        shared = self._maps.server_stats.bytes
        packets = size = 0
        for cpu in range(self._maps.cpus):
            row = (cpu * layout.MAX_SERVERS + number) * _COUNT.size
            one, other = _COUNT.unpack_from(shared, row)
            packets += one
            size += other
        return (connections, packets, size)

    def virtual_service(self, number: int) -> VirtualService:
        """A service as the operator defined it."""
        place = _SERVICE.places
        fields = _SERVICE.whole.unpack_from(self._maps.services.bytes, number * _SERVICE.size)
        flags = fields[place["flags"]]
        return VirtualService(
            key=key_from(fields[place["key"]]),
            scheduler=layout.SCHEDULERS[fields[place["scheduler"]]],
            scheduler_flags=SchedulerFlags(fields[place["scheduler_flags"]]),
            persistence=fields[place["persistence_seconds"]],
            netmask=fields[place["netmask"]],
            one_packet=bool(flags & layout.SERVICE_ONE_PACKET),
        )

    def service(self, number: int) -> ServiceState:
        """A service with everything a listing shows."""
        services = self._maps.services.bytes
        base = number * _SERVICE.size
        fields = _SERVICE.whole.unpack_from(services, base)
        place = _SERVICE.places
        total: Totals = (
            fields[place["base_connections"]],
            fields[place["base_packets"]],
            fields[place["base_bytes"]],
        )
        averages: Totals = (0, 0, 0)
        servers = []
        for server_number in self._sets.numbers(fields[place["set"]]):
            raw = _SERVER.whole.unpack_from(self._maps.servers.bytes, server_number * _SERVER.size)
            counts = self.raw_counts(server_number, raw[_S["connections"]])
            zero = (raw[_S["zero_connections"]], raw[_S["zero_packets"]], raw[_S["zero_bytes"]])
            kept = (raw[_S["kept_connections"]], raw[_S["kept_packets"]], raw[_S["kept_bytes"]])
            average = (raw[_S["rate_connections"]], raw[_S["rate_packets"]], raw[_S["rate_bytes"]])
            total = add(total, subtract(counts, kept))
            averages = add(averages, average)
            servers.append(
                ServerState(
                    _real_server(raw),
                    raw[_S["active"]],
                    raw[_S["inactive"]],
                    raw[_S["persistent"]],
                    counters(subtract(counts, zero)),
                    rates(average),
                )
            )
        return ServiceState(self.virtual_service(number), tuple(servers), counters(total), rates(averages))

    def service_and_numbers(self, number: int) -> tuple[VirtualService, list[tuple[int, RealServer]]]:
        """A service and its real servers with their numbers."""
        unit = _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")
        servers = self._maps.servers.bytes
        return self.virtual_service(number), [
            (server, _real_server(_SERVER.whole.unpack_from(servers, server * _SERVER.size)))
            for server in self._sets.numbers(unit)
        ]

    def front_base(self) -> Totals:
        """Counters of services that are gone."""
        front = self._maps.front.bytes
        get = layout.FRONT.get
        return (get(front, 0, "base_connections"), get(front, 0, "base_packets"), get(front, 0, "base_bytes"))


def _real_server(raw: tuple[int, ...]) -> RealServer:
    packed: bytes = raw[_S["address"]]  # type: ignore[assignment]
    return RealServer(
        IPv4Address(packed[:4]) if raw[_S["family"]] == 4 else IPv6Address(packed),
        ntohs(raw[_S["port"]]),
        ForwardingMethod(raw[_S["method"]]),
        raw[_S["weight"]],
        raw[_S["upper_threshold"]],
        raw[_S["lower_threshold"]],
    )
