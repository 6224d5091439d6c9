"""Counters as they are taken down, and rates, in the data plane's table."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from data_plane import DNS, HTTP, DataPlane, service
from frames import UDP, packet

from directrix.lvs import Counters, Rates, RealServer
from directrix.table.interface import Table
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root

LENGTH = len(packet(UDP, DNS.address, 53)) - 14  # type: ignore[arg-type]


@pytest.fixture
def table(plane: DataPlane) -> Iterator[Table]:
    """The plane's table, which does not estimate when it is asked."""
    table = XdpTable(plane.place)
    yield table
    table.close()


def burst(plane: DataPlane, count: int) -> None:
    for port in range(1024, 1024 + count):
        plane.tc(packet(UDP, DNS.address, 53, port))  # type: ignore[arg-type]


def counted(count: int) -> Counters:
    return Counters(count, count, 0, count * LENGTH, 0)


def test_a_burst_fades_from_every_rate_as_it_does_in_ipvs(plane: DataPlane, table: Table) -> None:
    plane.serve(DNS, 1, one_packet=True)
    burst(plane, 200)
    seen = []
    for _ in range(5):
        plane.estimate()
        state = table.service(DNS)
        assert state.rates == state.servers[0].rates == table.totals()[1]
        seen.append(state.rates)
    assert [rates.connections for rates in seen] == [25, 19, 14, 11, 8]
    assert [rates.in_packets for rates in seen] == [25, 19, 14, 11, 8]


def test_figures_are_those_of_the_last_turn(plane: DataPlane, table: Table) -> None:
    plane.serve(DNS, 1, one_packet=True)
    burst(plane, 3)
    assert table.totals() == (Counters(), Rates())
    plane.estimate()
    burst(plane, 2)
    assert table.service(DNS).counters == table.service(DNS).servers[0].counters == table.totals()[0] == counted(3)


def test_zeroing_one_service_leaves_the_sum_and_what_is_not_taken_down_yet(plane: DataPlane, table: Table) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1, one_packet=True)
    burst(plane, 3)
    plane.estimate()
    burst(plane, 2)
    table.zero(DNS)
    assert (table.service(DNS).counters, table.service(DNS).rates) == (Counters(), Rates())
    assert table.totals()[0] == counted(3)
    plane.estimate()
    assert table.service(DNS).counters == table.service(DNS).servers[0].counters == counted(2)
    assert table.totals()[0] == counted(5)


def test_what_a_deleted_service_counted_stays_in_the_sum_alone(plane: DataPlane, table: Table) -> None:
    plane.serve(DNS, 1, 1, one_packet=True)
    burst(plane, 4)
    table.delete_service(DNS)
    plane.serve(DNS, 1, one_packet=True)
    plane.estimate()
    assert table.service(DNS).counters == Counters()
    assert table.totals()[0] == counted(4)
    # the real server's own were not taken down when it left
    assert table.service(DNS).servers[0].counters == counted(2)


def test_the_clock_takes_down_all_of_a_large_table_within_a_round(plane: DataPlane, table: Table) -> None:
    count = 1000
    table.add_service(service(DNS, "rr", one_packet=True))
    table.begin()
    for number in range(count):
        table.add_server(DNS, RealServer(ip_address("10.9.0.0") + number, 53))
    table.commit()
    burst(plane, count)  # nobody lives there: connections are made, and no packet goes out
    table.set_sysctls({"run_estimation": 1})
    try:
        plane.wait_for(lambda: table.totals()[0].connections == count, 6)
    finally:
        table.set_sysctls({"run_estimation": 0})
    state = table.service(DNS)
    assert state.counters.connections == count
    assert {server.counters.connections for server in state.servers} == {1}
