"""The index in front of the table: which destinations are virtual, and whose they are.

A place holds the first of the services that hash to it, each service names the next. Every change
is one store that packets see whole: a new service is put first once it names the one that was
first; one that goes is skipped by the one before it.

A service that went while its connections live on leaves a ghost at its place, so that their
packets still come as far as the connection table. A firewall-mark service stands at a place of its
own, where no packet looks for a destination; what packets look for is what the rules of its mark
cover, and that is shown by ghosts, too, or address by address if it is more than a few places.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from directrix.lvs import Address, MarkMatch, Protocol, ServiceKey
from directrix.lvs.errors import InvalidRequest
from directrix.table.xdp import layout
from directrix.table.xdp.keys import index_place, mark_place, service_place, takes_any_port
from directrix.table.xdp.maps import Maps

_FRONT, _SERVICE = layout.FRONT, layout.SERVICE

_FEW_PLACES = 16
"""A mark rule that covers more destinations than this is shown by addresses, not by places."""

_FEW_ADDRESSES = 256
"""One that covers more addresses than this is shown at all of them: every packet is looked at then."""


@dataclass(slots=True)
class _Shown:
    """What the front says of destinations beside the services at their places."""

    ghosts: set[int] = field(default_factory=set)
    addresses: bytearray = field(default_factory=lambda: bytearray(layout.ADDRESS_MARKS))
    beyond: int = 0
    ftp: bool = False

    def address(self, address: Address, *, any_port: bool) -> None:
        """An address that is virtual, perhaps on any port."""
        self.addresses[mark_place(address)] |= layout.ADDRESS_VIRTUAL | (layout.ADDRESS_ANY_PORT if any_port else 0)
        self.beyond |= layout.BEYOND_ANY_PORT if any_port else 0

    def replies(self, address: Address) -> None:
        """A real server's address that replies come from."""
        self.addresses[mark_place(address)] |= layout.ADDRESS_MASQUERADED
        self.beyond |= layout.BEYOND_REPLIES

    def rule(self, match: MarkMatch) -> None:
        """What a mark rule covers."""
        network, ports = match.network, range(match.first_port, match.last_port + 1)
        protocols = list(Protocol) if match.protocol is None else [match.protocol]
        if network.num_addresses > _FEW_ADDRESSES:
            both = layout.ADDRESS_VIRTUAL | layout.ADDRESS_ANY_PORT
            self.addresses[:] = bytes(mark | both for mark in self.addresses)
            self.beyond |= layout.BEYOND_ANY_PORT
            return
        few = network.num_addresses * len(ports) * len(protocols) <= _FEW_PLACES
        for address in network:
            self.address(address, any_port=not few)
            if few:
                self.ghosts |= {index_place(protocol, address, port) for protocol in protocols for port in ports}


class ServiceIndex:
    """The index of one table. The caller holds the table's lock.

    `rules` tells the matches of the mark rules for a firewall-mark service.
    """

    def __init__(self, maps: Maps, rules: Callable[[ServiceKey], Iterable[MarkMatch]]) -> None:
        self._maps = maps
        self._rules = rules

    def _places(self) -> memoryview:
        start = _FRONT.offsets["index"]
        return self._maps.front.bytes[start : start + layout.INDEX_SIZE * 2].cast("H")

    def _next(self, number: int) -> int:
        return _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "next")

    def _set_next(self, number: int, following: int) -> None:
        self._maps.services.words[(number * _SERVICE.size + _SERVICE.offsets["next"]) // 4] = following

    def _chain(self, place: int) -> list[int]:
        chain: list[int] = []
        number = self._places()[place]
        while number and number != layout.INDEX_GHOST and len(chain) < layout.CHAIN_MOST:
            chain.append(number - 1)
            number = self._next(number - 1)
        return chain

    def check_room(self, key: ServiceKey) -> None:
        """See whether a service can be added.

        Raises:
            InvalidRequest: too many services hash to its place.
        """
        if len(self._chain(service_place(key))) >= layout.CHAIN_MOST:
            raise InvalidRequest("the table has no room for another service like this one")

    def add(self, number: int, key: ServiceKey) -> None:
        """Let packets find a service."""
        place = service_place(key)
        chain = self._chain(place)
        self._set_next(number, chain[0] + 1 if chain else 0)
        self._places()[place] = number + 1
        shown = _Shown(addresses=bytearray(self._addresses()), beyond=self._beyond, ftp=self._ftp)
        self._cast(shown, key)
        self._haunt(shown.ghosts)
        self._addresses()[:] = shown.addresses
        self._set_flags(shown)

    def show_replies(self, address: Address) -> None:
        """Let replies come as far as the connection table that a masqueraded real server sends."""
        self._addresses()[mark_place(address)] |= layout.ADDRESS_MASQUERADED
        self._set_flags(_Shown(beyond=self._beyond | layout.BEYOND_REPLIES, ftp=self._ftp))

    @property
    def shows_replies(self) -> bool:
        """Whether replies are looked for at all."""
        return bool(self._beyond & layout.BEYOND_REPLIES)

    def remove(self, number: int, key: ServiceKey) -> None:
        """Let packets find it no more; until `settle` they still come as far as the connection table."""
        place = service_place(key)
        chain = self._chain(place)
        at = chain.index(number)
        if at:
            self._set_next(chain[at - 1], self._next(number))
        else:
            self._places()[place] = self._next(number) or layout.INDEX_GHOST

    def settle(
        self, services: Iterable[ServiceKey], ghosts: Iterable[ServiceKey], masqueraded: Iterable[Address]
    ) -> None:
        """After changes: show these services and ghosts with their mark rules, and masqueraded servers, and no others.

        What is shown before and after is never hidden meanwhile.
        """
        shown = _Shown()
        for key in services:
            self._cast(shown, key)
        for key in ghosts:
            self._cast(shown, key)
            if key.address is not None:
                shown.ghosts.add(service_place(key))
        for address in masqueraded:
            shown.replies(address)
        places = self._places()
        for place, number in enumerate(places.tolist()):
            if number == layout.INDEX_GHOST and place not in shown.ghosts:
                places[place] = 0
        self._haunt(shown.ghosts)
        self._addresses()[:] = shown.addresses
        self._set_flags(shown)

    def _cast(self, shown: _Shown, key: ServiceKey) -> None:
        if key.address is None:
            for match in self._rules(key):
                shown.rule(match)
            return
        any_port = takes_any_port(key)
        shown.address(key.address, any_port=any_port)
        shown.ftp |= any_port and key.port == 21

    def _haunt(self, ghosts: Iterable[int]) -> None:
        places = self._places()
        for place in ghosts:
            if not places[place]:
                places[place] = layout.INDEX_GHOST

    def _addresses(self) -> memoryview:
        start = _FRONT.offsets["address_mark"]
        return self._maps.front.bytes[start : start + layout.ADDRESS_MARKS]

    @property
    def _beyond(self) -> int:
        return self._maps.front.words[_FRONT.offsets["beyond"] // 4]

    @property
    def _ftp(self) -> bool:
        return bool(self._maps.front.words[_FRONT.offsets["ftp"] // 4])

    def _set_flags(self, shown: _Shown) -> None:
        words = self._maps.front.words
        words[_FRONT.offsets["plain"] // 4] = 0 if shown.beyond else socket.htonl(Protocol.TCP)
        words[_FRONT.offsets["beyond"] // 4] = shown.beyond
        words[_FRONT.offsets["ftp"] // 4] = shown.ftp
