"""SCTP on the memory table: associations, their ends, and what counts as active."""

from __future__ import annotations

import pytest
from memory_cluster import CLIENT, VIP, Cluster, real

from directrix.lvs import Connection, ConnectionFlags, Protocol, ServiceKey, Timeouts, VirtualService
from directrix.lvs.sctp import SctpEvent
from directrix.table.memory import Packet

DIAMETER = ServiceKey.of(Protocol.SCTP, VIP, 3868)
RR = VirtualService(DIAMETER, "rr")
INIT, ECHO, DATA = SctpEvent.INIT, SctpEvent.COOKIE_ECHO, SctpEvent.DATA
SHUTDOWN, COMPLETE, ABORT = SctpEvent.SHUTDOWN, SctpEvent.SHUTDOWN_COMPLETE, SctpEvent.ABORT


def send(cluster: Cluster, client_port: int, *events: SctpEvent) -> int | str:
    """Send packets that say this; the number of the last one's server, or its verdict's name."""
    for event in events:
        packet = Packet(Protocol.SCTP, CLIENT, client_port, VIP, DIAMETER.port, sctp_event=event)
        verdict = cluster.table.packet(packet, cluster.now)
    if verdict.server is None:
        return str(verdict.name)
    return int(verdict.server.address) - int(real(0))


@pytest.mark.parametrize(
    ("events", "state", "seconds"),
    [
        ([INIT], "INIT1", 4),
        ([INIT, INIT], "INIT", 61),
        ([INIT, ECHO], "ESTABLISHED", 900),
        ([INIT, ECHO, SHUTDOWN], "S-RECEIVED", 61),
        ([INIT, ECHO, SHUTDOWN, COMPLETE], "CLOSED", 61),
        ([INIT, ABORT], "CLOSED", 61),
    ],
)
def test_an_association_is_listed_and_counted_by_its_state(events: list[SctpEvent], state: str, seconds: int) -> None:
    cluster = Cluster(RR, 1)
    cluster.table.set_timeouts(Timeouts(7, 8, 9))  # which are none of SCTP's
    assert send(cluster, 1024, *events) == 1
    active = state == "ESTABLISHED"
    flags = ConnectionFlags.NO_OUTPUT | (ConnectionFlags.NONE if active else ConnectionFlags.INACTIVE)
    assert list(cluster.table.connections()) == [
        Connection(132, CLIENT, 1024, VIP, 3868, real(1), 3868, state, seconds, flags)
    ]
    assert cluster.counts(1) == ((1, 0) if active else (0, 1))
    cluster.wait(seconds)
    assert (list(cluster.table.connections()), cluster.counts(1)) == ([], (0, 0))


@pytest.mark.parametrize("event", SctpEvent, ids=lambda event: event.name)
def test_only_init_begins_an_association(event: SctpEvent) -> None:
    assert send(Cluster(RR, 1), 1024, event) == (1 if event is INIT else "no_connection")


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
