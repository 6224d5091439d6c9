"""What of a listing depends on the moment it was made, taken out of it."""

from __future__ import annotations

import re
from collections import Counter

CONNECTIONS = "IPVS connection entries\n"
TITLES = 2
EPHEMERAL = 32768
LIVES = (10, 60, 120, 300, 900, 3600)
"""Seconds that a time to live is rounded up to, far enough apart for a slow machine."""
SLACK = 1
"""Seconds by which it may be longer: most of SCTP's are 61 s."""

_EXPIRE = re.compile(r"^(\S+\s+)(\d+):(\d\d)")
_SOURCE = re.compile(r"^(\S+\s+\S+\s+\S+\s+\S+):(\d{5})")


def settled(listing: str) -> str:
    """A connection list sorted, times rounded up to one of LIVES, ports the kernel chose as *****, like lines once."""
    if not listing.startswith(CONNECTIONS):
        return listing
    lines = listing.splitlines()
    counted = Counter(_without_moment(line) for line in lines[TITLES:])
    entries = [line if times == 1 else f"{line}  ({times} of these)" for line, times in sorted(counted.items())]
    return "".join(f"{line}\n" for line in lines[:TITLES] + entries)


def _without_moment(line: str) -> str:
    return _SOURCE.sub(_port, _EXPIRE.sub(_time, line))


def _time(found: re.Match[str]) -> str:
    left = int(found[2]) * 60 + int(found[3])
    minutes, seconds = divmod(next((life for life in LIVES if left <= life + SLACK), left), 60)
    return f"{found[1]}{minutes:02d}:{seconds:02d}"


def _port(found: re.Match[str]) -> str:
    return f"{found[1]}:*****" if int(found[2]) >= EPHEMERAL else found[0]
