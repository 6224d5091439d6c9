"""What becomes of connections and templates of a real server that is drained, in the memory table."""

from __future__ import annotations

import pytest
from memory_cluster import CLIENT, HTTP, VIP, Cluster, real

from directrix.lvs import Connection, ConnectionFlags, Protocol, ServiceKey, VirtualService
from directrix.table.memory.connections import INVALID_PORT

SERVER = (real(2), 80)
MARK = ServiceKey.mark(5)


def cluster(persistence: int = 0) -> Cluster:
    """Two real servers; the first client gets the second one."""
    return Cluster(VirtualService(HTTP, "rr", persistence=persistence), 1, 1)


def templates(one: Cluster) -> list[Connection]:
    """The templates there are."""
    return [c for c in one.table.connections() if c.flags & ConnectionFlags.TEMPLATE]


def test_ending_connections_leaves_those_of_other_servers() -> None:
    one = cluster()
    assert [one.send(port, "S", "A") for port in range(4)] == [2, 1, 2, 1]
    assert one.table.count_connections(HTTP, *SERVER) == 2
    assert one.table.end_connections(HTTP, *SERVER) == 2
    assert one.table.count_connections(HTTP, *SERVER) == 0
    assert (one.counts(1), one.counts(2)) == ((2, 0), (0, 0))
    assert one.send(0, "A") == "no_connection"
    assert one.send(1, "A") == 1


def test_ending_connections_changes_nothing_about_the_server() -> None:
    one = cluster()
    one.send(1)
    one.table.end_connections(HTTP, *SERVER)
    assert one.state(2).server == one.server(2)
    assert [one.send(port) for port in range(2, 4)] == [1, 2]


def test_of_a_mark_service_one_protocol_can_be_ended() -> None:
    one = Cluster(VirtualService(MARK, "rr"), 1)
    for protocol, port in ((Protocol.TCP, 1), (Protocol.UDP, 1), (Protocol.UDP, 2)):
        one.verdict(port, "S", port=80, protocol=protocol, fwmark=5)
    server = (real(1), one.key.port)
    counts = [one.table.count_connections(MARK, *server, protocol) for protocol in (*Protocol, None)]
    assert counts == [1, 2, 0, 3]
    assert one.table.end_connections(MARK, *server, Protocol.UDP) == 2
    assert [c.protocol for c in one.table.connections()] == [Protocol.TCP]


def test_a_template_goes_with_the_last_connection_that_is_ended() -> None:
    one = cluster(persistence=100)
    one.send(1, "S", "A")
    one.send(2, "S", "A")
    assert one.table.end_connections(HTTP, *SERVER) == 2
    assert list(one.table.connections()) == []


def test_a_client_that_is_forgotten_goes_elsewhere_while_its_connection_goes_on() -> None:
    one = cluster(persistence=100)
    assert one.send(1, "S", "A") == 2
    one.edit(2, 0)
    assert one.send(2) == 2
    one.table.forget_clients(HTTP, *SERVER)
    assert one.send(3) == 1
    assert one.send(1, "A") == 2
    assert {template.virtual_port for template in templates(one)} == {80, INVALID_PORT}


def test_a_template_without_connections_ends_when_it_is_forgotten() -> None:
    one = cluster(persistence=300)
    one.send(1, "S", "A", "R")
    one.wait(20)
    assert len(templates(one)) == 1
    one.table.forget_clients(HTTP, *SERVER)
    assert templates(one) == []
    assert one.state(2).persistent == 0


@pytest.mark.parametrize("again", [1, 2])
def test_forgetting_twice_is_forgetting_once(again: int) -> None:
    one = cluster(persistence=100)
    one.send(1, "S", "A")
    for _ in range(again):
        one.table.forget_clients(HTTP, *SERVER)
    (template,) = templates(one)
    assert (template.client, template.virtual, template.virtual_port) == (CLIENT, VIP, INVALID_PORT)
