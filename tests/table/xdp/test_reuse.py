"""A client uses its port again: whatever became of the old connection, however full the table is, its SYN counts."""

from __future__ import annotations

import pytest
from data_plane import HTTP, VIP, DataPlane, number_of
from frames import ACK, FIN, RST, SYN, TCP, packet
from hooks import HOOKS
from masquerading import masqueraded, reply, request, serve
from test_states import only_connection, put_into

from directrix.lvs import RealServer
from directrix.lvs.tcp import TcpState
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

STATES = pytest.mark.parametrize("state", TcpState, ids=lambda state: state.name)
OVER = (TcpState.TIME_WAIT, TcpState.CLOSE)


def remove(plane: DataPlane, number: int) -> RealServer:
    """Take a real server out of the service."""
    server = plane.real_server(HTTP, number)
    plane.table.delete_server(HTTP, server.address, server.port)
    return server


@HOOKS
@STATES
def test_a_syn_is_forwarded_in_every_state_of_the_old_connection(plane: DataPlane, state: TcpState, hook: str) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, state)
    assert plane.verdict_of(getattr(plane, hook), packet(TCP, VIP, 80))[0] == "forwarded"


@HOOKS
@STATES
def test_a_syn_on_a_connection_whose_server_was_removed_starts_a_new_one_at_once(
    plane: DataPlane, state: TcpState, hook: str
) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, state)
    plane.add(HTTP, 2)
    remove(plane, 1)
    assert plane.verdict_of(getattr(plane, hook), packet(TCP, VIP, 80))[0] == "forwarded"
    connection = only_connection(plane)
    assert (number_of(connection.server), connection.state) == (2, "SYN_RECV")
    assert plane.counts(HTTP, 2) == (1, 0)
    plane.add(HTTP, 1)
    assert plane.counts(HTTP, 1) == (0, 0)


@pytest.mark.parametrize("flags", [ACK, FIN | ACK, RST, SYN | RST, 0])
def test_other_packets_of_it_are_dropped_and_it_goes_on_when_its_server_comes_back(
    plane: DataPlane, flags: int
) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, TcpState.ESTABLISHED)
    plane.add(HTTP, 2)
    remove(plane, 1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=flags))[0] == "server_gone"
    plane.add(HTTP, 1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "forwarded"
    assert number_of(only_connection(plane).server) == 1


@HOOKS
def test_in_a_full_table_a_reused_port_takes_the_place_of_the_connection_that_was(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1)
    most = plane.maps.parameter("max_connections")
    for port in range(1001, 1001 + most):
        run(packet(TCP, VIP, 80, port))
        run(packet(TCP, VIP, 80, port, FIN))
    assert plane.verdict_of(run, packet(TCP, VIP, 80, 999))[0] == "table_full"
    plane.freeze_hops()
    for port in range(1001, 1001 + most, 7):
        assert plane.verdict_of(run, packet(TCP, VIP, 80, port))[0] == "forwarded"
    assert plane.front("connections") == most == len(list(plane.slots()))
    reused = len(range(1001, 1001 + most, 7))
    assert plane.counts(HTTP, 1) == (reused, most - reused)


def test_in_a_full_table_a_connection_past_its_time_gives_its_place_to_its_own_port(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    most = plane.maps.parameter("max_connections")
    for port in range(1001, 1001 + most):
        plane.tc(packet(TCP, VIP, 80, port))
    plane.freeze_hops()
    at = plane.slot(1001)
    plane.set_field(at, expires=plane.tick() - 1 & 0xFFFFFFFF)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 1001))[0] == "forwarded"
    assert plane.slot(1001) == at
    assert plane.front("connections") == most
    assert plane.counts(HTTP, 1) == (most, 0)


def test_two_buckets_full_of_what_is_over_have_room_for_each_port_in_them(plane: DataPlane) -> None:
    """A few ports, used over and over in states that end: no slot is lost, none is taken twice."""
    plane.serve(HTTP, 1, 1)
    for turn in range(50):
        for port in range(1001, 1009):
            ending = (FIN, RST, FIN | ACK)[(turn + port) % 3]
            assert plane.verdict_of(plane.xdp if turn % 2 else plane.tc, packet(TCP, VIP, 80, port))[0] == "forwarded"
            plane.tc(packet(TCP, VIP, 80, port, ACK) if ending == RST else packet(TCP, VIP, 80, port, ending))
            if ending == RST:
                plane.tc(packet(TCP, VIP, 80, port, RST))
        plane.keep_hops()
    assert plane.front("connections") == 8 == len(list(plane.slots()))
    assert sum(sum(plane.counts(HTTP, number)) for number in (1, 2)) == 8
    assert {"table_full", "busy", "server_gone"}.isdisjoint(plane.verdicts())


@pytest.mark.parametrize(
    ("mode", "over"),
    [(0, ()), (1, OVER), (2, (*OVER, TcpState.FIN_WAIT)), (3, (*OVER, TcpState.FIN_WAIT)), (4, OVER)],
)
@STATES
def test_conn_reuse_mode_says_which_states_are_over(
    plane: DataPlane, state: TcpState, mode: int, over: tuple[TcpState, ...]
) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"conn_reuse_mode": mode})
    put_into(plane, state)
    plane.add(HTTP, 2)
    plane.tc(packet(TCP, VIP, 80))
    assert number_of(only_connection(plane).server) == (2 if state in over else 1)


def test_a_masqueraded_connection_that_its_server_has_ended_is_not_over(plane: DataPlane) -> None:
    """With both sides seen the client may have much to say in FIN_WAIT (IPVS: only of connections without output)."""
    plane.table.set_sysctls({"conn_reuse_mode": 3})
    serve(plane, HTTP, 1)
    plane.deliver("tc", request(flags=SYN).frame())
    for flags in (SYN | ACK, ACK, FIN | ACK):
        plane.deliver("tc", (request if flags == ACK else reply)(flags=flags).frame())
    assert only_connection(plane).state == "FIN_WAIT"
    plane.table.add_server(HTTP, masqueraded(2))
    plane.freeze_hops()
    plane.deliver("tc", request(flags=SYN).frame())
    assert number_of(only_connection(plane).server) == 1


def test_a_reused_slot_counts_its_packets_from_one(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"drop_entry": 1})
    plane.tc(packet(TCP, VIP, 80))
    plane.tc(packet(TCP, VIP, 80, flags=FIN))
    plane.tc(packet(TCP, VIP, 80))
    status = plane.field(plane.slot(1024), "status")
    assert status & layout.STATE_COUNTED
    assert status // layout.CONNECTION_PACKET == 1
