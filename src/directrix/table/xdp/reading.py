"""From the table's bytes to the values that listings show."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from socket import ntohs
from typing import Any, TypeVar

from directrix.lvs import (
    Address,
    ForwardingMethod,
    RealServer,
    SchedulerFlags,
    ServerState,
    ServiceState,
    VirtualService,
)
from directrix.lvs.handshakes import Handshakes
from directrix.table.xdp import layout
from directrix.table.xdp.counting import Counting, figures
from directrix.table.xdp.keys import address_from, key_from
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.sets import Sets
from directrix.table.xdp.tunnels import tunnel_from

_SERVICE = layout.SERVICE
_SERVER = layout.SERVER
_HANDSHAKES = layout.HANDSHAKES
_S = _SERVER.places
_ATTEMPTS = 3
"""Enough where the estimator is at work for less than a millisecond every two seconds."""
_LARGE = 0.05
"""Seconds. Where one look takes longer than that the estimator is nearly always at work: another would be no better."""

T = TypeVar("T")


class Reader:
    """Reads services and servers. Holds no lock: what changes meanwhile is seen before or after."""

    def __init__(self, maps: Maps, sets: Sets, counting: Counting) -> None:
        self._maps = maps
        self._sets = sets
        self._counting = counting

    def at_rest(self, read: Callable[[], T]) -> T:
        """What `read` gives, with figures of one moment: read again if the estimator was at work meanwhile.

        In a large table it is at work most of the time; there each server's and service's figures are of one moment.
        """
        front = self._maps.front.bytes
        for _ in range(_ATTEMPTS):
            before, start = layout.FRONT.get(front, 0, "estimates"), time.monotonic()
            result = read()
            of_one_moment = before % 2 == 0 and before == layout.FRONT.get(front, 0, "estimates")
            if of_one_moment or time.monotonic() - start > _LARGE:
                break
        return result

    def service_numbers(self) -> list[int]:
        """The services in use."""
        shared, size = self._maps.services.bytes, _SERVICE.size
        offset = _SERVICE.offsets["in_use"]
        top = layout.FRONT.get(self._maps.front.bytes, 0, "service_top")
        return [number for number in range(top) if shared[number * size + offset]]

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
        unit = _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")
        servers = []
        for server_number in self._sets.numbers(unit):
            raw = _SERVER.whole.unpack_from(self._maps.servers.bytes, server_number * _SERVER.size)
            counts = (raw[_S["active"]], raw[_S["inactive"]], raw[_S["persistent"]])
            servers.append(ServerState(real_server(raw), *counts, *figures(raw, _SERVER)))
        return ServiceState(self.virtual_service(number), tuple(servers), *self._counting.service(number))

    def handshakes(self, number: int) -> dict[tuple[Address, int], Handshakes]:
        """Handshakes with the real servers of a service."""
        unit = _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")
        found = {}
        for server in self._sets.numbers(unit):
            raw = _SERVER.whole.unpack_from(self._maps.servers.bytes, server * _SERVER.size)
            found[address_from(raw[_S["address"]], raw[_S["family"]]), ntohs(raw[_S["port"]])] = self._handshakes(
                server
            )
        return found

    def _handshakes(self, server: int) -> Handshakes:
        raw = _HANDSHAKES.whole.unpack_from(self._maps.handshakes.bytes, server * _HANDSHAKES.size)
        place = _HANDSHAKES.places
        return Handshakes(
            begun=_SERVER.get(self._maps.servers.bytes, server * _SERVER.size, "begun"),
            completed=raw[place["completed"]],
            failed=raw[place["failed"]],
            recent_begun=raw[place["rate_begun"]] / 1024,
            recent_completed=raw[place["rate_completed"]] / 1024,
            times=struct.unpack(f"={layout.HANDSHAKE_OCTAVES}Q", raw[place["time"]]),
        )

    def service_and_set(self, number: int) -> tuple[VirtualService, int, list[int]]:
        """A service, the first unit of its set, and the numbers of its real servers, newest first."""
        unit = _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")
        return self.virtual_service(number), unit, self._sets.numbers(unit)

    def service_and_numbers(self, number: int) -> tuple[VirtualService, list[tuple[int, RealServer]]]:
        """A service and its real servers with their numbers."""
        unit = _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")
        servers = self._maps.servers.bytes
        return self.virtual_service(number), [
            (server, real_server(_SERVER.whole.unpack_from(servers, server * _SERVER.size)))
            for server in self._sets.numbers(unit)
        ]


def real_server(raw: tuple[Any, ...]) -> RealServer:
    """The real server in an unpacked struct server, as the operator defined it."""
    return RealServer(
        address_from(raw[_S["address"]], raw[_S["family"]]),
        ntohs(raw[_S["port"]]),
        ForwardingMethod(raw[_S["method"]]),
        raw[_S["weight"]],
        raw[_S["upper_threshold"]],
        raw[_S["lower_threshold"]],
        tunnel_from(raw, _S),
    )
