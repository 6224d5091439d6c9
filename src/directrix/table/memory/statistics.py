"""Counters, and the estimator that makes smoothed rates of them.

Every two seconds the counts are taken down, which is what listings show until the next time, and
a rate moves a quarter of the way from its old value to what the last two seconds were. It is kept
as an integer with a binary fraction and shown rounded; which fraction and which rounding is
IPVS's, so the same traffic shows the same rates. Zeroing starts from what was taken down: what
was counted since then shows up afterwards, in counters and in rates.
"""

from __future__ import annotations

from directrix.lvs import Counters, Rates

PERIOD = 2.0
"""Seconds between two ticks of the estimator."""

_FRACTION_BITS = (10, 10, 10, 5, 5)
_CONNECTIONS, _IN_PACKETS, _OUT_PACKETS, _IN_BYTES, _OUT_BYTES = range(5)


class Statistics:
    """Counters and rates of a real server, a service or the whole table."""

    __slots__ = ("_estimates", "_last", "_totals", "_zeros")

    def __init__(self) -> None:
        self._totals = [0] * 5
        self._last = [0] * 5
        self.zero()

    def zero(self) -> None:
        """Show counts from where they were last taken down, and rates from nothing."""
        self._zeros = list(self._last)
        self._estimates = [0] * 5

    def count_connection(self) -> None:
        """A connection was created."""
        self._totals[_CONNECTIONS] += 1

    def count_packet(self, length: int) -> None:
        """A packet of `length` bytes, from its IP header on, came from a client."""
        self._totals[_IN_PACKETS] += 1
        self._totals[_IN_BYTES] += length

    def count_reply(self, length: int) -> None:
        """The same of a packet that came from a real server."""
        self._totals[_OUT_PACKETS] += 1
        self._totals[_OUT_BYTES] += length

    def count_bytes(self, length: int) -> None:
        """More of a packet that was counted came: a fragment that carries `length` bytes."""
        self._totals[_IN_BYTES] += length

    def count_reply_bytes(self, length: int) -> None:
        """The same of a real server's."""
        self._totals[_OUT_BYTES] += length

    def tick(self) -> None:
        """Take the counts down, and the last PERIOD into the rates."""
        for i, bits in enumerate(_FRACTION_BITS):
            # A count over two seconds is half of it a second: one bit less than the fraction has.
            rate = (self._totals[i] - self._last[i]) << (bits - 1)
            self._estimates[i] += (rate - self._estimates[i]) >> 2
            self._last[i] = self._totals[i]

    @property
    def counters(self) -> Counters:
        return Counters(*map(int.__sub__, self._last, self._zeros))

    @property
    def rates(self) -> Rates:
        return Rates(
            *(
                (value + (1 << (bits - 1)) - 1) >> bits
                for value, bits in zip(self._estimates, _FRACTION_BITS, strict=True)
            )
        )
