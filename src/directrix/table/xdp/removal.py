"""With expire_nodest_conn: the data plane ends all connections of removed real servers, at once."""

from __future__ import annotations

import struct

from directrix.table.xdp import libbpf
from directrix.table.xdp.maps import CLEAR, Maps

_ETHERNET = 14
_LINES_AT_ONCE = 16384
"""Lines of heads in one run of the program: some ten milliseconds if they are full."""


def clear(maps: Maps) -> None:
    """End the connections whose real server is not part of a service any more."""
    program, lines = maps.descriptor(CLEAR), maps.parameter("head_lines")
    for first in range(0, lines, _LINES_AT_ONCE):
        some = struct.pack("=II", first, min(_LINES_AT_ONCE, lines - first))
        libbpf.run(program, bytes(_ETHERNET) + some + bytes(64 - _ETHERNET - len(some)))
