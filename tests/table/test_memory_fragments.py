"""The memory table's datagrams in fragments, and errors about connections."""

from __future__ import annotations

import pytest
from memory_cluster import CLIENT, DNS, VIP, Cluster, real

from directrix.lvs import Protocol, VirtualService
from directrix.table.memory import Packet
from directrix.table.memory.packet import Fragment, Verdict


@pytest.fixture
def cluster() -> Cluster:
    """A name service with two real servers, asked in turn: first 2, then 1."""
    return Cluster(VirtualService(DNS, "rr"), 1, 1)


def send(cluster: Cluster, offset: int, size: int = 400, identification: int = 1, port: int = 1024) -> Verdict:
    length = size if offset else size + 20
    part = Fragment(identification, offset, size)
    sent = Packet(Protocol.UDP, CLIENT, port, VIP, 53, length=length, fragment=part)
    return cluster.table.packet(sent, cluster.now)


def fate(verdict: Verdict) -> tuple[str, int]:
    return str(verdict.name), int(verdict.server.address) - int(real(0)) if verdict.server else 0


def test_later_fragments_share_the_first_ones_fate_and_count_as_one_packet(cluster: Cluster) -> None:
    assert fate(send(cluster, 0)) == ("forwarded", 2)
    assert fate(send(cluster, 400)) == ("later_fragment", 2)
    assert fate(send(cluster, 0, identification=2, port=1025)) == ("forwarded", 1)
    assert fate(send(cluster, 800)) == ("later_fragment", 2)
    assert fate(send(cluster, 400, identification=2)) == ("later_fragment", 1)
    cluster.table.tick()
    counters = cluster.table.totals()[0]
    assert (counters.in_packets, counters.in_bytes) == (2, 5 * 400 + 2 * 20)


def test_one_that_came_before_the_first_goes_with_it(cluster: Cluster) -> None:
    assert fate(send(cluster, 400)) == ("fragment", 0)
    assert fate(send(cluster, 0)) == ("forwarded", 2)
    cluster.table.tick()
    counters = cluster.table.totals()[0]
    assert (counters.in_packets, counters.in_bytes) == (1, 2 * 400 + 20)


def test_one_over_the_first_is_dropped(cluster: Cluster) -> None:
    send(cluster, 0)
    assert fate(send(cluster, 392)) == ("bad_fragment", 0)


def test_a_datagram_is_forgotten_four_seconds_after_its_last_fragment(cluster: Cluster) -> None:
    send(cluster, 0)
    for _ in range(2):
        cluster.wait(4)
        assert fate(send(cluster, 400)) == ("later_fragment", 2)
    cluster.wait(4.5)
    assert fate(send(cluster, 400)) == ("fragment", 0)


def test_fragments_of_what_is_refused_are_refused(cluster: Cluster) -> None:
    cluster.remove(1)
    cluster.remove(2)
    assert fate(send(cluster, 0)) == ("no_server", 0)
    assert fate(send(cluster, 400)) == ("no_server", 0)


def test_a_removed_real_server_gets_no_more_of_a_datagram(cluster: Cluster) -> None:
    send(cluster, 0)
    cluster.remove(2)
    assert fate(send(cluster, 400)) == ("server_gone", 0)


def test_an_error_reaches_the_real_server_of_the_connection_and_refreshes_nothing(cluster: Cluster) -> None:
    about = Packet(Protocol.UDP, CLIENT, 1024, VIP, 53)
    assert fate(cluster.table.error(about, 56, cluster.now)) == ("unknown_quote", 0)
    cluster.table.packet(about, cluster.now)
    cluster.wait(100)
    assert fate(cluster.table.error(about, 56, cluster.now)) == ("forwarded", 2)
    (connection,) = cluster.table.connections()
    assert connection.expires == 200
    cluster.table.tick()
    assert cluster.table.totals()[0].in_bytes == 40 + 56


def test_an_error_reaches_a_real_server_that_was_removed_and_is_not_counted(cluster: Cluster) -> None:
    about = Packet(Protocol.UDP, CLIENT, 1024, VIP, 53)
    cluster.table.packet(about, cluster.now)
    cluster.remove(2)
    assert fate(cluster.table.error(about, 56, cluster.now)) == ("forwarded", 2)
    cluster.table.tick()
    assert cluster.table.totals()[0].in_packets == 1


def test_without_services_an_error_is_not_looked_at(cluster: Cluster) -> None:
    about = Packet(Protocol.UDP, CLIENT, 1024, VIP, 53)
    cluster.table.packet(about, cluster.now)
    cluster.table.flush()
    assert fate(cluster.table.error(about, 56, cluster.now)) == ("not_ours", 0)
