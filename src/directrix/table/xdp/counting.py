"""What was counted, and for whom: bpf/estimator.h, seen from user space.

Figures of a real server, of a service and of all have the same parts. `last` is what they were
when the estimator last took them down, `zero` what `-Z` takes away from that; a listing shows the
difference, so it is up to two seconds old, and what came just before `-Z` shows up after it (as
in IPVS). `rate` is the average. The data plane moves `last` and `rate` on its own; the store of a
0 or of a `zero` here is what it does not undo.
"""

from __future__ import annotations

from collections.abc import Iterable

from directrix.lvs import Counters, Rates
from directrix.table.xdp import layout, libbpf
from directrix.table.xdp.layout import Record
from directrix.table.xdp.maps import ACCOUNT, Maps

_FRONT, _SERVER, _STATISTICS = layout.FRONT, layout.SERVER, layout.STATISTICS
_COUNT, _HANDSHAKES = layout.SERVER_COUNT, layout.HANDSHAKES
_WHAT = {"connections": 10, "packets": 10, "out_packets": 10, "bytes": 5, "out_bytes": 5}
"""What is counted, with the fractional bits of its rate."""
_PLACES = {
    record.name: [
        (record.places[f"last_{name}"], record.places[f"zero_{name}"], record.places[f"rate_{name}"], bits)
        for name, bits in _WHAT.items()
    ]
    for record in (_SERVER, _STATISTICS)
}
"""Where a record has the last figure of each, what it was zeroed at, and its rate: listings ask for thousands."""
_ALL = layout.MAX_SERVICES
"""The number that the sum has among services."""


def figures(fields: tuple[int, ...], record: Record) -> tuple[Counters, Rates]:
    """Counters and rates of an unpacked record, as a listing shows them.

    Only masqueraded servers have anything that goes out through the director. Averages round as IPVS's do:
    up, from 10 fractional bits, for bytes from 5.
    """
    places = _PLACES[record.name]
    return (
        Counters(*[fields[last] - fields[zero] for last, zero, _, _ in places]),
        Rates(*[fields[rate] + (1 << bits - 1) - 1 >> bits for _, _, rate, bits in places]),
    )


class Counting:
    """Reads figures, and keeps them right where servers and services come and go.

    The caller holds the table's lock to change any.
    """

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    # What is asked.

    def service(self, number: int) -> tuple[Counters, Rates]:
        """Counters and rates of a service."""
        fields = _STATISTICS.whole.unpack_from(self._maps.service_stats.bytes, number * _STATISTICS.size)
        return figures(fields, _STATISTICS)

    def totals(self) -> tuple[Counters, Rates]:
        """Counters and rates of the whole table."""
        return self.service(_ALL)

    def forwarded(self) -> int:
        """Packets sent to real servers, ever."""
        return self._ever(self._maps.server_stats.bytes, "forwarded")

    def replied(self) -> int:
        """Replies of masqueraded real servers sent to their clients, ever."""
        return self._ever(self._maps.reply_stats.bytes, "replied")

    def _ever(self, rows: memoryview, of_the_past: str) -> int:
        front = self._maps.front.bytes
        top = _FRONT.get(front, 0, "server_top")
        return sum(self._packets(rows, number) for number in range(top)) + _FRONT.get(front, 0, of_the_past)

    # What happens.

    def server_starts(self, number: int) -> None:
        """A number is given to another server; what was forwarded under it stays in the sum of all."""
        for rows, name in ((self._maps.server_stats.bytes, "forwarded"), (self._maps.reply_stats.bytes, "replied")):
            ever = self._packets(rows, number) + _FRONT.get(self._maps.front.bytes, 0, name)
            _FRONT.pack_into(self._maps.front.bytes, 0, **{name: ever})
            for row in self._rows(number):
                rows[row : row + _COUNT.size] = bytes(_COUNT.size)
        start = number * _HANDSHAKES.size
        self._maps.handshakes.bytes[start : start + _HANDSHAKES.size] = bytes(_HANDSHAKES.size)
        _SERVER.pack_into(self._maps.servers.bytes, number * _SERVER.size, begun=0, last_begun=0)

    def server_leaves(self, number: int) -> None:
        """A server's figures stand still from now on; what it has counted is its service's."""
        program = self._maps.descriptor(ACCOUNT)
        libbpf.run(program, bytes(14) + number.to_bytes(4, "little") + bytes(46))

    def server_returns(self, number: int, same_service: bool) -> None:
        """A removed server comes back; with its figures if its service is still the same."""
        if not same_service:
            _zero(self._maps.servers.bytes, _SERVER, number)

    def service_starts(self, number: int) -> None:
        """A number is given to another service."""
        start = number * _STATISTICS.size
        self._maps.service_stats.bytes[start : start + _STATISTICS.size] = bytes(_STATISTICS.size)

    def zero(self, service: int, servers: Iterable[int]) -> None:
        """The figures of a service and of its servers start anew; those of all go on."""
        for number in servers:
            _zero(self._maps.servers.bytes, _SERVER, number)
        _zero(self._maps.service_stats.bytes, _STATISTICS, service)

    def zero_total(self) -> None:
        """The figures of all start anew."""
        _zero(self._maps.service_stats.bytes, _STATISTICS, _ALL)

    def _rows(self, number: int) -> list[int]:
        return [(cpu * layout.MAX_SERVERS + number) * _COUNT.size for cpu in range(self._maps.cpus)]

    def _packets(self, rows: memoryview, number: int) -> int:
        return sum(_COUNT.get(rows, row, "packets") for row in self._rows(number))


def _zero(shared: memoryview, record: Record, number: int) -> None:
    start = number * record.size
    values = {f"zero_{name}": record.get(shared, start, f"last_{name}") for name in _WHAT}
    record.pack_into(shared, start, **values, **{f"rate_{name}": 0 for name in _WHAT})
