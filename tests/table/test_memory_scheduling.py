"""The memory table gives its schedulers what they look at: the packet, the flags, the weights, the time."""

from __future__ import annotations

import errno

import pytest
from memory_cluster import HTTP, VIP, Cluster, real

from directrix.lvs import Protocol, SchedulerFlags, ServiceKey, VirtualService, parse_address
from directrix.lvs.errors import InvalidRequest
from directrix.scheduling import ALGORITHMS
from directrix.scheduling.mh import SLOTS
from directrix.scheduling.scheduler import FALLBACK, PORT

CLIENTS = [parse_address("10.1.0.10") + number for number in range(12)]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_scheduler_of_ipvs_schedules(name: str) -> None:
    cluster = Cluster(VirtualService(HTTP, name), 1)
    assert cluster.send(1024) == 1


def test_sh_goes_by_the_client() -> None:
    cluster = Cluster(VirtualService(HTTP, "sh"), 1, 1, 1)
    assert [cluster.send(1024, client=CLIENTS[i]) for i in (0, 1, 6)] == [3, 2, 1]
    assert [cluster.send(port, client=CLIENTS[0]) for port in range(1025, 1030)] == [3] * 5


def test_mh_goes_by_the_client() -> None:
    cluster = Cluster(VirtualService(HTTP, "mh"), 1, 1, 1)
    assert [cluster.send(1024, client=client) for client in CLIENTS] == [3, 3, 3, 2, 2, 1, 2, 3, 1, 2, 3, 2]


def test_dh_goes_by_the_address_asked_for() -> None:
    mark = ServiceKey.mark(5)
    cluster = Cluster(VirtualService(mark, "dh"), 1, 1, 1)
    asked = [parse_address(f"10.0.0.{last}") for last in (120, 121, 125)]
    verdicts = [cluster.verdict(1024, fwmark=5, virtual=address, port=80) for address in asked]
    assert [verdict.server and verdict.server.address for verdict in verdicts] == [real(1), real(2), real(3)]


@pytest.mark.parametrize("name", ["sh", "mh"])
def test_flags_edited_are_in_force_at_once(name: str) -> None:
    cluster = Cluster(VirtualService(HTTP, name), 1, 1, 1)
    assert {cluster.send(port) for port in range(1024, 1054)} == {cluster.send(2000)}
    cluster.table.edit_service(VirtualService(HTTP, name, PORT))
    assert {cluster.send(port) for port in range(3000, 3030)} == {1, 2, 3}
    cluster.table.edit_service(VirtualService(HTTP, name, FALLBACK))
    for number in (1, 2):
        cluster.edit(number, 0)
    assert {cluster.send(port) for port in range(4000, 4030)} == {3}
    cluster.table.edit_service(VirtualService(HTTP, name, SchedulerFlags.FLAG_3))
    assert {cluster.send(5000 + n, client=client) for n, client in enumerate(CLIENTS)} == {3, "no_server"}


def test_mh_a_quiesced_server_keeps_its_share_but_not_when_it_comes_back_quiesced() -> None:
    cluster = Cluster(VirtualService(HTTP, "mh"), 1, 1, 1)
    before = [cluster.send(1024, client=client) for client in CLIENTS]
    cluster.edit(1, 0)
    assert [cluster.send(1025, client=c) for c in CLIENTS] == [n if n != 1 else "no_server" for n in before]
    cluster.remove(1)
    cluster.add(1, 0)
    without = Cluster(VirtualService(HTTP, "mh"), 0, 1, 1)
    after = [cluster.send(1026, client=client) for client in CLIENTS]
    assert after == [without.send(1026, client=client) for client in CLIENTS]
    assert set(after) == {2, 3}
    assert cluster.counts(1)[0] > 0  # it is the same one, with its connections


def test_mh_takes_no_service_over_that_has_more_servers_than_slots() -> None:
    cluster = Cluster(VirtualService(HTTP, "sh"))
    first = parse_address("10.2.0.0")
    for number in range(SLOTS + 1):
        cluster.table.add_server(HTTP, type(cluster.server(1))(first + number, 80))
    with pytest.raises(InvalidRequest) as caught:
        cluster.table.edit_service(VirtualService(HTTP, "mh"))
    assert caught.value.errno == errno.EINVAL
    assert cluster.table.service(HTTP).service.scheduler == "sh"


@pytest.mark.parametrize("name", ["lblc", "lblcr"])
def test_locality_is_forgotten_when_unused_for_a_day(name: str) -> None:
    key = ServiceKey.of(Protocol.UDP, VIP, 53)
    cluster = Cluster(VirtualService(key, name), 1, 1)
    assert cluster.send(1024) == 2
    cluster.add(3)  # nobody has connections for long: who is new to the scheduler goes to the head
    cluster.wait(80_000)
    assert cluster.send(1024) == 2
    cluster.wait(100_000)
    assert cluster.send(1024) == 3


def test_a_scheduler_none_never_has_a_server() -> None:
    assert Cluster(VirtualService(HTTP, "none"), 1).send(1024) == "no_server"
