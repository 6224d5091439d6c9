"""Connections of the memory table: their states, their ends, and what counts as active."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_cluster import CLIENT, DNS, HTTP, VIP, Cluster, real

from directrix.lvs import (
    Connection,
    ConnectionFlags,
    ForwardingMethod,
    Protocol,
    RealServer,
    ServiceKey,
    Timeouts,
    VirtualService,
    parse_address,
)
from directrix.lvs.errors import NotSupportedYet
from directrix.table.memory import VerdictName

RR = VirtualService(HTTP, "rr")
RR_DNS = VirtualService(DNS, "rr")


@pytest.mark.parametrize(
    ("packets", "state", "seconds", "active"),
    [
        ("S", "SYN_RECV", 60, True),
        ("S A", "ESTABLISHED", 900, True),
        ("S A F", "FIN_WAIT", 120, False),
        ("S A R", "CLOSE", 10, False),
        ("S R", "SYN_RECV", 60, True),
        ("S F", "TIME_WAIT", 120, False),
        ("S A F S", "SYN_RECV", 60, True),
    ],
)
def test_a_connection_is_listed_and_counted_by_its_state(packets: str, state: str, seconds: int, active: bool) -> None:
    cluster = Cluster(RR, 1)
    assert cluster.send(1024, *packets.split()) == 1
    flags = ConnectionFlags.NO_OUTPUT | (ConnectionFlags.NONE if active else ConnectionFlags.INACTIVE)
    assert list(cluster.table.connections()) == [
        Connection(6, CLIENT, 1024, VIP, 80, real(1), 80, state, seconds, flags)
    ]
    assert cluster.counts(1) == ((1, 0) if active else (0, 1))


def test_a_connection_ends_when_its_time_has_run_out() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    cluster.wait(899.5)
    assert cluster.connection(1024).expires == 0
    assert cluster.counts(1) == (1, 0)
    cluster.wait(0.5)
    assert cluster.connection(1024) is None
    assert cluster.counts(1) == (0, 0)


def test_every_packet_starts_the_timeout_anew() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    for _ in range(3):
        cluster.wait(800)
        assert cluster.send(1024, "A") == 1
    assert cluster.connection(1024).expires == 900


def test_a_shorter_timeout_takes_the_place_of_a_longer_one() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A", "R")
    cluster.wait(10)
    assert cluster.connection(1024) is None


def test_set_timeouts_are_for_packets_from_then_on() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1, "S", "A")
    cluster.table.set_timeouts(Timeouts(tcp=50, tcp_fin=20))
    cluster.send(2, "S", "A")
    cluster.send(3, "S", "A", "F")
    assert [cluster.connection(port).expires for port in (1, 2, 3)] == [900, 50, 20]


def test_udp_is_one_state_and_never_active() -> None:
    cluster = Cluster(RR_DNS, 1)
    cluster.send(1024, "")
    cluster.wait(200)
    cluster.send(1024, "")
    connection = cluster.connection(1024)
    assert (connection.protocol, connection.state, connection.expires) == (17, "UDP", 300)
    assert cluster.counts(1) == (0, 1)


def test_a_connection_keeps_its_server_and_each_new_one_is_scheduled() -> None:
    cluster = Cluster(RR, 1, 1, 1)
    assert [cluster.send(port) for port in range(5)] == [3, 2, 1, 3, 2]
    assert [cluster.send(port, "A") for port in range(5)] == [3, 2, 1, 3, 2]


def test_ipv6_is_directed_like_ipv4() -> None:
    key = ServiceKey.of(Protocol.TCP, parse_address("fd00::1"), 80)
    cluster = Cluster(VirtualService(key, "rr", netmask=128))
    cluster.table.add_server(key, RealServer(parse_address("fd00::11"), 80))
    verdict = cluster.verdict(1024, client=parse_address("fd00::100"), virtual=parse_address("fd00::1"))
    assert verdict.server == RealServer(parse_address("fd00::11"), 80)


# -- what is not directed


def test_a_packet_for_no_virtual_address_is_not_ours() -> None:
    verdict = Cluster(RR, 1).verdict(1024, virtual=parse_address("10.0.0.2"))
    assert (verdict.name, verdict.server) == (VerdictName.NOT_OURS, None)


@pytest.mark.parametrize(("port", "protocol"), [(81, Protocol.TCP), (80, Protocol.UDP)])
def test_another_port_or_protocol_of_a_virtual_address_has_no_service(port: int, protocol: Protocol) -> None:
    assert Cluster(RR, 1).verdict(1024, port=port, protocol=protocol).name is VerdictName.NO_SERVICE


@pytest.mark.parametrize("flags", ["A", "F", "R", "SR", "RA", ""])
def test_tcp_without_syn_starts_no_connection(flags: str) -> None:
    cluster = Cluster(RR, 1)
    assert cluster.send(1024, flags) == "no_connection"
    assert list(cluster.table.connections()) == []


@pytest.mark.parametrize("service", [RR, RR_DNS], ids=["TCP", "UDP"])
def test_from_port_20_where_ftp_data_come_from_nothing_is_scheduled(service: VirtualService) -> None:
    assert Cluster(service, 1).send(20) == "no_connection"


def test_without_a_server_to_be_had_the_packet_is_refused() -> None:
    assert Cluster(RR).send(1024) == "no_server"
    assert Cluster(RR, 0, 0).send(1024) == "no_server"
    assert Cluster(VirtualService(HTTP, "none"), 1).send(1024) == "no_server"


def test_a_local_server_is_this_host() -> None:
    cluster = Cluster(RR)
    server = RealServer(real(1), 80, ForwardingMethod.LOCAL)
    cluster.table.add_server(HTTP, server)
    verdict = cluster.verdict(1024)
    assert (verdict.name, verdict.server) == (VerdictName.LOCAL, server)
    assert cluster.counts(1) == (1, 0)


@pytest.mark.parametrize("method", [ForwardingMethod.BYPASS])
@pytest.mark.parametrize("persistence", [0, 60])
def test_a_method_that_is_only_stored_is_refused_with_nothing_left_behind(
    method: ForwardingMethod, persistence: int
) -> None:
    cluster = Cluster(VirtualService(HTTP, "rr", persistence=persistence))
    cluster.table.add_server(HTTP, RealServer(real(1), 80, method))
    with pytest.raises(NotSupportedYet, match=method.label):
        cluster.send(1024)
    assert list(cluster.table.connections()) == []


def test_a_persistence_engine_is_only_stored() -> None:
    cluster = Cluster(VirtualService(DNS, "rr", persistence=60, engine="sip"), 1)
    with pytest.raises(NotSupportedYet, match="sip"):
        cluster.send(1024)
    assert list(cluster.table.connections()) == []


# -- which service


def test_a_mark_comes_before_the_address() -> None:
    cluster = Cluster(RR, 1)
    mark = ServiceKey.mark(5)
    cluster.table.add_service(VirtualService(mark, "rr"))
    cluster.table.add_server(mark, RealServer(real(2), 0))
    assert cluster.verdict(1, fwmark=5).server == RealServer(real(2), 0)
    assert cluster.verdict(2, fwmark=6).server == cluster.server(1)
    assert cluster.connection(1).server_port == 80


def test_ftp_data_ports_find_the_ftp_service() -> None:
    cluster = Cluster(VirtualService(ServiceKey.of(Protocol.TCP, VIP, 21), "rr", persistence=60), 1)
    assert cluster.send(1, port=21) == 1
    assert cluster.send(2, port=20) == 1
    assert cluster.send(3, port=1024) == 1
    assert cluster.send(4, port=1023) == "no_service"


def test_an_ftp_service_without_persistence_leaves_data_to_the_host() -> None:
    cluster = Cluster(VirtualService(ServiceKey.of(Protocol.TCP, VIP, 21), "rr"), 1)
    assert cluster.send(1, port=21) == 1
    assert cluster.send(2, port=5000) == "no_connection"


def test_a_service_for_all_ports_takes_what_no_other_has_and_needs_persistence() -> None:
    cluster = Cluster(VirtualService(ServiceKey.of(Protocol.TCP, VIP, 0), "rr", persistence=60), 1)
    cluster.table.add_service(RR)
    assert cluster.send(1, port=443) == 1
    assert cluster.connection(1).server_port == 443
    assert cluster.send(2, port=80) == "no_server"
    cluster.table.edit_service(VirtualService(cluster.key, "rr"))
    assert cluster.send(3, port=444) == "no_server"


# -- a client's port used again


@pytest.mark.parametrize("packets", ["S A R", "S F"], ids=["CLOSE", "TIME_WAIT"])
def test_a_syn_on_a_connection_that_is_over_is_scheduled_anew(packets: str) -> None:
    cluster = Cluster(RR, 1, 1, 1)
    chosen = []
    for _ in range(3):
        chosen.append(cluster.send(1024, *packets.split()))
    assert chosen == [3, 2, 1]
    assert len(list(cluster.table.connections())) == 1
    assert sum(sum(cluster.counts(number)) for number in (1, 2, 3)) == 1


def test_a_syn_on_a_connection_that_is_not_over_goes_on() -> None:
    cluster = Cluster(RR, 1, 1, 1)
    assert cluster.send(1024, "S", "A", "F") == 3
    assert cluster.send(1024, "S") == 3
    assert cluster.connection(1024).state == "SYN_RECV"


def test_an_old_connection_still_counts_as_load_while_its_successor_is_scheduled() -> None:
    cluster = Cluster(VirtualService(HTTP, "lc"), 1, 1)
    assert cluster.send(1024, "S", "A", "R") == 2
    assert cluster.send(1024, "S") == 1
    assert (cluster.counts(1), cluster.counts(2)) == ((1, 0), (0, 0))


def test_an_old_connection_ends_even_if_no_server_takes_its_successor() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A", "R")
    cluster.edit(1, weight=0)
    assert cluster.send(1024, "S") == "no_server"
    assert list(cluster.table.connections()) == []
    assert cluster.counts(1) == (0, 0)


# -- one packet scheduling


def test_one_packet_scheduling_schedules_every_datagram_and_keeps_nothing() -> None:
    cluster = Cluster(replace(RR_DNS, one_packet=True), 1, 1)
    assert [cluster.send(1024, "") for _ in range(4)] == [2, 1, 2, 1]
    assert list(cluster.table.connections()) == []
    assert (cluster.counts(1), cluster.counts(2)) == ((0, 0), (0, 0))
    cluster.table.tick()
    counters = cluster.table.service(DNS).counters
    assert (counters.connections, counters.in_packets) == (4, 4)


def test_one_packet_scheduling_is_for_udp_alone() -> None:
    cluster = Cluster(replace(RR, one_packet=True), 1, 1)
    assert [cluster.send(1024, "S"), cluster.send(1024, "A")] == [2, 2]


# -- schedulers at work


def test_wlc_sees_the_connections_of_its_servers() -> None:
    cluster = Cluster(VirtualService(HTTP, "wlc"), 1, 2, 3)
    assert [cluster.send(port, "S", "A") for port in range(13)] == [3, 2, 1, 3, 2, 3, 3, 2, 1, 3, 2, 3, 3]


def test_an_edit_that_keeps_the_scheduler_keeps_its_place_and_another_starts_afresh() -> None:
    cluster = Cluster(RR, 1, 1, 1)
    assert cluster.send(1) == 3
    cluster.table.edit_service(replace(RR, persistence=0, netmask=0xFFFFFF00))
    assert cluster.send(2) == 2
    cluster.table.edit_service(VirtualService(HTTP, "wrr"))
    cluster.table.edit_service(RR)
    assert cluster.send(3) == 3
