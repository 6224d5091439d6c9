"""Removed real servers and services of the memory table: what becomes of their connections."""

from __future__ import annotations

from memory_cluster import DNS, HTTP, Cluster

from directrix.lvs import VirtualService

RR = VirtualService(HTTP, "rr")
OTHER = VirtualService(DNS, "rr")


def test_packets_of_a_removed_server_are_dropped_and_refresh_nothing() -> None:
    cluster = Cluster(RR, 1, 1)
    assert cluster.send(1024, "S", "A") == 2
    cluster.remove(2)
    cluster.wait(100)
    assert cluster.send(1024, "A") == "server_gone"
    assert cluster.connection(1024).expires == 800
    cluster.table.tick()
    assert cluster.table.totals()[0].in_packets == 2


def test_new_connections_go_to_the_servers_that_are_left() -> None:
    cluster = Cluster(RR, 1, 1)
    cluster.remove(2)
    assert [cluster.send(port) for port in range(3)] == [1, 1, 1]


def test_a_syn_on_a_finished_connection_of_a_removed_server_is_scheduled() -> None:
    cluster = Cluster(RR, 1, 1)
    assert cluster.send(1024, "S", "A", "R") == 2
    cluster.remove(2)
    assert cluster.send(1024, "S") == 1


def test_a_removed_server_that_comes_back_has_its_connections_and_counts() -> None:
    cluster = Cluster(RR, 1, 1)
    assert cluster.send(1024, "S", "A") == 2
    cluster.remove(2)
    cluster.add(2, weight=7)
    assert cluster.counts(2) == (1, 0)
    assert cluster.state(2).server.weight == 7
    cluster.table.tick()
    assert cluster.state(2).counters.connections == 1
    assert cluster.send(1024, "A") == 2


def test_it_comes_back_to_a_service_made_anew_with_counters_at_zero() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    cluster.table.tick()
    cluster.table.delete_service(HTTP)
    cluster.table.add_service(RR)
    assert cluster.send(1024, "A") == "server_gone"
    cluster.add(1)
    assert cluster.counts(1) == (1, 0)
    assert cluster.state(1).counters.connections == 0
    assert cluster.send(1024, "A") == 1
    cluster.table.tick()
    assert cluster.state(1).counters.in_packets == 1
    assert cluster.table.service(HTTP).counters.in_packets == 1


def test_a_deleted_service_leaves_its_connections_listed_and_new_ones_to_the_host() -> None:
    cluster = Cluster(RR, 1)
    cluster.table.add_service(OTHER)
    cluster.send(1024, "S", "A")
    cluster.table.delete_service(HTTP)
    assert cluster.connection(1024).state == "ESTABLISHED"
    assert cluster.send(1024, "A") == "server_gone"
    assert cluster.send(1025, "S") == "no_service"
    cluster.wait(900)
    assert list(cluster.table.connections()) == []


def test_with_no_service_at_all_every_packet_is_the_hosts() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    cluster.table.flush()
    assert cluster.connection(1024).state == "ESTABLISHED"
    assert cluster.send(1024, "A") == "not_ours"
    cluster.wait(900)
    assert list(cluster.table.connections()) == []


def test_connections_of_a_removed_server_are_counted_down_while_it_is_away() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1, "S", "A")
    cluster.send(2, "S")
    cluster.remove(1)
    cluster.wait(60)
    cluster.add(1)
    assert cluster.counts(1) == (1, 0)


def test_an_idle_server_is_forgotten_two_minutes_after_a_sweep_found_it() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A", "R")
    cluster.wait(10)
    cluster.remove(1)
    cluster.wait(179)  # swept after 60 s and noted, after 120 s, but not yet after 180 s
    cluster.add(1)
    cluster.table.tick()
    assert cluster.state(1).counters.connections == 1
    cluster.remove(1)
    cluster.wait(180)
    cluster.add(1)
    cluster.table.tick()
    assert cluster.state(1).counters.connections == 0


def test_a_server_with_connections_is_not_forgotten() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    cluster.remove(1)
    cluster.wait(899)
    cluster.add(1)
    assert cluster.counts(1) == (1, 0)


def test_a_removed_server_does_not_come_back_to_another_service() -> None:
    cluster = Cluster(RR, 1)
    cluster.send(1024, "S", "A")
    cluster.remove(1)
    other = VirtualService(HTTP.of(HTTP.protocol, HTTP.address, 81), "rr")
    cluster.table.add_service(other)
    cluster.table.add_server(other.key, cluster.server(1))
    assert cluster.table.service(other.key).servers[0].active == 0
    assert cluster.send(1024, "A") == "server_gone"


def test_quiescing_keeps_connections_and_takes_no_new_ones() -> None:
    cluster = Cluster(RR, 1, 1)
    assert cluster.send(1024, "S", "A") == 2
    cluster.edit(2, weight=0)
    assert cluster.send(1024, "A") == 2
    assert [cluster.send(port) for port in range(3)] == [1, 1, 1]
