"""Budgets: how many new connections a service may get in a time, and each source of it.

A budget is a token bucket: so many connections come back to it in a second, and up to `burst` of them are there to be
taken at once. What is more is dropped, as nftables' `limit` does it: a TCP client tries again after a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.errors import InvalidRequest

PERIODS = {"s": 1, "m": 60, "h": 3600}
"""Seconds by the letter of a rate."""

LEAST_BURST = 5
MOST_SERVICE_RATE = 10_000_000
"""A second; by it a connection takes a tenth of a microsecond."""

MOST_SOURCE_RATE = 10_000
"""A second, of one source: the data plane counts its time in microseconds."""

MOST_BURST_SECONDS = 12 * 3600
"""How long a burst may take to come back."""

_NS = 1_000_000_000

PREFIX4, PREFIX6 = 32, 64
"""What counts as one source unless said otherwise: an IPv4 address, and the IPv6 network that a host has."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a period of seconds, and so many at once."""

    count: int
    period: int
    burst: int

    @property
    def interval(self) -> float:
        """Seconds that one takes to come back."""
        return self.period / self.count

    @property
    def text(self) -> str:
        """As an operator writes it: 100/s."""
        return f"{self.count}/{next(letter for letter, seconds in PERIODS.items() if seconds == self.period)}"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a service's clients may take: all together, and each source; None: as much as comes.

    Attributes:
        prefix4, prefix6: how many bits of a client's address tell sources apart.
    """

    service: Rate | None = None
    source: Rate | None = None
    prefix4: int = PREFIX4
    prefix6: int = PREFIX6

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidRequest: says what.
        """
        if self.service is None and self.source is None:
            raise InvalidRequest("a budget is for the service (--rate), for each source (--source-rate), or both")
        for rate, most, option, burst in (
            (self.service, MOST_SERVICE_RATE, "--rate", "--burst"),
            (self.source, MOST_SOURCE_RATE, "--source-rate", "--source-burst"),
        ):
            if rate is not None:
                check_rate(rate, most, option, burst)
        for prefix, bits, option in (
            (self.prefix4, 32, "--source-prefix"),
            (self.prefix6, 128, "--source-prefix6"),
        ):
            if not 0 < prefix <= bits:
                raise InvalidRequest(f"{option} {prefix}: a prefix is 1 to {bits}")


def check_rate(rate: Rate, most: int, option: str, burst: str) -> None:
    """Refuse a rate that makes no sense.

    Args:
        rate: it.
        most: so many a second at most.
        option: what it is called, for the one who reads the refusal.
        burst: what its burst is called.

    Raises:
        InvalidRequest: says what.
    """
    if rate.period not in PERIODS.values() or not 1 <= rate.count <= most * rate.period:
        raise InvalidRequest(f"{option} {rate.count}: a rate is 1 to {most:,} a second")
    if rate.burst < 1:
        raise InvalidRequest(f"{burst} {rate.burst}: a burst of less than one connection lets none through")
    if rate.burst * rate.interval > MOST_BURST_SECONDS:
        longest = int(MOST_BURST_SECONDS / rate.interval)
        raise InvalidRequest(f"{burst} {rate.burst}: at {rate.text} it is at most {longest:,}, twelve hours' worth")


def default_burst(count: int, period: int) -> int:
    """What comes in a second, and at least a few."""
    return max(-(-count // period), LEAST_BURST)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget in force.

    Attributes:
        over, source_over: packets refused since it was set, for the service's and for a source's share.
        left: connections that are there to be taken at once; None without a rate for the service.
    """

    budget: Budget
    over: int = 0
    source_over: int = 0
    left: int | None = None


class Bucket:
    """A token bucket, kept as the time at which it is full again, in nanoseconds."""

    def __init__(self, rate: Rate) -> None:
        self._interval = max(round(rate.interval * _NS), 1)
        self._burst = self._interval * rate.burst
        self._full = 0

    def take(self, now: float) -> bool:
        """Take one if there is one. `now`: seconds, not going back."""
        ahead = self._ahead(now) + self._interval
        if ahead > self._burst:
            return False
        self._full = int(now * _NS) + ahead
        return True

    def left(self, now: float) -> int:
        """How many are there."""
        return (self._burst - self._ahead(now)) // self._interval

    def _ahead(self, now: float) -> int:
        return max(self._full - int(now * _NS), 0)
