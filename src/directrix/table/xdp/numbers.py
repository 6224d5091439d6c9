"""The numbers that services and real servers have in the table: looked up, given out, and kept aside.

A real server that is removed keeps its number as long as connections refer to it, and two minutes at least: if
it is added again in that time it is the same to them (as in IPVS, which keeps such servers in its trash).
"""

from __future__ import annotations

import time
from collections.abc import Set
from socket import htons

from directrix.lvs import Address, ForwardingMethod, ServiceKey
from directrix.lvs.errors import InvalidRequest, NoSuchService
from directrix.table.xdp import layout
from directrix.table.xdp.counting import Counting
from directrix.table.xdp.keys import address_bytes, address_from, key_bytes, key_from
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.reading import Reader
from directrix.table.xdp.records import Records

_SERVER = layout.SERVER
IN_USE, _KEPT_ASIDE = 1, 2
_KEPT_SECONDS = 120
"""How long IPVS keeps a removed server that no connection refers to."""

ServerId = tuple[int, bytes, int]
"""Family (4 or 6), address and port: what identifies a server inside its service."""


def identity(address: Address, port: int) -> ServerId:
    """What identifies a real server inside its service."""
    return (address.version, address_bytes(address), htons(port))


class Numbers(Records):
    """Where things are. Whoever changes anything here holds the table's lock.

    Attributes:
        services: numbers by key.
        servers: numbers of the real servers of each service, by its number.
        aside: numbers of servers that were removed, by the key of the service they were in.
        free: numbers of servers to be given out again, the next one last.
    """

    def __init__(self, maps: Maps, counting: Counting) -> None:
        super().__init__(maps)
        self._counting = counting
        self._looked_aside = 0
        """The second in which those kept aside were last looked through: they expire by the second."""
        self._clear()

    def _clear(self) -> None:
        self.services: dict[bytes, int] = {}
        self.servers: dict[int, dict[ServerId, int]] = {}
        self.aside: dict[tuple[bytes, ServerId], int] = {}
        self.free: list[int] = []

    def read(self, reader: Reader) -> None:
        """Read all from the maps, where somebody else has changed them."""
        self._clear()
        for number in reader.service_numbers():
            self.services[self._service_field(number, "key")] = number
        place = _SERVER.places
        for number in range(self._front("server_top")):
            raw = _SERVER.whole.unpack_from(self._maps.servers.bytes, number * _SERVER.size)
            server: ServerId = (raw[place["family"]], raw[place["address"]], raw[place["port"]])
            if raw[place["in_use"]] == IN_USE:
                self.servers.setdefault(raw[place["service"]], {})[server] = number
            elif raw[place["in_use"]] == _KEPT_ASIDE:
                self.aside[raw[place["key"]], server] = number
            else:
                self.free.append(number)
        self.free.reverse()

    def find(self, key: ServiceKey) -> int:
        """The number of a service.

        Raises:
            NoSuchService: there is none.
        """
        number = self.services.get(key_bytes(key))
        if number is None:
            raise NoSuchService(key)
        return number

    def free_service(self) -> int:
        """A number that no service has.

        Raises:
            InvalidRequest: there is none left.
        """
        top = self._front("service_top")
        if len(self.services) < top:
            used = set(self.services.values())
            return next(number for number in range(top) if number not in used)
        if top >= layout.MAX_SERVICES:
            raise InvalidRequest(f"the table is full: it holds {layout.MAX_SERVICES:,} services")
        self._set_front("service_top", top + 1)
        return top

    def take_back(self, service_key: bytes, server: ServerId) -> int | None:
        """The number that a server had in a service before it was removed; None if it isn't kept any more."""
        number = self.aside.pop((service_key, server), None)
        if number is not None and self._expired(number):
            self.free.append(number)
            return None
        return number

    def new_server(self, server: ServerId, service_key: bytes) -> int:
        """A number for a server, its records empty.

        Raises:
            InvalidRequest: there is none left.
        """
        number = self._front("server_top")
        if not self.free and (number >= layout.MAX_SERVERS or self._looked_aside != int(time.monotonic())):
            self._free_expired()
        if self.free:
            number = self.free.pop()
        else:
            if number >= layout.MAX_SERVERS:
                raise InvalidRequest(f"the table is full: it holds {layout.MAX_SERVERS:,} real servers")
            self._set_front("server_top", number + 1)
        self._counting.server_starts(number)
        incarnation = self._server_number(number, "incarnation") + 1 & 0xFFFFFFFF
        self._maps.servers.bytes[number * _SERVER.size : (number + 1) * _SERVER.size] = bytes(_SERVER.size)
        family, address, port = server
        self._set_server(number, family=family, address=address, port=port, key=service_key, incarnation=incarnation)
        start = number * layout.HOP.size
        self._maps.hops.bytes[start : start + layout.HOP.size] = bytes(layout.HOP.size)
        return number

    def put_aside(self, service: int, number: int) -> None:
        """Keep the number of a server that goes."""
        self._set_server(number, in_use=_KEPT_ASIDE, removed=int(time.monotonic()), unit=0)
        server: ServerId = (
            self._server_number(number, "family"),
            self._server_bytes(number, "address"),
            self._server_number(number, "port"),
        )
        self.servers.get(service, {}).pop(server, None)
        self.aside[self._service_field(service, "key"), server] = number

    def left(self) -> set[ServiceKey]:
        """The services, there or gone, that have connections to servers they had."""
        return {key_from(key) for (key, _), number in self.aside.items() if self._references(number)}

    def lives(self, left: Set[ServiceKey], key: ServiceKey) -> bool:
        """Whether a service, there or gone, has connections; `left` are those that have some to servers they had."""
        service = self.services.get(key_bytes(key), -1)
        return key in left or any(map(self._references, self.servers.get(service, {}).values()))

    def masqueraded(self) -> set[Address]:
        """The masqueraded real servers, and those removed that replies may come from."""
        there = (number for numbers in self.servers.values() for number in numbers.values())
        aside = (number for number in self.aside.values() if self._references(number))
        return {
            address_from(self._server_bytes(number, "address"), self._server_number(number, "family"))
            for number in (*there, *aside)
            if self._server_number(number, "method") == ForwardingMethod.MASQUERADE
        }

    def _expired(self, number: int) -> bool:
        """Whether IPVS would have thrown this removed server away by now."""
        gone = int(time.monotonic()) - self._server_number(number, "removed")
        return gone >= _KEPT_SECONDS and not self._references(number)

    def _free_expired(self) -> None:
        self._looked_aside = int(time.monotonic())
        for name, number in list(self.aside.items()):
            if self._expired(number):
                self._set_server(number, in_use=0)
                del self.aside[name]
                self.free.append(number)
