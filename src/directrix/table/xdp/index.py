"""The index in front of the table: which destinations are virtual, and whose they are.

A place holds the first of the services that hash to it, each service names the next. Every change
is one store that packets see whole: a new service is put first once it names the one that was
first; one that goes is skipped by the one before it.

A service that went while its connections live on leaves a ghost at its place, so that their
packets still come as far as the connection table.
"""

from __future__ import annotations

from collections.abc import Iterable

from directrix.lvs import ServiceKey
from directrix.lvs.errors import InvalidRequest
from directrix.table.xdp import layout
from directrix.table.xdp.keys import index_place, mark_place, takes_any_port
from directrix.table.xdp.maps import Maps

_FRONT, _SERVICE = layout.FRONT, layout.SERVICE


class ServiceIndex:
    """The index of one table. The caller holds the table's lock."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

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
        if key.address is not None and len(self._chain(_place(key))) >= layout.CHAIN_MOST:
            raise InvalidRequest("the table has no room for another service like this one")

    def add(self, number: int, key: ServiceKey) -> None:
        """Let packets find a service."""
        if key.address is None:
            return
        place = _place(key)
        chain = self._chain(place)
        self._set_next(number, chain[0] + 1 if chain else 0)
        self._places()[place] = number + 1
        self._mark([key])

    def remove(self, number: int, key: ServiceKey) -> None:
        """Let packets find it no more."""
        if key.address is None:
            return
        place = _place(key)
        chain = self._chain(place)
        at = chain.index(number)
        if at:
            self._set_next(chain[at - 1], self._next(number))
        else:
            self._places()[place] = self._next(number)

    def settle(self, services: Iterable[ServiceKey], ghosts: Iterable[ServiceKey]) -> None:
        """After removals: marks for the services and ghosts there are, and no others."""
        ghosts = list(ghosts)
        wanted = {_place(key) for key in ghosts if key.address is not None}
        places = self._places()
        for place, number in enumerate(places.tolist()):
            if number == layout.INDEX_GHOST and place not in wanted:
                places[place] = 0
        for place in wanted:
            if not places[place]:
                places[place] = layout.INDEX_GHOST
        # a fragment or an unusual port that comes at this very moment may pass: nothing worse
        words = self._maps.front.words
        words[_FRONT.offsets["any_port"] // 4] = words[_FRONT.offsets["ftp"] // 4] = 0
        start = _FRONT.offsets["address_mark"]
        self._maps.front.bytes[start : start + layout.ADDRESS_MARKS] = bytes(layout.ADDRESS_MARKS)
        self._mark([*services, *ghosts])

    def _mark(self, keys: Iterable[ServiceKey]) -> None:
        words = self._maps.front.words
        for key in keys:
            if key.address is None:
                continue
            mark = layout.ADDRESS_VIRTUAL
            if takes_any_port(key):
                mark |= layout.ADDRESS_ANY_PORT
                words[_FRONT.offsets["any_port"] // 4] = 1
                words[_FRONT.offsets["ftp"] // 4] |= key.port == 21
            self._maps.front.bytes[_FRONT.offsets["address_mark"] + mark_place(key.address)] |= mark


def _place(key: ServiceKey) -> int:
    assert key.address is not None
    return index_place(int(key.protocol or 0), key.address, key.port)
