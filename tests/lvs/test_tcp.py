"""TCP's states as seen from the client's side, as observed on Linux 6.1 in direct routing."""

from __future__ import annotations

import pytest

from directrix.lvs import Timeouts, udp
from directrix.lvs.tcp import INPUT_ONLY, TIMEOUTS, TcpEvent, TcpFlags, TcpState, event, next_state, opens, timeout

FLAGS = {"S": TcpFlags.SYN, "A": TcpFlags.ACK, "F": TcpFlags.FIN, "R": TcpFlags.RST, "-": TcpFlags.NONE}


def flags(letters: str) -> TcpFlags:
    combined = TcpFlags.NONE
    for letter in letters:
        combined |= FLAGS[letter]
    return combined


@pytest.mark.parametrize(
    ("packets", "state", "seconds"),
    [
        ("S", "SYN_RECV", 60),
        ("S A", "ESTABLISHED", 900),
        ("S A F", "FIN_WAIT", 120),
        ("S A FA", "FIN_WAIT", 120),
        ("S A F A", "FIN_WAIT", 120),
        ("S A R", "CLOSE", 10),
        ("S R", "SYN_RECV", 60),
        ("S F", "TIME_WAIT", 120),
        ("S A F S", "SYN_RECV", 60),
        ("S A S", "ESTABLISHED", 900),
        ("S A -", "CLOSE", 10),
        ("SA", "SYN_RECV", 60),
        ("SF", "SYN_RECV", 60),
    ],
)
def test_packets_from_the_client_lead_to_the_observed_state(packets: str, state: str, seconds: int) -> None:
    now = TcpState.NONE
    for letters in packets.split():
        now = next_state(now, flags(letters))
    assert (now.name, timeout(now, Timeouts())) == (state, seconds)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("RSFA", TcpEvent.RST),
        ("SFA", TcpEvent.SYN),
        ("FA", TcpEvent.FIN),
        ("A", TcpEvent.ACK),
        ("-", TcpEvent.NONE),
    ],
)
def test_of_several_flags_the_strongest_counts(letters: str, expected: TcpEvent) -> None:
    assert event(flags(letters)) is expected


@pytest.mark.parametrize(
    ("letters", "expected"), [("S", True), ("SA", True), ("SF", True), ("SR", False), ("A", False)]
)
def test_a_connection_starts_with_syn_and_without_rst(letters: str, expected: bool) -> None:
    assert opens(flags(letters)) is expected


def test_every_event_has_a_next_state_for_every_state_and_every_state_a_timeout() -> None:
    assert set(INPUT_ONLY) == set(TcpEvent)
    assert all(len(row) == len(TcpState) for row in INPUT_ONLY.values())
    assert set(TIMEOUTS) == set(TcpState)


def test_open_and_opening_connections_are_active() -> None:
    active = {state.name for state in TcpState if state.active}
    assert active == {"ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"}


def test_set_changes_established_and_fin_wait_and_no_other_state() -> None:
    changed = {state.name for state in TcpState if timeout(state, Timeouts(11, 12, 13)) != timeout(state, Timeouts())}
    assert changed == {"ESTABLISHED", "FIN_WAIT"}
    assert timeout(TcpState.ESTABLISHED, Timeouts(11, 12, 13)) == 11
    assert timeout(TcpState.FIN_WAIT, Timeouts(11, 12, 13)) == 12


def test_udp_has_one_state_that_is_never_active() -> None:
    assert [state.name for state in udp.UdpState] == ["UDP"]
    assert not udp.UdpState.UDP.active
    assert (udp.timeout(Timeouts()), udp.timeout(Timeouts(udp=7))) == (300, 7)
