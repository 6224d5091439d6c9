"""What becomes of connections and templates of a real server that is drained, on the data plane."""

from __future__ import annotations

import os
from ipaddress import ip_network

import pytest
from data_plane import DNS, HTTP, HTTP6, VIP, VIP6, DataPlane, number_of, real, service
from frames import ACK, RST, SYN, TCP, UDP, packet
from hooks import HOOKS
from test_persistence import client, server_of, templates

from directrix.lvs import MarkMatch, MarkRule, Protocol, ServiceKey
from directrix.lvs.mark import HIGHEST_PORT
from directrix.table.memory.connections import INVALID_PORT

pytestmark = pytest.mark.root

MARK = ServiceKey.mark(5)


@HOOKS
def test_ending_connections_leaves_those_of_other_servers(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    run = getattr(plane, hook)
    for port in range(1001, 1101):
        run(packet(TCP, VIP, 80, port))
    assert plane.table.count_connections(HTTP, real(1), 80) == 50
    assert plane.table.end_connections(HTTP, real(1), 80) == 50
    assert plane.table.count_connections(HTTP, real(1), 80) == 0
    assert {number_of(c.server) for c in plane.table.connections()} == {2}
    assert (plane.counts(HTTP, 1), plane.counts(HTTP, 2)) == ((0, 0), (50, 0))
    ended = next(port for port in range(1001, 1003) if port not in {c.client_port for c in plane.table.connections()})
    assert plane.verdict_of(run, packet(TCP, VIP, 80, ended, ACK))[0] == "no_connection"
    assert plane.real_server(HTTP, 1) == plane.state(HTTP, 1).server
    plane.wait_for(lambda: plane.front("connections") == 50, 1.6)


@HOOKS
def test_a_datagram_of_an_ended_flow_goes_to_another_server_at_once(plane: DataPlane, hook: str) -> None:
    plane.serve(DNS, 1)
    run = getattr(plane, hook)
    run(packet(UDP, VIP, 53))
    plane.add(DNS, 2)
    plane.table.edit_server(DNS, plane.real_server(DNS, 1, 0))
    run(packet(UDP, VIP, 53))
    assert server_of(plane, 1024) == 1
    assert plane.table.end_connections(DNS, real(1), 53, Protocol.UDP) == 1
    assert plane.verdict_of(run, packet(UDP, VIP, 53))[0] == "forwarded"
    assert server_of(plane, 1024) == 2


def test_of_a_mark_service_one_protocol_can_be_ended(plane: DataPlane) -> None:
    plane.table.add_mark(MarkRule(MarkMatch(ip_network(f"{VIP}/32"), None, 0, HIGHEST_PORT), 5))
    plane.table.add_service(service(MARK))
    plane.add(MARK, 1)
    for protocol, port in ((TCP, 1001), (UDP, 1001), (UDP, 1002)):
        plane.tc(packet(protocol, VIP, 80, port))
    counts = [plane.table.count_connections(MARK, real(1), 0, protocol) for protocol in (*Protocol, None)]
    assert counts == [1, 2, 0, 3]
    assert plane.table.end_connections(MARK, real(1), 0, Protocol.UDP) == 2
    assert [c.protocol for c in plane.table.connections()] == [TCP]


def test_a_connection_past_its_time_is_neither_counted_nor_ended(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.tc(packet(TCP, VIP, 80))
    plane.set_field(plane.slot(1024), expires=plane.tick() - 1 & 0xFFFFFFFF)
    assert plane.table.count_connections(HTTP, real(1), 80) == 0
    assert plane.table.end_connections(HTTP, real(1), 80) == 0


def test_a_template_goes_with_the_last_connection_that_is_ended(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, persistence=100)
    plane.tc(packet(TCP, VIP, 80, 1001))
    plane.tc(packet(TCP, VIP, 80, 1002, ACK))
    plane.tc(packet(TCP, VIP, 80, 1002))
    assert plane.table.end_connections(HTTP, real(1), 80) == 2
    assert list(plane.table.connections()) == []
    assert plane.state(HTTP, 1).persistent == 0


@HOOKS
def test_a_client_that_is_forgotten_goes_elsewhere_while_its_connection_goes_on(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, persistence=100)
    run = getattr(plane, hook)
    run(packet(TCP, VIP, 80, 1001))
    plane.add(HTTP, 2)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 0))
    run(packet(TCP, VIP, 80, 1002))
    assert server_of(plane, 1002) == 1
    for _ in range(2):
        plane.table.forget_clients(HTTP, real(1), 80)
    run(packet(TCP, VIP, 80, 1003))
    assert server_of(plane, 1003) == 2
    assert plane.verdict_of(run, packet(TCP, VIP, 80, 1001, ACK))[0] == "forwarded"
    assert server_of(plane, 1001) == 1
    assert {(number_of(c.server), c.virtual_port) for c in templates(plane)} == {(1, INVALID_PORT), (2, 80)}


def test_templates_without_connections_end_when_they_are_forgotten_and_others_stay(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, persistence=300)
    for number in range(20, 40):
        for flags in (SYN, ACK, RST):
            plane.tc(packet(TCP, VIP, 80, flags=flags, client=client(number)))
    plane.age(20)
    plane.wait_for(lambda: sum(sum(plane.counts(HTTP, n)) for n in (1, 2)) == 0)
    plane.table.forget_clients(HTTP, real(1), 80)
    assert [number_of(c.server) for c in templates(plane)] == [2] * 10
    assert (plane.state(HTTP, 1).persistent, plane.state(HTTP, 2).persistent) == (0, 10)
    plane.wait_for(lambda: plane.front("connections") == 10)


def test_ipv6_connections_end_too(plane: DataPlane) -> None:
    plane.serve(HTTP6, 1, persistence=100)
    plane.tc(packet(TCP, VIP6, 80))
    assert plane.table.end_connections(HTTP6, real(1, 6), 80) == 1
    assert list(plane.table.connections()) == []


def test_the_program_can_run_for_hours_without_using_up_descriptors(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.count_connections(HTTP, real(1), 80)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        plane.table.count_connections(HTTP, real(1), 80)
    assert len(os.listdir("/proc/self/fd")) == before
