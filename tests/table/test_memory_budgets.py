"""Budgets of new connections in the memory table."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from directrix.explain.explaining import explain
from directrix.explain.surroundings import Surroundings
from directrix.explain.view import memory_table
from directrix.lvs import Address, Protocol, RealServer, ServiceKey, VirtualService
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.errors import InvalidRequest, NoSuchService
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import MemoryTable, Packet

WEB = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
CLIENT = ip_address("192.0.2.1")


@pytest.fixture
def table() -> MemoryTable:
    made = MemoryTable()
    made.add_service(VirtualService(WEB, "rr"))
    made.add_server(WEB, RealServer(ip_address("10.0.0.11"), 80))
    return made


def syn(port: int, client: Address = CLIENT) -> Packet:
    assert WEB.address is not None
    return Packet(Protocol.TCP, client, port, WEB.address, 80, TcpFlags.SYN, 60)


def test_what_is_more_than_the_budget_is_dropped_until_some_is_there_again(table: MemoryTable) -> None:
    table.set_budget(WEB, Budget(Rate(1, 1, burst=2)))
    ends = [str(table.packet(syn(port), 5.0).name) for port in (1, 2, 3, 1, 2)]
    assert ends == ["forwarded", "forwarded", "over_budget", "forwarded", "forwarded"]
    assert str(table.packet(syn(3), 6.1).name) == "forwarded"
    assert table.budgets()[WEB].over == 1


def test_each_source_has_its_own_share_and_what_it_is_refused_takes_nothing_from_the_others(table: MemoryTable) -> None:
    table.set_budget(WEB, Budget(Rate(1, 1, burst=3), Rate(1, 1, burst=1), prefix4=24))
    assert [str(table.packet(syn(port), 5.0).name) for port in (1, 2, 3)] == ["forwarded", "over_budget", "over_budget"]
    assert str(table.packet(syn(1, ip_address("192.0.3.1")), 5.0).name) == "forwarded"
    state = table.budgets()[WEB]
    assert (state.left, state.over, state.source_over) == (1, 0, 2)


def test_it_is_explained(table: MemoryTable) -> None:
    table.set_budget(WEB, Budget(Rate(1, 1, burst=1)))
    table.packet(syn(1), 5.0)
    assert explain(memory_table(table, syn(2), 5.0), syn(2), Surroundings()).verdict == "over_budget"


def test_a_budget_goes_with_its_service_and_nothing_is_half_set(table: MemoryTable) -> None:
    other = ServiceKey.mark(1)
    table.set_budget(WEB, Budget(Rate(1, 1, burst=1)))
    with pytest.raises(NoSuchService):
        table.set_budgets({other: Budget(Rate(1, 1, burst=1))})
    with pytest.raises(InvalidRequest):
        table.set_budget(WEB, Budget())
    assert list(table.budgets()) == [WEB]
    table.delete_service(WEB)
    table.add_service(VirtualService(WEB, "rr"))
    assert table.budgets() == {}
