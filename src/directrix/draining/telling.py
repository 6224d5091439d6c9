"""How a drain stands, in words and as JSON."""

from __future__ import annotations

from typing import Any

from directrix.draining.course import Progress, Seen, Stage
from directrix.lvs.durations import write_duration


def connections_in_words(count: int) -> str:
    """`1 connection`, `2 connections`."""
    return f"{count:,} connection{'' if count == 1 else 's'}"


def line(progress: Progress) -> str:
    """One look as a line."""
    seen = progress.seen
    protocols = ", ".join(f"{name.upper()} {count:,}" for name, count in seen.by_protocol.items())
    words = [
        f"{write_duration(progress.elapsed):>7}  {connections_in_words(seen.left)} left",
        f"active {seen.active:,}, inactive {seen.inactive:,}",
    ]
    if protocols:
        words.append(protocols)
    if progress.rate is not None and seen.left:
        words.append(f"{progress.rate:,.1f} a second go" if progress.rate > 0 else "none goes")
    if progress.remaining is not None and seen.left:
        words.append(f"about {write_duration(progress.remaining)} to go")
    return "; ".join(words)


def as_object(progress: Progress) -> dict[str, Any]:
    """One look as an object for JSON; times are seconds."""
    seen = progress.seen
    return {
        "stage": progress.stage.value,
        "elapsed": round(progress.elapsed, 3),
        "connections": seen.left,
        "active": seen.active,
        "inactive": seen.inactive,
        "by_protocol": dict(seen.by_protocol),
        "persistent": seen.templates,
        "rate": None if progress.rate is None else round(progress.rate, 3),
        "remaining": None if progress.remaining is None else round(progress.remaining, 1),
    }


def from_object(told: dict[str, Any]) -> Progress:
    """One look again, from what `as_object` made of it.

    Raises:
        KeyError, TypeError, ValueError: it isn't one.
    """
    seen = Seen(told["active"], told["inactive"], dict(told["by_protocol"]), told["persistent"], 0)
    return Progress(Stage(told["stage"]), told["elapsed"], seen, told["rate"], told["remaining"])
