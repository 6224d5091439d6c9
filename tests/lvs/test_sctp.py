"""SCTP's states as seen from the client's side, and what an SCTP packet says."""

from __future__ import annotations

import pytest

from directrix.lvs import sctp
from directrix.lvs.sctp import LABELS, SctpChunk, SctpEvent, SctpState, event, next_state, opens, timeout


@pytest.mark.parametrize(
    ("chunks", "label", "seconds"),
    [
        ("INIT", "INIT1", 4),
        ("INIT INIT", "INIT", 61),
        ("INIT COOKIE_ECHO", "ESTABLISHED", 900),
        ("INIT COOKIE_ECHO DATA SACK HEARTBEAT", "ESTABLISHED", 900),
        ("INIT COOKIE_ECHO SHUTDOWN", "S-RECEIVED", 61),
        ("INIT COOKIE_ECHO SHUTDOWN SHUTDOWN_COMPLETE", "CLOSED", 61),
        ("INIT COOKIE_ECHO SHUTDOWN_ACK", "CLOSED", 61),
        ("INIT COOKIE_ECHO ABORT", "CLOSED", 61),
        ("INIT ABORT", "CLOSED", 61),
        ("INIT INIT_ACK", "C-ECHOED", 61),
        ("INIT INIT_ACK COOKIE_ACK", "ESTABLISHED", 900),
        ("INIT ABORT INIT", "INIT", 61),
    ],
)
def test_packets_from_the_client_lead_to_the_observed_state(chunks: str, label: str, seconds: int) -> None:
    now = SctpState.NONE
    for name in chunks.split():
        now = next_state(now, event(SctpChunk[name]))
    assert (now.label, timeout(now)) == (label, seconds)


@pytest.mark.parametrize("first", SctpChunk, ids=lambda chunk: chunk.name)
@pytest.mark.parametrize("second", [*SctpChunk, 15, 255])
def test_only_an_abort_behind_a_cookie_counts_beside_the_first_chunk(first: SctpChunk, second: int) -> None:
    behind_a_cookie = first.name.startswith("COOKIE") and second == SctpChunk.ABORT
    assert event(first, second) is (SctpEvent.ABORT if behind_a_cookie else event(first))


@pytest.mark.parametrize("chunk", [SctpChunk.DATA, SctpChunk.SACK, SctpChunk.ECNE, 15, 63, 64, 128, 192, 255])
def test_types_without_an_event_of_their_own_are_data(chunk: int) -> None:
    assert event(chunk) is SctpEvent.DATA


def test_an_association_starts_with_init_and_nothing_else() -> None:
    assert [chunk for chunk in range(256) if opens(chunk)] == [SctpChunk.INIT]


def test_by_sloppy_sctp_it_starts_with_anything_but_an_abort_in_front() -> None:
    assert [chunk for chunk in range(256) if not opens(chunk, sloppy=True)] == [SctpChunk.ABORT]


def test_only_established_associations_are_active() -> None:
    assert [state.name for state in SctpState if state.active] == ["ESTABLISHED"]


def test_listings_print_the_names_of_ipvs() -> None:
    assert [state.label for state in SctpState] == [
        "NONE",
        "INIT1",
        "INIT",
        "C-SENT",
        "C-REPLIED",
        "C-WAIT",
        "COOKIE",
        "C-ECHOED",
        "ESTABLISHED",
        "S-SENT",
        "S-RECEIVED",
        "S-ACK-SENT",
        "REJECTED",
        "CLOSED",
    ]
    assert set(LABELS) == set(sctp.TIMEOUTS) == set(SctpState)
