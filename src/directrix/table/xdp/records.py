"""The fields of services and real servers where they stand in the maps, and of the front.

Those that read and write them are its children: `numbers.py` and `table.py`.
"""

from __future__ import annotations

import struct

from directrix.table.xdp import layout
from directrix.table.xdp.maps import Maps

_FRONT, _SERVICE, _SERVER = layout.FRONT, layout.SERVICE, layout.SERVER


class Records:
    """Reads and writes single fields; who writes holds the table's lock."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def _front(self, name: str) -> int:
        return _FRONT.get(self._maps.front.bytes, 0, name)

    def _set_front(self, name: str, value: int) -> None:
        self._maps.front.words[_FRONT.offsets[name] // 4] = value

    def _service_field(self, number: int, name: str) -> bytes:
        start = number * _SERVICE.size + _SERVICE.offsets[name]
        return bytes(self._maps.services.bytes[start : start + struct.calcsize(_SERVICE.formats[name])])

    def _service_number(self, number: int, name: str) -> int:
        return _SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, name)

    def _set_service(self, number: int, **values: int | bytes) -> None:
        _SERVICE.pack_into(self._maps.services.bytes, number * _SERVICE.size, **values)

    def _server_number(self, number: int, name: str) -> int:
        return _SERVER.get(self._maps.servers.bytes, number * _SERVER.size, name)

    def _server_bytes(self, number: int, name: str) -> bytes:
        start = number * _SERVER.size + _SERVER.offsets[name]
        return bytes(self._maps.servers.bytes[start : start + struct.calcsize(_SERVER.formats[name])])

    def _set_server(self, number: int, **values: int | bytes) -> None:
        _SERVER.pack_into(self._maps.servers.bytes, number * _SERVER.size, **values)

    def _references(self, number: int) -> int:
        """How many connections and templates refer to a server."""
        return sum(self._server_number(number, name) for name in ("active", "inactive", "persistent"))
