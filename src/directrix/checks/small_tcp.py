"""A small TCP client, pure: segments in, segments out, `now` is an argument (RFC 9293).

DR_CHECK has to connect to an address that is also its own host's, which no socket of the kernel's can. One short
conversation needs little of TCP: connect, send one request, hear the answer in order, reset. What arrives out of
order is acknowledged as a gap, and comes again; there is no window to manage and no congestion to control, for one
small request.

| state | on | does | becomes |
| --- | --- | --- | --- |
| CONNECTING | SYN+ACK of our SYN | ACK, if it is to go on | CONNECTED |
| CONNECTING | RST of our SYN | | REFUSED |
| CONNECTING | ACK of something else (an older connection's) | RST | |
| CONNECTED | data in order | ACK, hand on | |
| CONNECTED | FIN in order | ACK | ENDED |
| CONNECTED | RST in order | | BROKEN |
| any | nothing for a while | what is not acknowledged again | |
"""

from __future__ import annotations

import enum

from directrix.checks.frames import Segment
from directrix.system.frames import Flag

FIRST_WAIT = 0.2
"""Seconds until something is sent again; doubled each time. The server is a neighbour."""

_MODULUS = 1 << 32


class State(enum.Enum):
    """How far a conversation is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    ENDED = "ended"
    BROKEN = "broken"


class SmallTcp:
    """One conversation. Every method gives the segments that must be sent now.

    Args:
        source_port, port: ours and theirs.
        first: our initial sequence number, a random one.
    """

    def __init__(self, source_port: int, port: int, first: int) -> None:
        self.state = State.CONNECTING
        self.received = bytearray()
        self.resend_at: float | None = None
        """When `tick` must be called at the latest; None if nothing is waited for."""
        self._ports = source_port, port
        self._next = (first + 1) % _MODULUS
        self._expected = 0
        self._flight = [self._segment(Flag.SYN, first)]
        self._wait = FIRST_WAIT

    def start(self, now: float) -> list[Segment]:
        """Ask for a connection."""
        return self._again(now)

    def send(self, data: bytes, now: float) -> list[Segment]:
        """Send a request that fits one segment. Only when connected."""
        segment = self._segment(Flag.ACK | Flag.PSH, self._next, data)
        self._next = (self._next + len(data)) % _MODULUS
        self._flight, self._wait = [segment], FIRST_WAIT
        return self._again(now)

    def tick(self, now: float) -> list[Segment]:
        """Time has passed."""
        if self.resend_at is None or now < self.resend_at:
            return []
        return self._again(now)

    def receive(self, segment: Segment, now: float) -> list[Segment]:
        """Something came."""
        if self.state is State.CONNECTING:
            return self._connecting(segment)
        if self.state is State.CONNECTED:
            return self._connected(segment)
        return []

    def reset(self) -> list[Segment]:
        """Leave nothing behind at the server."""
        self.resend_at = None
        if self.state in (State.REFUSED, State.BROKEN):
            return []
        return [self._segment(Flag.RST, self._next)]

    def _connecting(self, segment: Segment) -> list[Segment]:
        acknowledges = bool(segment.flags & Flag.ACK)
        if acknowledges and segment.acknowledged != self._next:
            # A left-over of an older conversation: that one must be ended before this one can begin.
            stale = not segment.flags & Flag.RST
            return [self._segment(Flag.RST, segment.acknowledged)] if stale else []
        if not acknowledges:
            return []
        if segment.flags & Flag.RST:
            self._settle(State.REFUSED)
        elif segment.flags & Flag.SYN:
            self._expected = (segment.sequence + 1) % _MODULUS
            self._settle(State.CONNECTED)
        return []

    def _connected(self, segment: Segment) -> list[Segment]:
        behind = (self._expected - segment.sequence) % _MODULUS
        if segment.flags & Flag.RST:
            if behind == 0:
                self._settle(State.BROKEN)
            return []
        if segment.flags & Flag.ACK and segment.acknowledged == self._next:
            self._flight, self.resend_at = [], None
        if not segment.length:
            return []
        if behind <= segment.length and not segment.flags & Flag.SYN:
            self.received += segment.payload[behind:]
            self._expected = (segment.sequence + segment.length) % _MODULUS
            if segment.flags & Flag.FIN:
                self._settle(State.ENDED)
        return [self._segment(Flag.ACK, self._next)]

    def _settle(self, state: State) -> None:
        self.state, self._flight, self.resend_at = state, [], None

    def _again(self, now: float) -> list[Segment]:
        if not self._flight:
            self.resend_at = None
            return []
        self.resend_at = now + self._wait
        self._wait *= 2
        return list(self._flight)

    def _segment(self, flags: Flag, sequence: int, payload: bytes = b"") -> Segment:
        acknowledged = self._expected if flags & Flag.ACK else 0
        return Segment(*self._ports, sequence, acknowledged, flags, payload)
