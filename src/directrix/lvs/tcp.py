"""TCP as a director in direct routing or tunnelling sees it: from the client's side only.

The answers of the real server never pass the director, so its state machine guesses from half of
the conversation. This is the *input only* table of IPVS, with its states, numbers, names and
timeouts; the states for two-way traffic are in the enumeration because they keep their numbers.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

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


INPUT_ONLY: Mapping[TcpEvent, tuple[TcpState, ...]] = MappingProxyType(
    {
        # state now:        NO ES SS SR FW TW CL CW LA LI SA
        TcpEvent.SYN: _row("SR ES ES SR SR SR SR SR SR SR SR"),
        TcpEvent.FIN: _row("CL FW SS TW FW TW CL CW LA LI TW"),
        TcpEvent.ACK: _row("ES ES SS ES FW TW CL CW CL LI ES"),
        TcpEvent.RST: _row("CL CL CL SR CL CL CL CL LA LI CL"),
        TcpEvent.NONE: _row("CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""Next state by event and by state now."""

SECURE_INPUT_ONLY: Mapping[TcpEvent, tuple[TcpState, ...]] = MappingProxyType(
    # state now:                       NO ES SS SR FW TW CL CW LA LI SA
    {**INPUT_ONLY, TcpEvent.SYN: _row("SA ES ES SR SA SA SA SA SA SA SA")}
)
"""The same while the defence `secure_tcp` is active: only SYNs lead elsewhere."""

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


def next_state(state: TcpState, flags: TcpFlags, *, secure: bool = False) -> TcpState:
    """The state after a packet from the client; `secure` while the defence secure_tcp is active."""
    return (SECURE_INPUT_ONLY if secure else INPUT_ONLY)[event(flags)][state]


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
