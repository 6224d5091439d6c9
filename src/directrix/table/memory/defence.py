"""IPVS's defence against overload: which packets drop_packet drops, which entries drop_entry ends.

Of the automatic modes the table in memory is always in the quiet one: it never runs short.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from directrix.lvs.sctp import SctpState
from directrix.lvs.sysctls import SysctlValue
from directrix.lvs.tcp import TcpState
from directrix.lvs.udp import UdpState
from directrix.table.memory.connections import Entry, TemplateState

ALWAYS = 3
SHARE = 32
"""Each second drop_entry visits one in so many entries."""

SPARED_SECONDS = 60
"""It spares what was refreshed since, and what has had more than so many packets:"""
SPARED_PACKETS = 8

_HALF_OPEN = (TcpState.SYN_RECV, TcpState.SYNACK, SctpState.INIT1, SctpState.INIT)


class Defence:
    """Counts what the defences count. `sysctl` gives the value in force of a sysctl."""

    def __init__(self, sysctl: Callable[[str], SysctlValue]) -> None:
        self._sysctl = sysctl
        self._before_drop = 0
        self._before_entry: Counter[int] = Counter()
        self._random = random.Random(32)

    def drops_packet(self) -> bool:
        """Whether this packet, which would make a connection, is one of those to drop."""
        rate = self._sysctl("am_droprate")
        if self._sysctl("drop_packet") != ALWAYS or not rate:
            return False
        assert isinstance(rate, int)
        self._before_drop -= 1
        if self._before_drop > 0:
            return False
        self._before_drop = rate
        return True

    @property
    def drops_entries(self) -> bool:
        """Whether drop_entry is active."""
        return self._sysctl("drop_entry") == ALWAYS

    def drops_entry(self, entry: Entry, now: float) -> bool:
        """Whether an entry, looked at once a second, is visited and to be dropped."""
        return self._random.randrange(SHARE) == 0 and not entry.children and self._is_dispensable(entry, now)

    def _is_dispensable(self, entry: Entry, now: float) -> bool:
        if entry.is_template:
            return entry.state is not TemplateState.ASSURED
        if any(entry.state is half_open for half_open in _HALF_OPEN):
            return True
        if not isinstance(entry.state, UdpState) and entry.state.name != "ESTABLISHED":
            return False
        idle = entry.timeout - (entry.expires - now)
        if idle < SPARED_SECONDS or not 1 <= entry.packets <= SPARED_PACKETS:
            return False
        self._before_entry[entry.packets] -= 1
        if self._before_entry[entry.packets] > 0:
            return False
        self._before_entry[entry.packets] = entry.packets
        return True
