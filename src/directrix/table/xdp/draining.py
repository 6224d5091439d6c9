"""What is done to the connections of one real server, by the data plane's program for it."""

from __future__ import annotations

import enum
import struct
from functools import cached_property
from itertools import repeat, takewhile

from directrix.lvs import Protocol
from directrix.table.xdp import libbpf
from directrix.table.xdp.maps import DRAIN, Maps

_ETHERNET = 14
_LINES_AT_ONCE = 16384
"""Lines of heads in one run of the program: some ten milliseconds if they are full."""
_ATTEMPTS = 4
"""A packet that refreshes a connection at the very moment it is to end wins, that time."""


class _What(enum.IntEnum):
    """As enum draining_what."""

    COUNT = 0
    END = 1
    FORGET = 2


class Draining:
    """Counts and ends connections of real servers, by their numbers."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    @cached_property
    def _program(self) -> int:
        return self._maps.descriptor(DRAIN)

    def count(self, server: int, protocol: Protocol | None) -> int:
        """How many live connections it has."""
        return self._run(server, _What.COUNT, protocol)

    def end(self, server: int, protocol: Protocol | None) -> int:
        """End them; answers how many."""
        return sum(takewhile(bool, (self._run(server, _What.END, protocol) for _ in repeat(None, _ATTEMPTS))))

    def forget(self, server: int) -> None:
        """No template leads to it any more."""
        self._run(server, _What.FORGET, None)

    def _run(self, server: int, what: _What, protocol: Protocol | None) -> int:
        lines, found = self._maps.parameter("head_lines"), 0
        for first in range(0, lines, _LINES_AT_ONCE):
            words = struct.pack("=5I", first, min(_LINES_AT_ONCE, lines - first), server, what, protocol or 0)
            found += libbpf.run(self._program, bytes(_ETHERNET) + words + bytes(64 - _ETHERNET - len(words))).value
        return found
