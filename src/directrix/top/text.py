"""Numbers, shares, times and sparklines in a few columns."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-:=+*#"


def short(number: float) -> str:
    """A number in five columns or less: 99999, 123k, 12.3M."""
    if number < 99_999.5:
        return f"{number:.0f}"
    for unit in "kMGTPE":
        number /= 1000
        if number < 999.5:
            return f"{number:.1f}{unit}" if number < 99.95 else f"{number:.0f}{unit}"
    return "much"


def percent(share: float | None) -> str:
    """A share in four columns or less, rounded down: what isn't all of them isn't 100%."""
    return "-" if share is None else f"{int(share * 100)}%"


def duration(seconds: float | None) -> str:
    """A time in five columns or less: 850us, 12ms, 3.2s."""
    if seconds is None:
        return "-"
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{seconds * scale:.1f}{unit}" if seconds * scale < 9.95 else f"{seconds * scale:.0f}{unit}"
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{min(seconds, 9999):.0f}s"


def sparkline(values: Sequence[int], width: int, *, unicode: bool) -> str:
    """The last `width` values, each a bar as high as its part of the highest among them; nothing is a blank."""
    shown = list(values)[-width:] if width > 0 else []
    highest, bars = max(shown, default=0), BLOCKS if unicode else ASCII
    drawn = (bars[min(value * len(bars) // highest, len(bars) - 1)] if value else " " for value in shown)
    return "".join(drawn).rjust(max(width, 0))


def fit(text: str, width: int) -> str:
    """A text in exactly so many columns; of a long one the end is kept, which tells servers apart."""
    if len(text) > width:
        return ("~" + text[len(text) - width + 1 :]) if width > 1 else text[:width]
    return text.ljust(width)
