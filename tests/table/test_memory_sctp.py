"""SCTP on the memory table: associations, their ends, and what counts as active."""

from __future__ import annotations

import pytest
from memory_cluster import CLIENT, VIP, Cluster, real

from directrix.lvs import Connection, ConnectionFlags, Protocol, ServiceKey, Timeouts, VirtualService
from directrix.lvs.sctp import SctpChunk
from directrix.table.memory import Packet

DIAMETER = ServiceKey.of(Protocol.SCTP, VIP, 3868)
RR = VirtualService(DIAMETER, "rr")
INIT, ECHO, DATA = SctpChunk.INIT, SctpChunk.COOKIE_ECHO, SctpChunk.DATA
SHUTDOWN, COMPLETE, ABORT = SctpChunk.SHUTDOWN, SctpChunk.SHUTDOWN_COMPLETE, SctpChunk.ABORT


def send(cluster: Cluster, client_port: int, *packets: SctpChunk | tuple[SctpChunk, ...]) -> int | str:
    """Send packets of these chunks; the number of the last one's server, or its verdict's name."""
    for chunks in packets:
        kinds = chunks if isinstance(chunks, tuple) else (chunks,)
        packet = Packet(Protocol.SCTP, CLIENT, client_port, VIP, DIAMETER.port, sctp_chunks=kinds)
        verdict = cluster.table.packet(packet, cluster.now)
    if verdict.server is None:
        return str(verdict.name)
    return int(verdict.server.address) - int(real(0))


@pytest.mark.parametrize(
    ("packets", "state", "seconds"),
    [
        ([INIT], "INIT1", 4),
        ([INIT, INIT], "INIT", 61),
        ([INIT, ECHO], "ESTABLISHED", 900),
        ([INIT, ECHO, SHUTDOWN], "S-RECEIVED", 61),
        ([INIT, ECHO, SHUTDOWN, COMPLETE], "CLOSED", 61),
        ([INIT, ABORT], "CLOSED", 61),
    ],
)
def test_an_association_is_listed_and_counted_by_its_state(packets: list[SctpChunk], state: str, seconds: int) -> None:
    cluster = Cluster(RR, 1)
    cluster.table.set_timeouts(Timeouts(7, 8, 9))  # which are none of SCTP's
    assert send(cluster, 1024, *packets) == 1
    active = state == "ESTABLISHED"
    flags = ConnectionFlags.NO_OUTPUT | (ConnectionFlags.NONE if active else ConnectionFlags.INACTIVE)
    assert list(cluster.table.connections()) == [
        Connection(132, CLIENT, 1024, VIP, 3868, real(1), 3868, state, seconds, flags)
    ]
    assert cluster.counts(1) == ((1, 0) if active else (0, 1))
    cluster.wait(seconds)
    assert (list(cluster.table.connections()), cluster.counts(1)) == ([], (0, 0))


@pytest.mark.parametrize("chunk", SctpChunk, ids=lambda chunk: chunk.name)
def test_only_init_begins_an_association(chunk: SctpChunk) -> None:
    assert send(Cluster(RR, 1), 1024, chunk) == (1 if chunk is INIT else "no_connection")


def test_an_init_on_an_association_that_is_over_goes_to_the_next_server() -> None:
    cluster = Cluster(RR, 1, 1)
    assert send(cluster, 1024, INIT, INIT, ECHO, INIT, DATA) == 2
    assert send(cluster, 1024, ABORT, DATA, ECHO) == 2
    assert send(cluster, 1024, INIT) == 1
    assert (cluster.counts(1), cluster.counts(2)) == ((0, 1), (0, 0))


def test_under_persistence_an_association_is_never_over_and_its_template_assured_once_established() -> None:
    cluster = Cluster(VirtualService(DIAMETER, "rr", persistence=100), 1, 1)
    assert send(cluster, 1024, INIT, ABORT, INIT) == 2
    assert sorted(c.state for c in cluster.table.connections()) == ["INIT", "NONE"]
    assert send(cluster, 1024, ECHO) == 2
    assert sorted(c.state for c in cluster.table.connections()) == ["ASSURED", "ESTABLISHED"]
    assert [send(cluster, port, INIT) for port in range(5)] == [2] * 5


# -- sysctls


@pytest.mark.parametrize(
    ("chunks", "state"),
    [
        ((INIT,), "INIT1"),
        ((INIT, ABORT), "INIT1"),
        ((DATA,), "ESTABLISHED"),
        ((DATA, ABORT), "ESTABLISHED"),
        ((ECHO, DATA), "ESTABLISHED"),
        ((ECHO, ABORT), "CLOSED"),
        ((SHUTDOWN,), "S-RECEIVED"),
        ((COMPLETE,), "CLOSED"),
        ((ABORT,), None),
        ((ABORT, ECHO), None),
    ],
)
def test_sloppy_sctp_takes_associations_over_in_the_middle(chunks: tuple[SctpChunk, ...], state: str | None) -> None:
    cluster = Cluster(RR, 1)
    cluster.table.set_sysctls({"sloppy_sctp": 1})
    assert send(cluster, 1024, chunks) == (1 if state else "no_connection")
    assert [connection.state for connection in cluster.table.connections()] == ([state] if state else [])


@pytest.mark.parametrize(("mode", "server"), [(0, 2), (1, 1), (2, 1), (4, 1)])
def test_any_conn_reuse_mode_but_zero_has_a_closed_association_over(mode: int, server: int) -> None:
    cluster = Cluster(RR, 1, 1)
    cluster.table.set_sysctls({"conn_reuse_mode": mode})
    assert send(cluster, 1024, INIT, ABORT, INIT) == server
    assert send(cluster, 1025, INIT, ECHO, SHUTDOWN, INIT) == 3 - server


def test_an_init_on_an_association_whose_server_was_removed_starts_a_new_one() -> None:
    cluster = Cluster(RR, 1, 1)
    assert send(cluster, 1024, INIT, ECHO) == 2
    cluster.remove(2)
    assert send(cluster, 1024, DATA) == "server_gone"
    assert send(cluster, 1024, INIT) == 1


def test_drop_entry_ends_associations_that_have_only_begun() -> None:
    cluster = Cluster(RR, 1)
    cluster.table.set_sysctls({"drop_entry": 3})
    for port in range(1, 101):
        send(cluster, port, INIT, INIT)
        send(cluster, 1000 + port, INIT, ECHO)
    cluster.wait(20)
    states = [connection.state for connection in cluster.table.connections()]
    assert 0 < states.count("INIT") < 100
    assert states.count("ESTABLISHED") == 100
