"""A table under flood: SYNs without entries, clients that come in all the same, and how it begins and ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from data_plane import DIAMETER, DNS, HTTP, HTTP6, VIP, VIP6, DataPlane, number_of, real_mac
from frames import ACK, CLIENT, FIN, RST, SYN, TCP, UDP, association, packet
from hooks import HOOKS
from masquerading import masqueraded, reply
from test_states import only_connection

from directrix.lvs import Address, MarkMatch, MarkRule, Protocol, ServiceKey
from directrix.lvs.flood import FloodCounts, FloodState
from directrix.lvs.sctp import SctpChunk
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

PORTS = range(2001, 2201)


def flood(plane: DataPlane, mode: int = 3, state: FloodState = FloodState.ON) -> None:
    """Set the mode of the defence, and wait until the clock has heard of it."""
    plane.table.set_sysctls({"flood_defence": mode})
    plane.wait_for(lambda: plane.front("flood") == state)
    plane.keep_hops()


def send(
    plane: DataPlane, flags: int, port: int = 1024, hook: str = "xdp", to: Address = VIP, client: Address | None = None
) -> tuple[str, int]:
    """The verdict of a TCP packet, and the number of the real server whose MAC its frame has then."""
    plane.keep_hops()
    name, after = plane.deliver(hook, packet(TCP, to, 80, port, flags, client))
    return name, next((number for number in range(1, 13) if after[:6] == real_mac(number)), 0)


def counts(plane: DataPlane, key: ServiceKey = HTTP) -> FloodCounts:
    return plane.table.flood().services[key]


# -- a client's first packet, and its second


@HOOKS
@pytest.mark.parametrize("to", [VIP, VIP6])
def test_a_syn_gets_no_entry_and_the_clients_next_packet_comes_to_the_same_server_and_gets_one(
    plane: DataPlane, hook: str, to: Address
) -> None:
    key = HTTP if to == VIP else HTTP6
    plane.serve(key, 1, 1, 1)
    flood(plane)
    chosen = {}
    for port in PORTS:
        verdict, chosen[port] = send(plane, SYN, port, hook, to)
        assert verdict == "forwarded"
    assert list(plane.slots()) == []
    assert plane.front("connections") == 0
    assert all(plane.counts(key, number) == (0, 0) for number in (1, 2, 3))
    assert {send(plane, SYN, port, hook, to)[1] == chosen[port] for port in PORTS} == {True}
    for port in PORTS:
        assert send(plane, ACK, port, hook, to) == ("forwarded", chosen[port])
    found = {entry.client_port: (number_of(entry.server), entry.state) for entry in plane.table.connections()}
    assert found == {port: (number, "ESTABLISHED") for port, number in chosen.items()}
    told = counts(plane, key)
    assert (told.unentered, told.admitted) == (2 * len(PORTS), len(PORTS))
    assert sum(plane.state(key, number).active for number in (1, 2, 3)) == len(PORTS)


def test_such_a_handshake_counts_as_begun_and_completed(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    flood(plane)
    send(plane, SYN)
    (seen,) = plane.table.handshakes()[HTTP].values()
    assert (seen.begun, seen.completed) == (0, 0)
    send(plane, ACK)
    (seen,) = plane.table.handshakes()[HTTP].values()
    assert (seen.begun, seen.completed, seen.failed) == (1, 1, 0)
    state = plane.state(HTTP, 1)
    assert (state.counters.connections, state.counters.in_packets) == (1, 2)


@HOOKS
def test_a_packet_whose_syn_never_came_is_left_to_the_host_as_always(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    flood(plane)
    send(plane, SYN, 1001, hook)
    ends = Counter(send(plane, flags, port, hook)[0] for port in PORTS for flags in (ACK, FIN | ACK))
    assert ends["no_connection"] > 0.9 * ends.total()
    assert send(plane, RST, 1001, hook)[0] == "no_connection"


@pytest.mark.parametrize(("flags", "state"), [(ACK, "ESTABLISHED"), (FIN | ACK, "TIME_WAIT")])
def test_the_second_packet_takes_the_connection_on_as_if_its_syn_had_been_entered(
    plane: DataPlane, flags: int, state: str
) -> None:
    plane.serve(HTTP, 1)
    flood(plane)
    send(plane, SYN)
    send(plane, flags)
    assert only_connection(plane).state == state


def test_what_is_entered_already_goes_on(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1)
    _, open_to = send(plane, SYN, 1001)
    _, half_open_to = send(plane, SYN, 1002)
    send(plane, ACK, 1001)
    flood(plane)
    assert send(plane, ACK, 1001) == ("forwarded", open_to)
    assert send(plane, SYN, 1002) == ("forwarded", half_open_to)
    assert send(plane, ACK, 1002) == ("forwarded", half_open_to)
    assert {entry.state for entry in plane.table.connections()} == {"ESTABLISHED"}
    assert counts(plane) == FloodCounts()


def test_a_port_used_again_takes_the_place_of_the_connection_that_was(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    for flags in (SYN, ACK, FIN, SYN | RST):
        send(plane, flags)
    assert only_connection(plane).state == "CLOSE"
    flood(plane)
    assert send(plane, SYN)[0] == "forwarded"
    assert only_connection(plane).state == "SYN_RECV"
    assert counts(plane).unentered == 0


def test_what_xdp_hands_up_counts_once(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    flood(plane)
    plane.set_hop(plane.numbers()[0], state=layout.HOP_UNKNOWN)
    name, _, after = plane.verdict_of(plane.xdp, packet(TCP, VIP, 80))
    assert name == "handed_up"
    plane.behind(after)
    assert counts(plane).unentered == 1


def test_a_real_server_whose_answers_need_the_entry_gets_one(plane: DataPlane) -> None:
    plane.serve(HTTP)
    plane.table.add_server(HTTP, masqueraded(1))
    plane.freeze_hops()
    flood(plane)
    assert plane.deliver("xdp", packet(TCP, VIP, 80))[0] == "forwarded"
    assert plane.front("connections") == 2  # and the key of its replies
    assert counts(plane).unentered == 0
    assert plane.deliver("xdp", reply(flags=SYN | ACK).frame())[0] == "replied"


def test_datagrams_get_their_entries_as_always(plane: DataPlane) -> None:
    plane.serve(DNS, 1)
    flood(plane)
    assert plane.deliver("xdp", packet(UDP, VIP, 53))[0] == "forwarded"
    assert only_connection(plane).protocol == UDP


def test_an_association_is_entered_with_its_cookie(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1, 1)
    flood(plane)
    for port in range(3001, 3021):
        _, first = plane.deliver("tc", association(VIP, DIAMETER.port, SctpChunk.INIT, client_port=port))
        assert plane.front("connections") == port - 3001
        _, second = plane.deliver("tc", association(VIP, DIAMETER.port, SctpChunk.COOKIE_ECHO, client_port=port))
        assert first[:6] == second[:6]
    assert {entry.state for entry in plane.table.connections()} == {"ESTABLISHED"}


def test_nobody_to_be_had_is_answered_as_always(plane: DataPlane) -> None:
    plane.serve(HTTP, 0)
    flood(plane)
    assert send(plane, SYN)[0] == "no_server"


# -- who is chosen


def chosen(plane: DataPlane, ports: Sequence[int] = range(2001, 5001)) -> dict[int, int]:
    """The number of the real server that a SYN from each of these ports goes to."""
    found = {}
    for port in ports:
        if port % 100 == 0:
            plane.keep_hops()
        _, after = plane.xdp(packet(TCP, VIP, 80, port))
        found[port] = after[5]
    return found


def test_each_server_gets_its_share_by_weight_and_none_without(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 0, 3, 6, scheduler="wlc")
    flood(plane)
    shares = Counter(chosen(plane).values())
    assert shares.keys() == {1, 3, 4}
    for number, weight in ((1, 1), (3, 3), (4, 6)):
        assert abs(shares[number] / shares.total() - weight / 10) < 0.04


def test_little_more_moves_than_what_a_change_is_about(plane: DataPlane) -> None:
    plane.serve(HTTP, 2, 2, 2, 2)
    flood(plane)
    before = chosen(plane)
    plane.add(HTTP, 5, 2)
    after = chosen(plane)
    assert all(after[port] in (before[port], 5) for port in before)
    assert 0.12 < sum(after[port] == 5 for port in before) / len(before) < 0.28
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 5, 0))
    assert chosen(plane) == before
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 0))
    moved = sum(before[port] != number for port, number in chosen(plane).items() if before[port] != 2)
    assert moved / len(before) < 0.2


def test_a_full_server_is_passed_over(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 1, upper=1))
    plane.freeze_hops()
    for port in (1001, 1002):
        send(plane, SYN, port)
    flood(plane)
    assert set(chosen(plane, PORTS).values()) == {2}


@pytest.mark.parametrize("scheduler", ["sh", "mh", "dh"])
def test_a_scheduler_that_chooses_by_hash_is_asked(plane: DataPlane, scheduler: str) -> None:
    plane.serve(HTTP, 1, 1, 1, scheduler=scheduler)
    clients = [ip_address("198.51.100.0") + number for number in range(1, 41)]
    usual = {client: send(plane, SYN, client=client)[1] for client in clients}
    flood(plane)
    assert {client: send(plane, SYN, 1025, client=client)[1] for client in clients} == usual


def test_more_servers_than_a_unit_holds_are_all_served(plane: DataPlane) -> None:
    plane.serve(HTTP, *[1] * 9)
    for number in range(40):
        server = plane.real_server(HTTP, 1)
        plane.table.add_server(HTTP, type(server)(ip_address("10.0.0.100") + number, 80, weight=0))
    plane.freeze_hops()
    flood(plane)
    assert set(chosen(plane).values()) == set(range(1, 10))


# -- persistence and marks


@HOOKS
def test_a_clients_connections_stay_together_and_the_template_comes_with_the_first_that_is_let_in(
    plane: DataPlane, hook: str
) -> None:
    plane.serve(HTTP, 1, 1, 1, 1, persistence=100)
    flood(plane)
    clients = [ip_address("198.51.100.0") + number for number in range(1, 41)]
    first = {client: send(plane, SYN, 1, hook, client=client)[1] for client in clients}
    assert len(set(first.values())) == 4
    assert {client: send(plane, SYN, 2, hook, client=client)[1] for client in clients} == first
    assert list(plane.slots()) == []
    for client in clients:
        assert send(plane, ACK, 2, hook, client=client) == ("forwarded", first[client])
    assert sum(raw[4] == 1 for _, raw in plane.slots()) == len(clients)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 7))
    assert {client: send(plane, SYN, 3, hook, client=client)[1] for client in clients} == first
    assert {client: send(plane, ACK, 3, hook, client=client)[1] for client in clients} == first
    assert sum(plane.state(HTTP, number).persistent for number in range(1, 5)) == len(clients)


def test_a_client_with_a_template_goes_where_that_says(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, persistence=100)
    send(plane, SYN)
    plane.add(HTTP, 2)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 0))
    flood(plane)
    assert {send(plane, SYN, port)[1] for port in PORTS} == {1}


def test_a_service_by_mark_keeps_a_client_together_over_its_ports(plane: DataPlane) -> None:
    mark = ServiceKey.mark(7)
    match = MarkMatch(ip_network(VIP), Protocol.TCP, 80, 443)
    plane.table.set_marks([MarkRule(match, 7)])
    plane.serve(mark, 1, 1, 1, persistence=100)
    flood(plane)
    for number in range(1, 21):
        client = ip_address("198.51.100.0") + number
        macs = {plane.deliver("xdp", packet(TCP, VIP, port, 9, SYN, client))[1][:6] for port in (80, 443)}
        macs.add(plane.deliver("xdp", packet(TCP, VIP, 443, 9, ACK, client))[1][:6])
        assert len(macs) == 1
    assert counts(plane, mark).admitted == 20


# -- how it begins and ends


def fill(plane: DataPlane, established: float, half_open: float) -> None:
    """Connections, as shares of the table."""
    most = plane.maps.parameter("max_connections")
    for port in range(1001, 1001 + int(most * established)):
        plane.tc(packet(TCP, VIP, 80, port))
        plane.tc(packet(TCP, VIP, 80, port, ACK))
    for port in range(10_001, 10_001 + int(most * half_open)):
        plane.tc(packet(TCP, VIP, 80, port))


def turns(plane: DataPlane, seconds: float) -> None:
    """Wait until the clock has gone on so long."""
    start = plane.front("now")
    plane.wait_for(lambda: plane.front("now") - start >= plane.ticks.from_seconds(seconds), 3 * seconds + 3)


def test_a_table_filled_by_half_open_connections_is_under_flood_and_recovers(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    fill(plane, 0.1, 0.7)
    plane.table.set_sysctls({"flood_defence": 1})
    turns(plane, 0.5)
    assert plane.table.flood().state is FloodState.OFF  # there is room
    fill(plane, 0.1, 0.85)
    plane.wait_for(lambda: plane.front("flood") == FloodState.ON)
    assert plane.table.sysctls()["flood_defence"] == 2
    plane.keep_hops()
    assert send(plane, SYN, 30_000)[0] == "forwarded"
    assert send(plane, ACK, 30_000)[0] == "forwarded"
    told = plane.table.flood()
    assert (told.floods, told.over) == (1, None)
    # half-open connections that had no packet for three seconds are ended; those of real clients are not
    turns(plane, 1.0)
    assert counts(plane).ended == 0
    plane.age(4)
    plane.wait_for(lambda: counts(plane).ended >= 100)
    plane.age(60)
    established = int(plane.maps.parameter("max_connections") * 0.1) + 1
    plane.wait_for(lambda: len(list(plane.table.connections())) == established)
    assert {entry.state for entry in plane.table.connections()} == {"ESTABLISHED"}
    # and when nobody floods any more it ends
    layout.FLOODING.pack_into(plane.maps.flooding.bytes, 0, calm=9)
    plane.wait_for(lambda: plane.front("flood") != FloodState.ON)
    assert plane.table.sysctls()["flood_defence"] == 1
    assert plane.table.flood().over is not None


def test_it_is_not_calm_while_what_comes_to_nothing_would_fill_the_table_again(plane: DataPlane) -> None:
    def calm() -> int:
        return layout.FLOODING.get(plane.maps.flooding.bytes, 0, "calm")

    plane.serve(HTTP, 1)
    flood(plane, 2)
    layout.FLOODING.pack_into(plane.maps.flooding.bytes, 0, calm=3)
    for port in PORTS:  # two hundred a second, a minute each: twelve times what there is room for
        plane.xdp(packet(TCP, VIP, 80, port))
    plane.wait_for(lambda: calm() == 0)
    plane.wait_for(lambda: calm() >= 2)
    assert plane.front("flood") == FloodState.ON


def test_a_table_filled_by_real_users_is_not(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"flood_defence": 1})
    fill(plane, 0.97, 0.0)
    turns(plane, 0.6)
    assert plane.table.flood().state is FloodState.OFF
    assert plane.table.sysctls()["flood_defence"] == 1


def test_switched_off_a_full_table_refuses_as_ipvs_without_memory(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    fill(plane, 0.0, 1.0)
    turns(plane, 0.6)
    plane.keep_hops()
    assert send(plane, SYN, 30_000)[0] == "table_full"


@HOOKS
def test_clients_of_the_floods_last_seconds_still_come_in_after_it(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1, 1)
    flood(plane)
    chosen = {port: send(plane, SYN, port, hook)[1] for port in PORTS}
    flood(plane, 0, FloodState.ENDING)
    assert {port: send(plane, ACK, port, hook)[1] for port in PORTS[:100]} == {p: chosen[p] for p in PORTS[:100]}
    # one who repeats its SYN has an entry from now on, at the same server
    assert {port: send(plane, SYN, port, hook)[1] for port in PORTS[100:]} == {p: chosen[p] for p in PORTS[100:]}
    assert len(list(plane.table.connections())) == len(PORTS)
    assert counts(plane).unentered == len(PORTS)
    plane.wait_for(lambda: plane.front("flood") == FloodState.OFF, 6)
    plane.keep_hops()
    send(plane, SYN, 9000, hook)
    assert sum(entry.state == "SYN_RECV" for entry in plane.table.connections()) == len(PORTS[100:]) + 1


def test_a_syn_is_forgotten_after_two_epochs(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    flood(plane)
    before = layout.FLOODING.get(plane.maps.flooding.bytes, 0, "epoch")
    # the clock's own next one is seconds off now
    plane.wait_for(lambda: layout.FLOODING.get(plane.maps.flooding.bytes, 0, "epoch") != before)
    send(plane, SYN)
    epoch = layout.FLOODING.get(plane.maps.flooding.bytes, 0, "epoch")
    layout.FLOODING.pack_into(plane.maps.flooding.bytes, 0, epoch=epoch + 1)
    plane.keep_hops()
    assert send(plane, ACK)[0] == "forwarded"
    send(plane, SYN, 1025)
    layout.FLOODING.pack_into(plane.maps.flooding.bytes, 0, epoch=epoch + 4)
    assert send(plane, ACK, 1025)[0] == "no_connection"


def test_rates_are_of_the_last_second_and_gone_with_the_flood(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    flood(plane)

    def told() -> bool:
        for port in PORTS:
            send(plane, SYN, port, client=CLIENT)
        return counts(plane).unentered_rate > 0

    plane.wait_for(told)
    assert counts(plane).flooded
    flood(plane, 0, FloodState.OFF)
    assert counts(plane).unentered_rate == 0
