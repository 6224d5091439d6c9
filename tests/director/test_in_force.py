"""The table as the director keeps it, while it is changed in turns."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from directrix.director.in_force import InForce
from directrix.director.plan import WantedService
from directrix.director.turns import AT_ONCE, at_once, in_turns
from directrix.director.virtual import Adjusted
from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService
from directrix.lvs.errors import InvalidRequest
from directrix.table.memory import MemoryTable

KEY = ServiceKey.of(Protocol.TCP, ip_address("192.0.2.1"), 80)
SERVICE = VirtualService(KEY, "rr")
SERVERS = tuple(RealServer(ip_address(f"10.0.{number // 250}.{number % 250 + 1}"), 80) for number in range(2 * AT_ONCE))
WANTED = [WantedService(SERVICE, SERVERS)]


def weight_of(table: MemoryTable, server: RealServer) -> int | None:
    found = {entry.server.key: entry.server.weight for entry in table.service(KEY).servers}
    return found.get(server.key)


def test_what_checks_find_meanwhile_is_carried_out_at_the_end() -> None:
    table = MemoryTable()
    force = InForce(table)
    work = force.having(WANTED, lambda key: True)
    next(work)
    first, last = SERVERS[0], SERVERS[-1]
    force.adjust([Adjusted(SERVICE, {first.key: None})])
    force.adjust([Adjusted(SERVICE, {last.key: replace(last, weight=0)})])
    force.mend()
    at_once(work)
    assert weight_of(table, first) is None
    assert weight_of(table, last) == 0
    assert weight_of(table, SERVERS[1]) == 1
    assert not force.astray
    force.adjust([Adjusted(SERVICE, {first.key: first})])
    assert weight_of(table, first) == 1


def test_the_table_is_left_alone_while_it_is_held_back() -> None:
    table = MemoryTable()
    force = InForce(table)
    force.have(WANTED, lambda key: True)
    first = SERVERS[0]
    with force.held_back():
        force.adjust([Adjusted(SERVICE, {first.key: replace(first, weight=0)})])
        assert not force.settled.is_set()
        assert weight_of(table, first) == 1
    assert force.settled.is_set()
    assert weight_of(table, first) == 0


def test_after_a_refusal_all_is_astray_and_what_was_found_meanwhile_is_not_lost() -> None:
    class Full(MemoryTable):
        room = AT_ONCE

        def add_server(self, key: ServiceKey, server: RealServer) -> None:
            if len(self.service(key).servers) >= self.room:
                raise InvalidRequest("there is no room")
            super().add_server(key, server)

    table = Full()
    force = InForce(table)
    work = force.having(WANTED, lambda key: True)
    next(work)
    force.adjust([Adjusted(SERVICE, {SERVERS[0].key: replace(SERVERS[0], weight=7)})])
    with pytest.raises(InvalidRequest):
        at_once(work)
    assert force.astray == {KEY}
    table.room = len(SERVERS)
    force.mend()
    assert not force.astray
    assert weight_of(table, SERVERS[0]) == 7
    assert len(table.service(KEY).servers) == len(SERVERS)


def test_work_that_is_given_up_lets_the_table_go() -> None:
    held = []

    class Held(MemoryTable):
        def begin(self) -> None:
            held.append(self)

        def commit(self) -> None:
            held.remove(self)

    work = InForce(Held()).having(WANTED, lambda key: True)
    while not held:
        next(work)
    work.close()
    assert not held


def test_turns_give_what_the_work_gives() -> None:
    import asyncio

    changes = asyncio.run(in_turns(InForce(MemoryTable()).having(WANTED, lambda key: True)))
    assert len(changes) == 1 + len(SERVERS)
