"""Every cell of the state tables, every event and every timeout, against those in the kernel's own IPVS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from ipvs_module import modules, read_module, read_recorded, write

from directrix.lvs import sctp, tcp
from directrix.lvs.sctp import SctpChunk, SctpEvent
from directrix.lvs.tcp import TcpEvent, TcpState

RECORDED = Path(__file__).with_name("tables_of_ipvs.txt")
IPVS = read_recorded(RECORDED.read_text())
TCP_EVENTS = [TcpEvent.SYN, TcpEvent.FIN, TcpEvent.ACK, TcpEvent.RST]
HERTZ = 100
"""Jiffies a second in User Mode Linux: what IPVS's timeouts are counted in."""


def rows(tables: Sequence[Mapping[Any, tuple[IntEnum, ...]]], events: Sequence[IntEnum]) -> list[list[int]]:
    """These tables' rows of these events, one behind the other as IPVS keeps them."""
    return [list(table[event]) for table in tables for event in events]


def test_tcp_goes_from_state_to_state_as_in_ipvs() -> None:
    assert rows([tcp.INPUT, tcp.OUTPUT, tcp.INPUT_ONLY], [*TCP_EVENTS]) == IPVS["tcp_states"]


def test_under_secure_tcp_tcp_goes_from_state_to_state_as_in_ipvs() -> None:
    tables = [tcp.SECURE_INPUT, tcp.SECURE_OUTPUT, tcp.SECURE_INPUT_ONLY]
    assert rows(tables, [*TCP_EVENTS]) == IPVS["tcp_states_dos"]


def test_sctp_goes_from_state_to_state_as_in_ipvs() -> None:
    assert rows([sctp.INPUT, sctp.OUTPUT, sctp.INPUT_ONLY], [*SctpEvent]) == IPVS["sctp_states"]


def test_the_type_of_a_chunk_is_the_event_it_is_in_ipvs() -> None:
    (types,) = IPVS["sctp_events"]
    assert [sctp.event(chunk) for chunk in SctpChunk] == types


def test_timeouts_are_those_of_ipvs() -> None:
    for table, states in (("tcp_timeouts", list(tcp.TIMEOUTS.items())), ("sctp_timeouts", list(sctp.TIMEOUTS.items()))):
        (jiffies,) = IPVS[table]
        assert [seconds * HERTZ for _, seconds in sorted(states)] == jiffies[: len(states)], table


def test_the_states_of_tcp_that_count_as_active_are_those_of_ipvs() -> None:
    assert [[int(state.active) for state in TcpState]] == IPVS["tcp_state_active_table"]


@pytest.mark.parametrize("table", [tcp.INPUT, tcp.OUTPUT, tcp.SECURE_INPUT, tcp.SECURE_OUTPUT, tcp.SECURE_INPUT_ONLY])
def test_a_segment_without_flags_closes_in_every_table(table: Mapping[TcpEvent, tuple[TcpState, ...]]) -> None:
    assert set(table) == set(TcpEvent)
    assert table[TcpEvent.NONE] == (TcpState.CLOSE,) * len(TcpState)


@pytest.mark.uml
def test_the_kernels_ipvs_still_has_the_tables_recorded() -> None:
    if not modules():
        pytest.skip("needs user-mode-linux")
    for module in modules():
        assert write(read_module(module)) == RECORDED.read_text(), module
