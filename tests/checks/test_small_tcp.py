"""The small TCP client against a peer played by hand, with a clock that jumps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.checks.frames import Segment
from directrix.checks.small_tcp import FIRST_WAIT, SmallTcp, State
from directrix.system.frames import Flag

FIRST, THEIRS = 2**32 - 2, 1000
"""Sequence numbers begin near their end, so that they wrap in every conversation."""
OURS = (FIRST + 1) % 2**32


def from_peer(flags: Flag, sequence: int, acknowledged: int = 0, payload: bytes = b"") -> Segment:
    return Segment(80, 40000, sequence, acknowledged, flags, payload)


def connected() -> SmallTcp:
    client = SmallTcp(40000, 80, FIRST)
    client.start(0.0)
    client.receive(from_peer(Flag.SYN | Flag.ACK, THEIRS, OURS), 0.01)
    assert client.state is State.CONNECTED
    return client


def test_a_connection_is_asked_for_and_reset() -> None:
    client = SmallTcp(40000, 80, FIRST)
    assert client.start(0.0) == [Segment(40000, 80, FIRST, 0, Flag.SYN)]
    assert client.receive(from_peer(Flag.SYN | Flag.ACK, THEIRS, OURS), 0.01) == []
    assert (client.state, client.resend_at) == (State.CONNECTED, None)
    assert client.reset() == [Segment(40000, 80, OURS, 0, Flag.RST)]


def test_a_refusal_is_told_and_nothing_is_left_to_reset() -> None:
    client = SmallTcp(40000, 80, FIRST)
    client.start(0.0)
    client.receive(from_peer(Flag.RST | Flag.ACK, 0, OURS), 0.01)
    assert client.state is State.REFUSED
    assert client.reset() == []


def test_the_syn_is_sent_again_each_time_later() -> None:
    client = SmallTcp(40000, 80, FIRST)
    [syn] = client.start(0.0)
    times = []
    for _ in range(4):
        assert client.resend_at is not None
        assert client.tick(client.resend_at - 0.001) == []
        times.append(client.resend_at)
        assert client.tick(client.resend_at) == [syn]
    assert times == pytest.approx([FIRST_WAIT, 3 * FIRST_WAIT, 7 * FIRST_WAIT, 15 * FIRST_WAIT])


def test_a_left_over_of_an_older_conversation_is_ended_first() -> None:
    client = SmallTcp(40000, 80, FIRST)
    client.start(0.0)
    for flags in (Flag.SYN | Flag.ACK, Flag.ACK):
        assert client.receive(from_peer(flags, THEIRS, 555), 0.01) == [Segment(40000, 80, 555, 0, Flag.RST)]
    assert client.receive(from_peer(Flag.RST | Flag.ACK, 0, 555), 0.02) == []
    assert client.receive(from_peer(Flag.RST, 0), 0.02) == []
    assert client.state is State.CONNECTING
    client.receive(from_peer(Flag.SYN | Flag.ACK, THEIRS, OURS), 0.3)
    assert client.state is State.CONNECTED


def test_a_request_is_sent_until_it_is_acknowledged() -> None:
    client = connected()
    [request] = client.send(b"GET", 1.0)
    assert request == Segment(40000, 80, OURS, THEIRS + 1, Flag.ACK | Flag.PSH, b"GET")
    assert client.tick(1.0 + FIRST_WAIT) == [request]
    assert client.receive(from_peer(Flag.ACK, THEIRS + 1, (OURS + 3) % 2**32), 1.3) == []
    assert client.resend_at is None
    assert client.tick(100.0) == []


def test_the_end_and_a_break_are_told_apart() -> None:
    client = connected()
    acknowledged = client.receive(from_peer(Flag.ACK | Flag.FIN, THEIRS + 1, OURS, b"bye"), 1.0)
    assert (client.state, bytes(client.received)) == (State.ENDED, b"bye")
    assert acknowledged[0].acknowledged == THEIRS + 1 + 4
    client = connected()
    assert client.receive(from_peer(Flag.RST, THEIRS + 500), 1.0) == []
    assert client.state is State.CONNECTED
    client.receive(from_peer(Flag.RST, THEIRS + 1), 1.0)
    assert (client.state, client.reset()) == (State.BROKEN, [])


@given(st.data(), st.binary(min_size=1, max_size=200))
def test_what_comes_twice_or_out_of_order_is_read_once_and_in_order(data: st.DataObject, content: bytes) -> None:
    client = connected()
    start = THEIRS + 1
    arrivals = data.draw(
        st.lists(st.tuples(st.integers(0, len(content)), st.integers(0, 60), st.booleans()), max_size=30)
    )
    for offset, length, fin in arrivals:
        part = content[offset : offset + length]
        flags = Flag.ACK | (Flag.FIN if fin and offset + length >= len(content) else Flag(0))
        client.receive(from_peer(flags, start + offset, OURS, part), 1.0)
        assert content.startswith(bytes(client.received))
        assert (client.state is State.ENDED) <= (bytes(client.received) == content)
    if client.state is State.CONNECTED:
        sent = client.receive(from_peer(Flag.ACK | Flag.FIN, start, OURS, content), 2.0)
        assert sent[0].acknowledged == start + len(content) + 1
    assert (client.state, bytes(client.received)) == (State.ENDED, content)
