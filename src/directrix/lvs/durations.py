"""Lengths of time as people write them: `90`, `90s`, `10m`, `1h30m`, `0.5s`."""

from __future__ import annotations

import re

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def read_duration(text: str) -> float:
    """The seconds a text means. A number alone is seconds.

    Raises:
        ValueError: it is no length of time.
    """
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    units = [list(_UNITS).index(unit) for _, unit in parts]
    if not parts or "".join(number + unit for number, unit in parts) != text or units != sorted(set(units)):
        raise ValueError(f"{text!r} is no length of time; write 90, 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def write_duration(seconds: float) -> str:
    """A length of time in its two largest units, from seconds up."""
    left = max(round(seconds), 0)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNITS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
