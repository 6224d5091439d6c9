"""A rehearsal refuses what a table refuses, and knows the way back."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey, TableError, VirtualService, parse_address
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable
from directrix.table.rehearsal import Rehearsal

Change = Callable[[Table | Rehearsal], None]

KEYS = st.sampled_from(
    [
        ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 80),
        ServiceKey.of(Protocol.UDP, parse_address("fd00::1"), 53),
        ServiceKey.mark(5),
    ]
)
ADDRESSES = st.sampled_from([parse_address(text) for text in ("10.0.0.11", "10.0.0.12", "fd00::11", "224.0.0.1")])
SERVICES = st.builds(
    VirtualService,
    KEYS,
    st.sampled_from(["rr", "wlc", "none", "nonsense"]),
    netmask=st.sampled_from([64, 255]),
    engine=st.sampled_from(["", "sip", "sop"]),
)
SERVERS = st.builds(
    RealServer,
    ADDRESSES,
    st.just(80),
    st.sampled_from([ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL]),
    weight=st.integers(-1, 2),
    upper_threshold=st.integers(0, 1),
    lower_threshold=st.integers(0, 1),
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    SERVICES.map(lambda service: lambda table: table.add_service(service)),
    SERVICES.map(lambda service: lambda table: table.edit_service(service)),
    KEYS.map(lambda key: lambda table: table.delete_service(key)),
    st.just(lambda table: table.flush()),
    *[st.tuples(KEYS, SERVERS).map(lambda given: lambda table: table.add_server(*given))] * 3,
    st.tuples(KEYS, SERVERS).map(lambda given: lambda table: table.edit_server(*given)),
    st.tuples(KEYS, ADDRESSES).map(lambda given: lambda table: table.delete_server(*given, 80)),
)


def outcome(change: Change, table: Table | Rehearsal) -> int:
    """The error number with which it is refused; 0 if it isn't."""
    try:
        change(table)
    except TableError as error:
        return error.errno
    return 0


def content(table: Table) -> dict[VirtualService, list[RealServer]]:
    return {state.service: [server.server for server in state.servers] for state in table.services()}


@given(st.lists(CHANGES, max_size=12), st.lists(CHANGES, max_size=12))
def test_it_refuses_what_a_table_refuses_and_brings_back_what_was(first: list[Change], then: list[Change]) -> None:
    table = MemoryTable()
    for change in first:
        outcome(change, table)
    before, was = Rehearsal(table.services()), content(table)
    now = Rehearsal(table.services())
    for change in then:
        assert outcome(change, now) == outcome(change, table)
    now.bring_back(table, before)
    assert content(table) == was


def test_real_servers_that_never_left_are_not_touched_on_the_way_back() -> None:
    key = ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 80)
    first, second = (RealServer(parse_address(f"10.0.0.1{last}"), 80) for last in (1, 2))
    seen: list[str] = []

    class Watched(MemoryTable):
        def add_server(self, key: ServiceKey, server: RealServer) -> None:
            seen.append(str(server.address))
            super().add_server(key, server)

    table = Watched()
    table.add_service(VirtualService(key, "rr"))
    for server in (first, second):
        table.add_server(key, server)
    before, now = Rehearsal(table.services()), Rehearsal(table.services())
    for one in (table, now):
        one.delete_server(key, second.address, 80)
    seen.clear()
    now.bring_back(table, before)
    assert seen == ["10.0.0.12"]
