"""Kinds of values that only directrix's own options of virtual servers have."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.kinds import Kind, decimal, read_integer, to_microseconds
from directrix.lvs.budget import Rate, check_rate, default_burst
from directrix.lvs.budget_words import read_rate
from directrix.lvs.durations import read_duration
from directrix.lvs.errors import InvalidRequest

LONGEST = 366 * 86400.0
"""Seconds that a drain or a slow start may take."""

_HIGHEST = 0xFFFFFFFF


@dataclass(frozen=True)
class Duration(Kind):
    """A length of time, in seconds or with units."""

    @property
    def syntax(self) -> str:
        return "<TIME>"

    def read(self, arguments: Arguments) -> float:
        word = arguments.next("a time, such as 90, 90s, 10m or 1h30m")
        try:
            seconds = read_duration(word.text)
        except ValueError as error:
            raise arguments.wrong(word, f"{arguments.keyword}: {error}") from None
        if seconds > LONGEST:
            raise arguments.wrong(word, f"{arguments.keyword} takes a time of up to 366 days, not {word.text}")
        return to_microseconds(arguments, word, seconds)

    def write(self, value: float) -> str:
        return decimal(value)


@dataclass(frozen=True)
class RateKind(Kind):
    """So many in a time, and so many at once."""

    most: int
    """A second."""

    @property
    def syntax(self) -> str:
        return "<COUNT>[/s|/m|/h] [burst <COUNT>]"

    def read(self, arguments: Arguments) -> Rate:
        word = arguments.next("a rate, such as 100/s")
        try:
            count, period = read_rate(word.text)
        except ValueError as error:
            raise arguments.wrong(word, f"{arguments.keyword} {word.text}: {error}") from None
        rate, wrong = Rate(count, period, default_burst(count, period)), word
        more = arguments.maybe()
        if more is not None:
            if more.text != "burst":
                raise arguments.wrong(more, f"behind a rate stands burst, not {more.text!r}")
            wrong = arguments.next("how many connections may come at once")
            rate = Rate(count, period, read_integer(arguments, wrong, 1, _HIGHEST, "burst takes"))
        try:
            check_rate(rate, self.most, arguments.keyword, "burst")
        except InvalidRequest as error:
            raise arguments.wrong(wrong, error.reason) from None
        return rate

    def write(self, value: Rate) -> str:
        return f"{value.text} burst {value.burst}"
