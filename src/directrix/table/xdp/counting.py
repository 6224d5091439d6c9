"""What was counted, and for whom.

Packets count for one real server and nobody else; services and the table are sums. A server's raw
counters only ever grow while its number is its own, so what a listing shows is a difference: of a
server, less what `-Z` or a new service took away (`zero`); of a service, less what it has taken
over of a server already (`kept`), plus what servers that left have brought it (`base`); of the
table, plus what services that went have left behind (the front's `base`).
"""

from __future__ import annotations

from collections.abc import Iterable

from directrix.lvs import Counters, Rates
from directrix.table.xdp import layout
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.reading import Reader, Totals, add, counters, rates, subtract
from directrix.table.xdp.sets import Sets

_FRONT, _SERVICE, _SERVER = layout.FRONT, layout.SERVICE, layout.SERVER


class Counting:
    """Moves counters where servers and services come and go. The caller holds the table's lock to change any."""

    def __init__(self, maps: Maps, sets: Sets, reader: Reader) -> None:
        self._maps = maps
        self._sets = sets
        self._reader = reader

    # What is asked.

    def totals(self) -> tuple[Counters, Rates]:
        """Counters and rates of the whole table."""
        total, averages = self._reader.front_base(), (0, 0, 0)
        for number in self._reader.service_numbers():
            total = add(total, self._base(number))
            for server in self._sets.numbers(_SERVICE.get(self._maps.services.bytes, number * _SERVICE.size, "set")):
                total = add(total, subtract(self._raw(server), self._kept(server)))
                averages = add(averages, self._of_server(server, "rate"))
        return counters(total), rates(averages)

    def forwarded(self) -> int:
        """Packets sent to real servers, ever."""
        front = self._maps.front.bytes
        raw = sum(self._raw(number)[1] for number in range(_FRONT.get(front, 0, "server_top")))
        return raw + _FRONT.get(front, 0, "forwarded")

    # What happens.

    def server_starts(self, number: int) -> None:
        """A number is given to another server; what was forwarded under it stays in the sum of all."""
        forwarded = self._raw(number)[1] + _FRONT.get(self._maps.front.bytes, 0, "forwarded")
        _FRONT.pack_into(self._maps.front.bytes, 0, forwarded=forwarded)
        size = layout.SERVER_COUNT.size
        for cpu in range(self._maps.cpus):
            row = (cpu * layout.MAX_SERVERS + number) * size
            self._maps.server_stats.bytes[row : row + size] = bytes(size)

    def server_leaves(self, service: int, number: int) -> None:
        """What a server counted is its service's from now on."""
        raw = self._raw(number)
        self._set_base(service, add(self._base(service), subtract(raw, self._kept(number))))
        self._set_server(number, kept=raw)

    def server_returns(self, number: int, same_service: bool) -> None:
        """A removed server comes back; with its counters if its service is still the same."""
        raw = self._raw(number)
        self._set_server(number, kept=raw)
        if not same_service:
            self._set_server(number, zero=raw)

    def service_goes(self, service: int) -> None:
        """What a service without servers counted is the table's from now on."""
        self._add_front(self._base(service))

    def zero(self, service: int, servers: Iterable[int]) -> None:
        """A service's counters and its servers' start anew; the table's own go on."""
        total = self._base(service)
        for number in servers:
            raw = self._raw(number)
            total = add(total, subtract(raw, self._kept(number)))
            self._set_server(number, zero=raw, kept=raw, rate=(0, 0, 0))
        self._set_base(service, (0, 0, 0))
        self._add_front(total)

    def zero_total(self) -> None:
        """The table's counters start anew; every service's have been zeroed before."""
        self._set_front((0, 0, 0))

    # Where they stand.

    def _raw(self, number: int) -> Totals:
        connections = _SERVER.get(self._maps.servers.bytes, number * _SERVER.size, "connections")
        return self._reader.raw_counts(number, connections)

    def _of_server(self, number: int, what: str) -> Totals:
        shared, start = self._maps.servers.bytes, number * _SERVER.size
        return (
            _SERVER.get(shared, start, f"{what}_connections"),
            _SERVER.get(shared, start, f"{what}_packets"),
            _SERVER.get(shared, start, f"{what}_bytes"),
        )

    def _kept(self, number: int) -> Totals:
        return self._of_server(number, "kept")

    def _set_server(self, number: int, **totals: Totals) -> None:
        values = {
            f"{what}_{name}": value
            for what, triple in totals.items()
            for name, value in zip(("connections", "packets", "bytes"), triple, strict=True)
        }
        _SERVER.pack_into(self._maps.servers.bytes, number * _SERVER.size, **values)

    def _base(self, service: int) -> Totals:
        shared, start = self._maps.services.bytes, service * _SERVICE.size
        return (
            _SERVICE.get(shared, start, "base_connections"),
            _SERVICE.get(shared, start, "base_packets"),
            _SERVICE.get(shared, start, "base_bytes"),
        )

    def _set_base(self, service: int, totals: Totals) -> None:
        _SERVICE.pack_into(
            self._maps.services.bytes,
            service * _SERVICE.size,
            base_connections=totals[0],
            base_packets=totals[1],
            base_bytes=totals[2],
        )

    def _set_front(self, totals: Totals) -> None:
        _FRONT.pack_into(
            self._maps.front.bytes, 0, base_connections=totals[0], base_packets=totals[1], base_bytes=totals[2]
        )

    def _add_front(self, totals: Totals) -> None:
        self._set_front(add(self._reader.front_base(), totals))
