"""States, counts and timeouts of connections, through packets: held against `lvs/tcp.py` transition by transition.

Time passes in two ways here: `age` moves the deadlines in the table, for long times; and where it
matters that the data plane ends a connection by itself, timeouts of some ticks and real waiting.
"""

from __future__ import annotations

import pytest
from data_plane import DNS, DNS6, HTTP, HTTP6, VIP, DataPlane, number_of
from frames import ACK, CLIENT, CLIENT6, FIN, RST, SYN, TCP, UDP, packet
from hooks import HOOKS

from directrix.lvs import Connection, ConnectionFlags, Timeouts, tcp
from directrix.lvs.tcp import TcpEvent, TcpFlags, TcpState
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

FLAGS = {
    TcpEvent.SYN: [SYN, SYN | ACK, SYN | FIN],
    TcpEvent.FIN: [FIN, FIN | ACK],
    TcpEvent.ACK: [ACK, ACK | 0x08, ACK | 0x20],
    TcpEvent.RST: [RST, RST | ACK, RST | SYN, RST | FIN],
    TcpEvent.NONE: [0, 0x08, 0x20],
}


def only_connection(plane: DataPlane) -> Connection:
    """The one connection there is."""
    (connection,) = plane.table.connections()
    return connection


def put_into(plane: DataPlane, state: TcpState) -> None:
    """A connection in this state, with the counts and the deadline it has there."""
    plane.tc(packet(TCP, VIP, 80))
    at = plane.slot(1024)
    plane.set_field(
        at,
        status=state | (layout.CONNECTION_ACTIVE if state.active else 0),
        expires=(plane.tick() + plane.ticks.from_seconds(tcp.TIMEOUTS[state])) & 0xFFFFFFFF,
    )
    if not state.active:
        plane.set_server(plane.numbers()[0], active=0, inactive=1)


@HOOKS
@pytest.mark.parametrize("event", TcpEvent, ids=lambda event: event.name)
@pytest.mark.parametrize("state", TcpState, ids=lambda state: state.name)
def test_a_packet_moves_a_connection_as_the_table_of_tcp_says(
    plane: DataPlane, state: TcpState, event: TcpEvent, hook: str
) -> None:
    for flags in FLAGS[event]:
        plane.reset()
        plane.serve(HTTP, 1)
        put_into(plane, state)
        name, _, _ = plane.verdict_of(getattr(plane, hook), packet(TCP, VIP, 80, flags=flags))
        starts_over = state in (TcpState.TIME_WAIT, TcpState.CLOSE) and flags & SYN
        if starts_over and not tcp.opens(TcpFlags(flags & 0x17)):
            # IPVS: the SYN ends the old connection, the RST forbids a new one
            assert name == "no_connection"
            assert not list(plane.table.connections())
            assert plane.counts(HTTP, 1) == (0, 0)
            continue
        assert name == "forwarded"
        wanted = TcpState.SYN_RECV if starts_over else tcp.INPUT_ONLY[event][state]
        connection = only_connection(plane)
        assert connection.state == wanted.name
        assert bool(connection.flags & ConnectionFlags.INACTIVE) is not wanted.active
        assert plane.counts(HTTP, 1) == ((1, 0) if wanted.active else (0, 1))
        assert tcp.TIMEOUTS[wanted] - 1 <= connection.expires <= tcp.TIMEOUTS[wanted]


@HOOKS
def test_the_life_of_a_connection(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    life = []
    for flags in (SYN, ACK, ACK, FIN | ACK, ACK, RST, ACK):
        getattr(plane, hook)(packet(TCP, VIP, 80, flags=flags))
        life.append((only_connection(plane).state, plane.counts(HTTP, 1)))
    assert life == [
        ("SYN_RECV", (1, 0)), ("ESTABLISHED", (1, 0)), ("ESTABLISHED", (1, 0)), ("FIN_WAIT", (0, 1)),
        ("FIN_WAIT", (0, 1)), ("CLOSE", (0, 1)), ("CLOSE", (0, 1)),
    ]  # fmt: skip


@HOOKS
@pytest.mark.parametrize("key", [HTTP, HTTP6, DNS, DNS6], ids=str)
def test_a_connection_is_listed_as_it_is(plane: DataPlane, key: object, hook: str) -> None:
    assert key in (HTTP, HTTP6, DNS, DNS6)
    plane.serve(key, 1)  # type: ignore[arg-type]
    protocol = int(key.protocol)  # type: ignore[attr-defined]
    getattr(plane, hook)(packet(protocol, key.address, key.port, 4711))  # type: ignore[attr-defined]
    connection = only_connection(plane)
    assert connection == Connection(
        protocol,
        CLIENT if key.address.version == 4 else CLIENT6,  # type: ignore[attr-defined]
        4711,
        key.address,  # type: ignore[attr-defined]
        key.port,  # type: ignore[attr-defined]
        connection.server,
        key.port,  # type: ignore[attr-defined]
        "SYN_RECV" if protocol == TCP else "UDP",
        connection.expires,
        ConnectionFlags.NO_OUTPUT | (ConnectionFlags.INACTIVE if protocol == UDP else ConnectionFlags.NONE),
    )
    assert number_of(connection.server) == 1
    assert connection.expires in ((59, 60) if protocol == TCP else (299, 300))


@HOOKS
def test_udp_is_inactive_and_refreshed_by_every_datagram(plane: DataPlane, hook: str) -> None:
    plane.serve(DNS, 1)
    getattr(plane, hook)(packet(UDP, VIP, 53))
    plane.age(200)
    assert only_connection(plane).expires <= 100
    getattr(plane, hook)(packet(UDP, VIP, 53))
    assert only_connection(plane).expires >= 299
    assert plane.counts(DNS, 1) == (0, 1)


def test_set_timeouts_count_for_packets_from_then_on(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    for port in (1, 2):
        plane.tc(packet(TCP, VIP, 80, port))
        plane.tc(packet(TCP, VIP, 80, port, ACK))
    plane.tc(packet(UDP, VIP, 53, 3))
    plane.table.set_timeouts(Timeouts(50, 40, 30))
    plane.tc(packet(TCP, VIP, 80, 2, ACK))
    plane.tc(packet(UDP, VIP, 53, 4))
    plane.tc(packet(TCP, VIP, 80, 5))
    plane.tc(packet(TCP, VIP, 80, 5, FIN))
    plane.tc(packet(TCP, VIP, 80, 6))
    plane.tc(packet(TCP, VIP, 80, 6, ACK))
    plane.tc(packet(TCP, VIP, 80, 6, FIN))
    expires = {connection.client_port: connection.expires for connection in plane.table.connections()}
    assert {port: round(left, -1) for port, left in expires.items()} == {
        1: 900, 2: 50, 3: 300, 4: 30, 5: 120, 6: 40,
    }  # fmt: skip


# -- the end of a connection


@HOOKS
def test_a_packet_later_than_the_deadline_finds_no_connection(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    run = getattr(plane, hook)
    run(packet(TCP, VIP, 80))
    plane.age(61)
    assert list(plane.table.connections()) == []
    assert plane.verdict_of(run, packet(TCP, VIP, 80, flags=ACK))[0] == "no_connection"
    plane.wait_for(lambda: plane.counts(HTTP, 1) == (0, 0))


@HOOKS
def test_a_syn_later_than_the_deadline_starts_a_new_connection(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    run = getattr(plane, hook)
    run(packet(TCP, VIP, 80))
    run(packet(TCP, VIP, 80, flags=ACK))
    assert number_of(only_connection(plane).server) == 2
    plane.age(901)
    run(packet(TCP, VIP, 80))
    assert number_of(only_connection(plane).server) == 1
    plane.wait_for(lambda: (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((1, 0), (0, 0)))


def test_connections_end_by_themselves_within_a_second_of_their_time(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1)
    plane.serve(DNS6, 1)

    def packets_of_all() -> None:
        for port in range(1001, 1201):
            plane.xdp(packet(UDP, DNS6.address, 53, port))  # type: ignore[arg-type]
        for port in range(1011, 1401):
            plane.tc(packet(TCP, VIP, 80, port))
        for flags in (SYN, ACK):
            for port in range(1001, 1011):
                plane.tc(packet(TCP, VIP, 80, port, flags))

    packets_of_all()
    assert sum(plane.counts(HTTP, 1)) + sum(plane.counts(HTTP, 2)) == 400
    assert plane.counts(DNS6, 1) == (0, 200)
    assert plane.front("connections") == 600
    # from their next packets on, so that none is over before the last one is begun
    plane.set_timeout(TcpState.SYN_RECV, 10)
    plane.set_timeout(TcpState.ESTABLISHED, 190)
    plane.set_timeout(layout.UDP_STATE, 10)
    packets_of_all()
    plane.wait_for(lambda: (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((5, 0), (5, 0)), 1.5)
    plane.wait_for(lambda: plane.counts(DNS6, 1) == (0, 0), 1.5)
    assert len(list(plane.table.connections())) == 10
    plane.wait_for(lambda: (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((0, 0), (0, 0)), 4)
    plane.wait_for(lambda: plane.front("connections") == 0, 1.5)
    assert list(plane.slots()) == []


def test_a_connection_in_use_outlives_its_first_deadline(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.set_timeout(TcpState.ESTABLISHED, 60)
    plane.tc(packet(TCP, VIP, 80))
    start = plane.tick()
    while plane.tick() - start < 130:
        assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "forwarded"
        plane.next_tick()
        plane.next_tick()
    plane.wait_for(lambda: plane.counts(HTTP, 1) == (0, 0), 2.5)


def test_a_deadline_that_comes_nearer_is_kept(plane: DataPlane) -> None:
    """The bucket's next visit is set for 900 s; a reset brings it to a few ticks."""
    plane.serve(HTTP, 1)
    plane.set_timeout(TcpState.CLOSE, 8)
    plane.tc(packet(TCP, VIP, 80))
    plane.tc(packet(TCP, VIP, 80, flags=ACK))
    plane.visit_all()
    late = plane.tick() + plane.ticks.from_seconds(100)
    plane.wait_for(lambda: all((visit - late) & 0xFFFFFFFF < 1 << 31 for visit in plane.heads.cast("I")[1::2]))
    plane.tc(packet(TCP, VIP, 80, flags=RST))
    plane.wait_for(lambda: plane.counts(HTTP, 1) == (0, 0), 1.6)


def test_the_slot_of_an_ended_connection_is_kept_for_some_ticks_and_then_given_out_again(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, TcpState.CLOSE)
    at = plane.slot(1024)
    plane.tc(packet(TCP, VIP, 80, flags=SYN | RST))
    assert plane.front("connections") == 1
    assert plane.field(at, "status") & layout.CONNECTION_DEAD
    assert list(plane.table.connections()) == []
    plane.wait_for(lambda: plane.front("connections") == 0, 1.6)
    assert list(plane.slots()) == []


# -- the table is full


@HOOKS
def test_a_full_table_refuses_new_connections_serves_the_others_and_recovers(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    most = plane.maps.parameter("max_connections")
    plane.serve(HTTP, 1)
    for port in range(1001, most + 1101):
        run(packet(TCP, VIP, 80, port))
        if port <= 1010:
            run(packet(TCP, VIP, 80, port, ACK))
    full = plane.verdicts()["table_full"]
    assert full == 100
    assert plane.front("connections") == most == len(list(plane.slots()))
    plane.freeze_hops()
    for port in range(1001, 1011):
        assert plane.verdict_of(run, packet(TCP, VIP, 80, port, ACK))[0] == "forwarded"
    plane.set_timeout(TcpState.SYN_RECV, 12)
    for port in range(1011, most + 1001):
        run(packet(TCP, VIP, 80, port))
    plane.wait_for(lambda: plane.front("connections") == 10, 2.6)
    plane.freeze_hops()
    assert plane.verdict_of(run, packet(TCP, VIP, 80, most + 1101))[0] == "forwarded"
    assert sum(plane.counts(HTTP, 1)) == 11


# -- reuse of a client port


@HOOKS
@pytest.mark.parametrize("state", [TcpState.TIME_WAIT, TcpState.CLOSE], ids=lambda state: state.name)
@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
def test_a_syn_on_a_connection_that_is_over_goes_to_the_next_server(
    plane: DataPlane, state: TcpState, flags: int, hook: str
) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, state)
    plane.add(HTTP, 2)
    getattr(plane, hook)(packet(TCP, VIP, 80, flags=flags))
    connection = only_connection(plane)
    assert (number_of(connection.server), connection.state) == (2, "SYN_RECV")
    assert (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((0, 0), (1, 0))
    assert plane.state(HTTP, 2).counters.connections == 1


@pytest.mark.parametrize("state", [TcpState.FIN_WAIT, TcpState.CLOSE_WAIT, TcpState.LAST_ACK, TcpState.ESTABLISHED])
def test_a_syn_on_a_connection_that_is_not_over_stays_with_its_server(plane: DataPlane, state: TcpState) -> None:
    plane.serve(HTTP, 1)
    put_into(plane, state)
    plane.add(HTTP, 2)
    plane.tc(packet(TCP, VIP, 80))
    assert number_of(only_connection(plane).server) == 1


def test_the_old_connection_still_counts_as_load_while_its_successor_is_chosen(plane: DataPlane) -> None:
    """Servers 2 and 1 have an inactive connection each but the new one's predecessor is at 2: 1 ties, 2 is first."""
    plane.serve(HTTP, 1, 1, scheduler="lc")
    for port in (1, 2):
        plane.tc(packet(TCP, VIP, 80, port))
        plane.tc(packet(TCP, VIP, 80, port, FIN))
    servers = {c.client_port: number_of(c.server) for c in plane.table.connections()}
    assert servers == {1: 2, 2: 1}
    plane.tc(packet(TCP, VIP, 80, 2, RST))
    plane.tc(packet(TCP, VIP, 80, 3))
    plane.tc(packet(TCP, VIP, 80, 3, FIN))
    # now 2 has two inactive ones, 1 has one: with its own taken off, port 3's server 2 would tie and win
    plane.tc(packet(TCP, VIP, 80, 3))
    assert {c.client_port: number_of(c.server) for c in plane.table.connections()}[3] == 1


@HOOKS
def test_a_syn_on_a_connection_that_is_over_finds_no_server_and_the_connection_stays(
    plane: DataPlane, hook: str
) -> None:
    """What IPVS does: the old entry ends in any case; the client hears that nobody serves."""
    plane.serve(HTTP, 1)
    put_into(plane, TcpState.TIME_WAIT)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 0))
    name = plane.verdict_of(getattr(plane, hook), packet(TCP, VIP, 80))[0]
    assert name == ("handed_up" if hook == "xdp" else "no_server")


# -- real servers that go


@HOOKS
def test_weight_zero_keeps_connections_and_gets_no_new_ones(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    run = getattr(plane, hook)
    for port in (1, 2):
        run(packet(TCP, VIP, 80, port))
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 0))
    for port in (1, 2):
        assert plane.verdict_of(run, packet(TCP, VIP, 80, port, ACK))[0] == "forwarded"
    for port in range(3, 10):
        run(packet(TCP, VIP, 80, port))
    assert (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((8, 0), (1, 0))


@HOOKS
def test_packets_to_a_server_removed_do_not_refresh_their_connection(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    run = getattr(plane, hook)
    run(packet(TCP, VIP, 80))
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 1).address, 80)
    plane.age(30)
    assert plane.verdict_of(run, packet(TCP, VIP, 80, flags=ACK))[0] == "server_gone"
    connection = only_connection(plane)
    assert connection.expires <= 30
    assert connection.state == "SYN_RECV"


def test_a_server_comes_back_with_its_connections_and_counts(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.tc(packet(TCP, VIP, 80))
    plane.tc(packet(TCP, VIP, 80, 1025))
    before = plane.state(HTTP, 1)
    plane.table.delete_server(HTTP, before.server.address, 80)
    plane.add(HTTP, 1)
    after = plane.state(HTTP, 1)
    assert (after.counters, after.active, after.inactive) == (before.counters, before.active, before.inactive)


@pytest.mark.parametrize("by", ["delete", "flush"])
def test_it_comes_back_to_a_service_made_anew_with_connections_but_without_counters(plane: DataPlane, by: str) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    plane.tc(packet(TCP, VIP, 80))
    plane.estimate()  # else its connection, too young to be taken down, would show up afterwards (IPVS)
    if by == "delete":
        plane.table.delete_service(HTTP)
        assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "server_gone"
        assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 1025))[0] == "no_service"
    else:
        plane.table.flush()
        assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "not_ours"
    assert len(list(plane.table.connections())) == 1
    plane.serve(HTTP, 1)
    assert plane.counts(HTTP, 1) == (1, 0)
    assert plane.state(HTTP, 1).counters.connections == 0
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "forwarded"
    assert plane.state(HTTP, 1).counters.in_packets == 1


# -- thresholds


@HOOKS
def test_a_server_at_its_upper_threshold_is_not_chosen(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP)
    for number in (1, 2, 3):
        plane.add(HTTP, number, upper=2)
    names = [plane.verdict_of(run, packet(TCP, VIP, 80, port))[0] for port in range(1, 9)]
    assert names == ["forwarded"] * 6 + ["handed_up" if hook == "xdp" else "no_server"] * 2
    assert [plane.counts(HTTP, number) for number in (1, 2, 3)] == [(2, 0)] * 3


def end_by_clock(plane: DataPlane, *ports: int) -> None:
    """These connections are past their time, and the clock ends them."""
    for port in ports:
        plane.set_field(plane.slot(port), expires=(plane.tick() - 1) & 0xFFFFFFFF)
    before = plane.front("connections")
    plane.visit_all()
    plane.wait_for(lambda: plane.front("connections") == before - len(ports), 2)
    plane.freeze_hops()


def test_without_a_lower_threshold_it_is_chosen_again_below_three_quarters(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.add(HTTP, 1, upper=4)
    for port in (1, 2, 3, 4):
        assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, port))[0] == "forwarded"
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 5))[0] == "no_server"
    end_by_clock(plane, 1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 5))[0] == "no_server"
    end_by_clock(plane, 2)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 5))[0] == "forwarded"


def test_with_a_lower_threshold_it_is_chosen_again_below_it(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.add(HTTP, 1, upper=3, lower=2)
    for port in (1, 2, 3):
        plane.tc(packet(TCP, VIP, 80, port))
    end_by_clock(plane, 1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 5))[0] == "no_server"
    end_by_clock(plane, 2)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 5))[0] == "forwarded"


@pytest.mark.parametrize(("upper", "open_again"), [(0, True), (5, True), (2, False), (1, False)])
def test_an_edit_opens_a_full_server_only_if_its_upper_threshold_rises_or_goes(
    plane: DataPlane, upper: int, open_again: bool
) -> None:
    plane.serve(HTTP)
    plane.add(HTTP, 1, upper=2)
    for port in (1, 2):
        plane.tc(packet(TCP, VIP, 80, port))
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 1, upper))
    name = plane.verdict_of(plane.tc, packet(TCP, VIP, 80, 3))[0]
    assert name == ("forwarded" if open_again else "no_server")


# -- one-packet scheduling


@pytest.mark.parametrize("key", [DNS, DNS6], ids=str)
def test_every_datagram_of_a_one_packet_service_is_scheduled_for_itself(plane: DataPlane, key: object) -> None:
    assert key in (DNS, DNS6)
    plane.serve(key, 1, 1, one_packet=True)  # type: ignore[arg-type]
    for _ in range(10):
        assert plane.verdict_of(plane.tc, packet(UDP, key.address, 53))[0] == "forwarded"  # type: ignore[attr-defined]
    assert list(plane.table.connections()) == []
    for number in (1, 2):
        state = plane.state(key, number)  # type: ignore[arg-type]
        assert (state.active, state.inactive) == (0, 0)
        assert (state.counters.connections, state.counters.in_packets) == (5, 5)


def test_a_datagram_of_a_one_packet_service_is_scheduled_once_on_its_way_through_both_hooks(plane: DataPlane) -> None:
    plane.serve(DNS, 1, 1, one_packet=True)
    for _ in range(50):
        assert plane.deliver("xdp", packet(UDP, VIP, 53))[0] == "forwarded"
    for number in (1, 2):
        counters = plane.state(DNS, number).counters
        assert (counters.connections, counters.in_packets) == (25, 25)


def test_one_packet_scheduling_means_nothing_to_tcp(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, one_packet=True)
    plane.tc(packet(TCP, VIP, 80))
    assert plane.counts(HTTP, 1) == (1, 0)
