"""Counters and rates of the memory table."""

from __future__ import annotations

from memory_cluster import DNS, HTTP, Cluster

from directrix.lvs import Counters, Rates, VirtualService

RR = VirtualService(HTTP, "rr")
NOTHING = (Counters(), Rates())


def burst(cluster: Cluster, count: int, length: int) -> None:
    for port in range(1024, 1024 + count):
        cluster.verdict(port, length=length)


def test_packets_count_for_server_service_and_table() -> None:
    cluster = Cluster(RR, 1, 1)
    cluster.verdict(1, "S", length=60)
    cluster.verdict(1, "A", length=52)
    cluster.verdict(2, "S", length=60)
    cluster.table.tick()
    assert cluster.state(2).counters == Counters(1, 2, 0, 112, 0)
    assert cluster.state(1).counters == Counters(1, 1, 0, 60, 0)
    assert cluster.table.service(HTTP).counters == Counters(2, 3, 0, 172, 0)
    assert cluster.table.totals()[0] == Counters(2, 3, 0, 172, 0)


def test_packets_that_reach_no_server_are_not_counted() -> None:
    cluster = Cluster(RR)
    cluster.send(1)
    cluster.send(1, "A")
    cluster.send(1, port=81)
    assert cluster.table.totals() == NOTHING


def test_totals_are_of_all_services() -> None:
    cluster = Cluster(RR, 1)
    cluster.table.add_service(VirtualService(DNS, "rr"))
    cluster.table.add_server(DNS, cluster.server(1))
    cluster.verdict(1)
    cluster.verdict(1, "", port=53, protocol=DNS.protocol, length=100)
    cluster.table.tick()
    assert cluster.table.totals()[0] == Counters(2, 2, 0, 140, 0)
    cluster.table.delete_service(DNS)
    assert cluster.table.totals()[0] == Counters(2, 2, 0, 140, 0)


def test_a_burst_fades_from_the_rates_as_it_does_in_ipvs() -> None:
    cluster = Cluster(RR, 1)
    burst(cluster, 200, 100)
    seen = []
    for tick in range(1, 6):
        cluster.table.estimate(2.0 * tick)
        seen.append(cluster.table.service(HTTP).rates)
    assert [rates.connections for rates in seen] == [25, 19, 14, 11, 8]
    assert [rates.in_packets for rates in seen] == [25, 19, 14, 11, 8]
    assert [rates.in_bytes for rates in seen] == [2500, 1875, 1406, 1055, 791]
    assert cluster.state(1).rates == seen[-1] == cluster.table.totals()[1]


def test_the_estimator_ticks_once_every_two_seconds_however_often_it_is_asked() -> None:
    often, seldom = Cluster(RR, 1), Cluster(RR, 1)
    for cluster in (often, seldom):
        burst(cluster, 200, 100)
    for tenth in range(101):
        often.table.estimate(tenth / 10)
    seldom.table.estimate(10.0)
    assert often.table.totals() == seldom.table.totals()
    assert often.table.totals()[1].connections == 8


def test_a_steady_rate_is_reached_and_shown_as_it_is() -> None:
    cluster = Cluster(VirtualService(DNS, "rr", one_packet=True), 1)
    for tick in range(1, 60):
        burst(cluster, 20, 50)
        cluster.table.estimate(2.0 * tick)
        cluster.now = 2.0 * tick
    assert cluster.table.service(DNS).rates == Rates(10, 10, 0, 500, 0)


def test_zeroing_a_service_zeroes_its_servers_and_nothing_else() -> None:
    cluster = Cluster(RR, 1)
    cluster.table.add_service(VirtualService(DNS, "rr"))
    cluster.table.add_server(DNS, cluster.server(1))
    cluster.verdict(1)
    cluster.verdict(1, "", port=53, protocol=DNS.protocol)
    cluster.table.estimate(2.0)
    cluster.table.zero(HTTP)
    state = cluster.table.service(HTTP)
    assert (state.counters, state.rates) == NOTHING
    assert (state.servers[0].counters, state.servers[0].rates) == NOTHING
    assert state.servers[0].active == 1
    assert cluster.table.service(DNS).counters.in_packets == 1
    assert cluster.table.totals()[0].in_packets == 2


def test_zeroing_everything_zeroes_the_totals_too() -> None:
    cluster = Cluster(RR, 1)
    cluster.verdict(1)
    cluster.table.tick()
    cluster.table.zero()
    assert cluster.table.service(HTTP).counters == Counters()
    assert cluster.table.totals() == NOTHING
    cluster.table.tick()
    assert cluster.table.totals() == NOTHING


def test_what_came_since_the_last_tick_shows_up_after_zeroing() -> None:
    cluster = Cluster(VirtualService(DNS, "rr"), 1)
    burst(cluster, 4, 32)
    cluster.table.zero()
    assert cluster.table.totals() == NOTHING
    cluster.table.tick()
    for counters, rates in (
        cluster.table.totals(),
        (cluster.table.service(DNS).counters, cluster.table.service(DNS).rates),
    ):
        assert counters == Counters(4, 4, 0, 128, 0)
        assert rates.in_bytes == 16


def test_a_removed_servers_rate_stays_in_its_services_and_stands_still_until_it_returns() -> None:
    cluster = Cluster(RR, 1)
    burst(cluster, 200, 100)
    cluster.table.tick()
    cluster.remove(1)
    cluster.table.tick()
    assert cluster.table.service(HTTP).rates.connections == cluster.table.totals()[1].connections == 19
    cluster.add(1)
    assert cluster.state(1).rates.connections == 25
    cluster.table.tick()
    assert cluster.state(1).rates.connections == 19
    assert cluster.table.service(HTTP).rates.connections == 14


def test_a_service_made_anew_has_no_rate_and_the_totals_go_on() -> None:
    cluster = Cluster(RR, 1)
    burst(cluster, 200, 100)
    cluster.table.tick()
    cluster.table.delete_service(HTTP)
    cluster.table.add_service(RR)
    cluster.add(1)
    cluster.table.tick()
    state = cluster.table.service(HTTP)
    assert (state.counters, state.rates) == NOTHING
    assert (state.servers[0].counters, state.servers[0].rates) == NOTHING
    assert cluster.table.totals()[1].connections == 19
