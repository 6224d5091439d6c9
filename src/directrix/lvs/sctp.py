"""SCTP as a director sees it: states, numbers, names and timeouts of IPVS.

A packet's event is told by its first chunk, with one exception (see `event`). The next state
follows from the event, the state now and what the director gets to see: in direct routing and
tunnelling the answers of the real server never pass it, and INPUT_ONLY guesses from half of the
conversation; where they do pass it, INPUT is for packets of the client and OUTPUT for those of the
real server.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from directrix.lvs.direction import Direction


class SctpChunk(enum.IntEnum):
    """Types of chunks (RFC 9260, 3168)."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    SACK = 3
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    ECNE = 12
    CWR = 13
    SHUTDOWN_COMPLETE = 14


class SctpState(enum.IntEnum):
    """State of an association, with IPVS's numbers."""

    NONE = 0
    INIT1 = 1
    INIT = 2
    COOKIE_SENT = 3
    COOKIE_REPLIED = 4
    COOKIE_WAIT = 5
    COOKIE = 6
    COOKIE_ECHOED = 7
    ESTABLISHED = 8
    SHUTDOWN_SENT = 9
    SHUTDOWN_RECEIVED = 10
    SHUTDOWN_ACK_SENT = 11
    REJECTED = 12
    CLOSED = 13

    @property
    def active(self) -> bool:
        """Whether a connection in this state counts as active."""
        return self is SctpState.ESTABLISHED

    @property
    def label(self) -> str:
        """The name that listings print."""
        return LABELS[self]


class SctpEvent(enum.IntEnum):
    """What a packet says to the state machine. DATA is also everything that changes nothing."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    COOKIE_ECHO = 3
    COOKIE_ACK = 4
    SHUTDOWN = 5
    SHUTDOWN_ACK = 6
    SHUTDOWN_COMPLETE = 7
    ERROR = 8
    ABORT = 9


LABELS: Mapping[SctpState, str] = MappingProxyType(
    {
        SctpState.NONE: "NONE",
        SctpState.INIT1: "INIT1",
        SctpState.INIT: "INIT",
        SctpState.COOKIE_SENT: "C-SENT",
        SctpState.COOKIE_REPLIED: "C-REPLIED",
        SctpState.COOKIE_WAIT: "C-WAIT",
        SctpState.COOKIE: "COOKIE",
        SctpState.COOKIE_ECHOED: "C-ECHOED",
        SctpState.ESTABLISHED: "ESTABLISHED",
        SctpState.SHUTDOWN_SENT: "S-SENT",
        SctpState.SHUTDOWN_RECEIVED: "S-RECEIVED",
        SctpState.SHUTDOWN_ACK_SENT: "S-ACK-SENT",
        SctpState.REJECTED: "REJECTED",
        SctpState.CLOSED: "CLOSED",
    }
)
"""The names that listings print."""

_ABBREVIATIONS = dict(
    zip(
        ["NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL"],
        SctpState,
        strict=True,
    )
)

Transitions = Mapping[SctpEvent, tuple[SctpState, ...]]
"""Next state by event and by state now."""


def _row(cells: str) -> tuple[SctpState, ...]:
    return tuple(_ABBREVIATIONS[cell] for cell in cells.split())


INPUT: Transitions = MappingProxyType(
    {
        # state now:                       NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
        SctpEvent.DATA: _row("             ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.INIT: _row("             I1 IN IN CS CR CW CO CE ES SS SR SA IN IN"),
        SctpEvent.INIT_ACK: _row("         CW CW CW CS CR CO CO CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ECHO: _row("      CR IN IN CR CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ACK: _row("       ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN: _row("         SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN_ACK: _row("     CL IN IN CS CR CW CO CE ES CL SR CL RJ CL"),
        SctpEvent.SHUTDOWN_COMPLETE: _row("CL CL CL CS CR CW CO CE ES SS SR CL RJ CL"),
        SctpEvent.ERROR: _row("            CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL"),
        SctpEvent.ABORT: _row("            CL CL CL CL CL RJ CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the client, where answers pass the director too."""

OUTPUT: Transitions = MappingProxyType(
    {
        # state now:                       NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
        SctpEvent.DATA: _row("             ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.INIT: _row("             CW CW CW CW CW CW CW CW ES CW CW CW CW CW"),
        SctpEvent.INIT_ACK: _row("         CS CS CS CS CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ECHO: _row("      CE CE CE CE CE CE CE CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ACK: _row("       ES ES ES ES ES ES ES ES ES SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN: _row("         SS SS SS SS SS SS SS SS SS SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN_ACK: _row("     SA SA SA SA SA CW CO CE ES SA SA SA RJ CL"),
        SctpEvent.SHUTDOWN_COMPLETE: _row("CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.ERROR: _row("            CL CL CL CL CL CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.ABORT: _row("            CL RJ CL CL CL CL CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the real server."""

INPUT_ONLY: Transitions = MappingProxyType(
    {
        # state now:                       NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
        SctpEvent.DATA: _row("             ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL"),
        SctpEvent.INIT: _row("             I1 IN IN IN IN IN CO CE ES SS SR SA IN IN"),
        SctpEvent.INIT_ACK: _row("         CE CE CE CE CE CE CO CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ECHO: _row("      ES ES ES ES ES ES CO CE ES SS SR SA RJ CL"),
        SctpEvent.COOKIE_ACK: _row("       ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN: _row("         SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL"),
        SctpEvent.SHUTDOWN_ACK: _row("     CL IN IN CS CR CW CO CE CL CL SR CL RJ CL"),
        SctpEvent.SHUTDOWN_COMPLETE: _row("CL CL CL CL CL CW CO CE ES SS CL CL RJ CL"),
        SctpEvent.ERROR: _row("            CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL"),
        SctpEvent.ABORT: _row("            CL CL CL CL CL RJ CL CL CL CL CL CL CL CL"),
    }
)
"""For packets of the client, where nothing else passes the director."""

_LONGEST_RETRANSMISSION = 61

TIMEOUTS: Mapping[SctpState, int] = MappingProxyType(
    dict.fromkeys(SctpState, _LONGEST_RETRANSMISSION)
    | {SctpState.NONE: 2, SctpState.INIT1: 4, SctpState.ESTABLISHED: 900, SctpState.REJECTED: 4}
)
"""Seconds a connection is kept after a packet that left it in this state. No `--set` changes them."""

_EVENTS: Mapping[int, SctpEvent] = MappingProxyType(
    {SctpChunk[event.name]: event for event in SctpEvent if event is not SctpEvent.DATA}
)


def event(first: int, second: int | None = None) -> SctpEvent:
    """What a packet with these types of chunks says: the first one's event.

    An ABORT right behind a COOKIE ECHO or COOKIE ACK comes before it. Types without an event of
    their own, unknown ones among them, are DATA.
    """
    if first in (SctpChunk.COOKIE_ECHO, SctpChunk.COOKIE_ACK) and second == SctpChunk.ABORT:
        return SctpEvent.ABORT
    return _EVENTS.get(first, SctpEvent.DATA)


_BY_DIRECTION = {Direction.INPUT: INPUT, Direction.OUTPUT: OUTPUT, Direction.INPUT_ONLY: INPUT_ONLY}


def next_state(state: SctpState, said: SctpEvent, direction: Direction = Direction.INPUT_ONLY) -> SctpState:
    """The state after a packet that says this."""
    return _BY_DIRECTION[direction][said][state]


def timeout(state: SctpState) -> int:
    """Seconds until a connection in this state expires."""
    return TIMEOUTS[state]


def opens(first: int, *, sloppy: bool = False) -> bool:
    """Whether a packet with this type of first chunk may start a connection; `sloppy` as by `sloppy_sctp`.

    IPVS asks the first chunk alone: a cookie with an ABORT behind it starts one that is over at once.
    """
    return first == SctpChunk.INIT or (sloppy and first != SctpChunk.ABORT)
