"""Budgets of new connections in the data plane."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

import pytest
from data_plane import DNS, HTTP, HTTP6, VIP, VIP6, DataPlane
from frames import ACK, RST, SYN, TCP, UDP, packet
from hooks import HOOKS

from directrix.lvs import Address, ServiceKey
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.errors import InvalidRequest, NoSuchService
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

SLOW = 3600
"""A period in which nothing comes back while a test runs."""


def verdicts(
    plane: DataPlane, count: int, hook: str = "xdp", to: Address = VIP, client: Address | None = None, port: int = 1001
) -> Counter[str]:
    """What becomes of SYNs from so many ports of a client."""
    run = getattr(plane, hook)
    return Counter(plane.verdict_of(run, packet(TCP, to, 80, port + number, SYN, client))[0] for number in range(count))


@HOOKS
@pytest.mark.parametrize("key", [HTTP, HTTP6])
def test_a_service_gets_so_many_new_connections_at_once_and_others_as_they_come_back(
    plane: DataPlane, hook: str, key: ServiceKey
) -> None:
    to = VIP if key == HTTP else VIP6
    plane.serve(key, 1)
    plane.table.set_budget(key, Budget(Rate(5, 1, burst=10)))
    assert verdicts(plane, 15, hook, to) == {"forwarded": 10, "over_budget": 5}
    (state,) = plane.table.budgets().values()
    assert (state.over, state.source_over, state.left) == (5, 0, 0)
    plane.wait_for(lambda: plane.table.budgets()[key].left == 2)
    plane.keep_hops()
    assert verdicts(plane, 4, hook, to, port=2001)["forwarded"] in (2, 3)


def test_packets_of_connections_that_are_there_cost_nothing(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    verdicts(plane, 3)
    plane.table.set_budget(HTTP, Budget(Rate(1, SLOW, burst=1)))
    for port in (1001, 1002, 1003):
        for flags in (SYN, ACK, ACK):
            assert plane.verdict_of(plane.xdp, packet(TCP, VIP, 80, port, flags))[0] == "forwarded"
    assert plane.table.budgets()[HTTP].left == 1
    # nor what may start none
    assert plane.verdict_of(plane.xdp, packet(TCP, VIP, 80, 1004, ACK))[0] == "no_connection"
    assert plane.table.budgets()[HTTP].left == 1


def test_it_is_the_services_own(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    plane.table.set_budget(HTTP, Budget(Rate(1, SLOW, burst=1)))
    assert verdicts(plane, 3) == {"forwarded": 1, "over_budget": 2}
    for port in range(5):
        assert plane.verdict_of(plane.xdp, packet(UDP, VIP, 53, 1001 + port))[0] == "forwarded"


def test_a_datagram_that_starts_a_flow_counts_too(plane: DataPlane) -> None:
    plane.serve(DNS, 1)
    plane.table.set_budget(DNS, Budget(Rate(1, SLOW, burst=2)))
    ends = [plane.verdict_of(plane.tc, packet(UDP, VIP, 53, port))[0] for port in (1, 2, 1, 3)]
    assert ends == ["forwarded", "forwarded", "forwarded", "over_budget"]


@HOOKS
def test_each_source_has_its_own_share(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_budget(HTTP, Budget(source=Rate(1, SLOW, burst=3)))
    for number in range(1, 30):
        client = ip_address("198.51.100.0") + number
        assert verdicts(plane, 5, hook, client=client) == {"forwarded": 3, "over_budget": 2}
    assert plane.table.budgets()[HTTP].source_over == 2 * 29
    assert plane.table.budgets()[HTTP].left is None


@pytest.mark.parametrize(
    ("to", "same", "other"),
    [
        (VIP, ("198.51.100.1", "198.51.100.250"), "198.51.101.1"),
        (VIP6, ("2001:db8:0:1::1", "2001:db8:0:1:ffff::1"), "2001:db8:0:2::1"),
    ],
)
def test_a_source_is_a_network(plane: DataPlane, to: Address, same: tuple[str, str], other: str) -> None:
    key = HTTP if to == VIP else HTTP6
    plane.serve(key, 1)
    plane.table.set_budget(key, Budget(source=Rate(1, SLOW, burst=3), prefix4=24, prefix6=64))
    assert verdicts(plane, 2, to=to, client=ip_address(same[0]))["forwarded"] == 2
    assert verdicts(plane, 2, to=to, client=ip_address(same[1]))["forwarded"] == 1
    assert verdicts(plane, 4, to=to, client=ip_address(other))["forwarded"] == 3


def test_what_a_source_is_refused_takes_nothing_from_the_others(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_budget(HTTP, Budget(Rate(1, SLOW, burst=10), Rate(1, SLOW, burst=2)))
    assert verdicts(plane, 50, client=ip_address("198.51.100.1")) == {"forwarded": 2, "over_budget": 48}
    assert plane.table.budgets()[HTTP].left == 8


def test_set_anew_it_forgets_what_was_taken(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    for _ in range(2):
        plane.table.set_budget(HTTP, Budget(Rate(1, SLOW, burst=5), Rate(1, SLOW, burst=5)))
        assert verdicts(plane, 6, port=1001 + plane.front("connections")) == {"forwarded": 5, "over_budget": 1}


def test_a_greedy_source_is_not_forgotten_for_thousands_of_others(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    # ten a second each: after a tenth the cell of one that came once is free again
    plane.table.set_budget(HTTP, Budget(source=Rate(10, 1, burst=10)))
    greedy = ip_address("198.51.100.1")
    assert verdicts(plane, 12, client=greedy)["over_budget"] >= 1
    ports = iter(range(2001, 9000))
    for number in range(3000):
        plane.xdp(packet(TCP, VIP, 80, 1001, SYN, ip_address("10.128.0.0") + number))
        plane.xdp(packet(TCP, VIP, 80, 1001, SYN | RST, ip_address("10.128.0.0") + number))
        if number % 100 == 0:
            plane.keep_hops()
            plane.xdp(packet(TCP, VIP, 80, next(ports), SYN, greedy))
    plane.keep_hops()
    refused = sum(
        plane.verdict_of(plane.xdp, packet(TCP, VIP, 80, next(ports), SYN, greedy))[0] == "over_budget"
        for _ in range(30)
    )
    assert refused >= 15


def test_many_sources_that_come_once_are_all_let_in(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_budget(HTTP, Budget(source=Rate(1, SLOW, burst=1)))
    for number in range(900):
        plane.xdp(packet(TCP, VIP, 80, 1001, SYN, ip_address("10.128.0.0") + number))
    assert plane.front("connections") == 900
    assert plane.table.budgets()[HTTP].source_over == 0


def test_in_a_flood_a_syn_counts_and_the_clients_second_packet_does_not(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_budget(HTTP, Budget(Rate(1, SLOW, burst=4)))
    plane.table.set_sysctls({"flood_defence": 3})
    plane.wait_for(lambda: plane.front("flood") == layout.FLOOD_ON)
    plane.keep_hops()
    assert verdicts(plane, 6) == {"forwarded": 4, "over_budget": 2}
    for port in range(1001, 1005):
        assert plane.verdict_of(plane.xdp, packet(TCP, VIP, 80, port, ACK))[0] == "forwarded"
    assert plane.front("connections") == 4


def test_it_goes_with_its_service_and_new_connections_are_asked_no_more(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    for key in (HTTP, DNS):
        plane.table.set_budget(key, Budget(Rate(1, 1, burst=1)))
    plane.table.delete_service(HTTP)
    assert plane.front("guards") == layout.GUARD_BUDGETS
    assert list(plane.table.budgets()) == [DNS]
    plane.table.set_budget(DNS, None)
    assert plane.front("guards") == 0
    plane.serve(HTTP, 1)
    assert plane.table.budgets() == {}
    assert verdicts(plane, 20) == {"forwarded": 20}


def test_many_are_set_at_once_or_none(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    some, other = Budget(Rate(7, 60, burst=9)), Budget(source=Rate(3, 1, burst=2), prefix4=16)
    plane.table.set_budget(HTTP, some)
    with pytest.raises(NoSuchService):
        plane.table.set_budgets({DNS: other, HTTP6: some})
    with pytest.raises(InvalidRequest):
        plane.table.set_budgets({DNS: other, HTTP: Budget()})
    assert {key: state.budget for key, state in plane.table.budgets().items()} == {HTTP: some}
    plane.table.set_budgets({DNS: other})
    assert {key: state.budget for key, state in plane.table.budgets().items()} == {DNS: other}
