"""TCP as a director sees it: states, numbers, names and timeouts of IPVS.

The next state follows from a packet's flags, the state now and what the director gets to see: in
direct routing and tunnelling the answers of the real server never pass it, and INPUT_ONLY guesses
from half of the conversation; where they do pass it, INPUT is for packets of the client and OUTPUT
for those of the real server. While `secure_tcp` defends, the SECURE_ tables stand in for these:
what has only knocked is told apart from what was answered.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from directrix.lvs.direction import Direction
from directrix.lvs.state import Timeouts


class TcpFlags(enum.IntFlag):
    """The bits of the TCP header that matter here (RFC 9293)."""

    NONE = 0
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    ACK = 0x10


class TcpState(enum.IntEnum):
    """State of a TCP connection, with IPVS's numbers. Listings print the name."""

    NONE = 0
    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT = 4
    TIME_WAIT = 5
    CLOSE = 6
    CLOSE_WAIT = 7
    LAST_ACK = 8
    LISTEN = 9
    SYNACK = 10

    @property
    def active(self) -> bool:
        """Whether a connection in this state counts as active."""
        return self in ACTIVE


class TcpEvent(enum.IntEnum):
    """What a packet says to the state machine."""

    SYN = 0
    FIN = 1
    ACK = 2
    RST = 3
    NONE = 4


ACTIVE = frozenset({TcpState.ESTABLISHED, TcpState.SYN_SENT, TcpState.SYN_RECV, TcpState.SYNACK})
"""The states that count as active; every other counts as inactive."""

_ABBREVIATIONS = dict(zip(["NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"], TcpState, strict=True))


def _row(cells: str) -> tuple[TcpState, ...]:
    return tuple(_ABBREVIATIONS[cell] for cell in cells.split())


Transitions = Mapping[TcpEvent, tuple[TcpState, ...]]
"""Next state by event and by state now."""

INPUT: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SR ES ES SR SR SR SR SR SR SR SR"),
        TcpEvent.FIN: _row(" CL CW SS TW TW TW CL CW LA LI TW"),
        TcpEvent.ACK: _row(" ES ES SS ES FW TW CL CW CL LI ES"),
        TcpEvent.RST: _row(" CL CL CL SR CL CL CL CL LA LI SR"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the client, where answers pass the director too."""

OUTPUT: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SS ES SS SR SS SS SS SS SS LI SR"),
        TcpEvent.FIN: _row(" TW FW SS TW FW TW CL TW LA LI TW"),
        TcpEvent.ACK: _row(" ES ES SS ES FW TW CL CW LA ES ES"),
        TcpEvent.RST: _row(" CL CL SS CL CL TW CL CL CL CL CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the real server."""

INPUT_ONLY: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SR ES ES SR SR SR SR SR SR SR SR"),
        TcpEvent.FIN: _row(" CL FW SS TW FW TW CL CW LA LI TW"),
        TcpEvent.ACK: _row(" ES ES SS ES FW TW CL CW CL LI ES"),
        TcpEvent.RST: _row(" CL CL CL SR CL CL CL CL LA LI CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the client, where nothing else passes the director."""

SECURE_INPUT: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SR ES ES SR SR SR SR SR SR SR SA"),
        TcpEvent.FIN: _row(" CL CW SS TW TW TW CL CW LA LI SA"),
        TcpEvent.ACK: _row(" ES ES SS SR FW TW CL CW CL LI SA"),
        TcpEvent.RST: _row(" CL CL CL SR CL CL CL CL LA LI CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""INPUT while `secure_tcp` defends."""

SECURE_OUTPUT: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SS ES SS SA SS SS SS SS SS LI SA"),
        TcpEvent.FIN: _row(" TW FW SS TW FW TW CL TW LA LI TW"),
        TcpEvent.ACK: _row(" ES ES SS ES FW TW CL CW LA ES ES"),
        TcpEvent.RST: _row(" CL CL SS CL CL TW CL CL CL CL CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""OUTPUT while `secure_tcp` defends."""

SECURE_INPUT_ONLY: Transitions = MappingProxyType(
    {
        # state now:         NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row(" SA ES ES SR SA SA SA SA SA SA SA"),
        TcpEvent.FIN: _row(" CL FW SS TW FW TW CL CW LA LI TW"),
        TcpEvent.ACK: _row(" ES ES SS ES FW TW CL CW CL LI ES"),
        TcpEvent.RST: _row(" CL CL CL SR CL CL CL CL LA LI CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""INPUT_ONLY while `secure_tcp` defends."""

TIMEOUTS: Mapping[TcpState, int] = MappingProxyType(
    {
        TcpState.NONE: 2,
        TcpState.ESTABLISHED: 900,
        TcpState.SYN_SENT: 120,
        TcpState.SYN_RECV: 60,
        TcpState.FIN_WAIT: 120,
        TcpState.TIME_WAIT: 120,
        TcpState.CLOSE: 10,
        TcpState.CLOSE_WAIT: 60,
        TcpState.LAST_ACK: 30,
        TcpState.LISTEN: 120,
        TcpState.SYNACK: 120,
    }
)
"""Seconds a connection is kept after a packet that left it in this state, before any `--set`."""


def event(flags: TcpFlags) -> TcpEvent:
    """What a packet with these flags says: a reset before all else, then SYN, FIN and ACK."""
    if flags & TcpFlags.RST:
        return TcpEvent.RST
    if flags & TcpFlags.SYN:
        return TcpEvent.SYN
    if flags & TcpFlags.FIN:
        return TcpEvent.FIN
    if flags & TcpFlags.ACK:
        return TcpEvent.ACK
    return TcpEvent.NONE


_BY_DIRECTION = {
    (Direction.INPUT, False): INPUT,
    (Direction.OUTPUT, False): OUTPUT,
    (Direction.INPUT_ONLY, False): INPUT_ONLY,
    (Direction.INPUT, True): SECURE_INPUT,
    (Direction.OUTPUT, True): SECURE_OUTPUT,
    (Direction.INPUT_ONLY, True): SECURE_INPUT_ONLY,
}


def next_state(
    state: TcpState, flags: TcpFlags, direction: Direction = Direction.INPUT_ONLY, *, secure: bool = False
) -> TcpState:
    """The state after a packet with these flags; `secure`: by secure_tcp."""
    return _BY_DIRECTION[direction, secure][event(flags)][state]


def timeout(state: TcpState, timeouts: Timeouts) -> int:
    """Seconds until a connection in this state expires. Only two of the timeouts can be set."""
    if state is TcpState.ESTABLISHED:
        return timeouts.tcp
    if state is TcpState.FIN_WAIT:
        return timeouts.tcp_fin
    return TIMEOUTS[state]


def opens(flags: TcpFlags, *, sloppy: bool = False) -> bool:
    """Whether a packet with these flags may start a connection: SYN without RST, whatever else.

    With the sysctl `sloppy_tcp` any packet without RST may.
    """
    return (sloppy or bool(flags & TcpFlags.SYN)) and not flags & TcpFlags.RST
