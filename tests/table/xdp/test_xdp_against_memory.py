"""The data plane against the memory table: whatever is commanded and sent, both do the same.

A history (histories.py) is a list of steps: commands of an operator, packets of clients, time that
passes. Each step is done to both tables; then every packet must have had the same end and the same real server,
every refusal the same error number, and both tables list the same services, counts, counters, rates
and connections.

Time passes in the data plane by moving the deadlines that lie in its table. Connections past their
time are then ended by the table's own clock, which takes up to a second: there are few such histories.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from data_plane import HTTP, DataPlane, real
from frames import SCTP, SYN, TCP, association, packet
from histories import ANY, FTP, HISTORIES, Estimate, Histories, Send, Server, Service, Step, Wait, histories
from hypothesis import HealthCheck, given, settings

from directrix.lvs import Connection, TableError
from directrix.lvs.tcp import TcpFlags
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable, Packet
from directrix.table.xdp import layout
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root

PASSED = ("not_ours", "no_service", "no_connection")
"""Why a packet is passed on to the host is told in other words where that costs less."""

RECKONING = 0.1
"""Seconds that the tick the tests reckon with may be behind the data plane's, at most."""


@dataclass
class Both:
    """The two tables. Of the data plane's, as it is: the plane's own would estimate whenever it is asked."""

    plane: DataPlane
    table: Table
    memory: MemoryTable = field(default_factory=MemoryTable)
    now: float = 0.0

    def do(self, step: Step) -> None:
        """Do a step to both, and see that they agree."""
        if isinstance(step, Send):
            self._send(step)
        elif isinstance(step, Wait):
            self._wait(step.seconds)
        elif isinstance(step, Estimate):
            self.plane.estimate()
            self.memory.tick()
        else:
            assert _refusal(step.do, self.table) == _refusal(step.do, self.memory), step
            self.plane.freeze_hops()
        assert self._listing(self.table) == self._listing(self.memory), step

    def _send(self, step: Send) -> None:
        self.plane.keep_hops()
        protocol = int(step.protocol)
        if protocol == SCTP:
            ends = {"client_port": step.client_port, "client": step.address}
            frame = association(step.virtual, step.target, *step.chunks, **ends)
        else:
            frame = packet(protocol, step.virtual, step.target, step.client_port, step.flags, step.address)
        flags = TcpFlags(step.flags) if protocol == TCP else TcpFlags.NONE
        parts = (step.address, step.client_port, step.virtual, step.target)
        sent = Packet(step.protocol, *parts, flags, len(frame) - 14, sctp_chunks=step.chunks)
        wanted = self.memory.packet(sent, self.now)
        name, after = self.plane.deliver(step.hook, frame)
        ours = "passed" if name in PASSED else name
        assert ours == ("passed" if wanted.name in PASSED else str(wanted.name)), step
        if wanted.server is not None:
            assert real(after[5], step.virtual.version) == wanted.server.address, step

    def _wait(self, seconds: int) -> None:
        self.now += seconds
        self.memory.expire(self.now)
        begun = self.plane.tick()
        self.plane.age(seconds)
        self.plane.wait_for(lambda: not self._past_their_time())
        # The wait for the clock is no time of the history: given back, or several of them would add up.
        self.plane.age(-self.plane.ticks.to_seconds(self.plane.tick() - begun))

    def _past_their_time(self) -> bool:
        """Whether the clock has still to end a connection; one whose time is right now, too."""
        now = self.plane.tick() + self.plane.ticks.from_seconds(RECKONING)
        slots = (raw for _, raw in self.plane.slots() if not raw[8] & layout.CONNECTION_DEAD)
        return any((now - raw[7]) & 0xFFFFFFFF < 1 << 31 for raw in slots)

    @staticmethod
    def _listing(table: Table) -> object:
        services = {
            state.service.key: (
                state.service,
                (state.counters, state.rates),
                state.servers,
            )
            for state in table.services()
        }
        return services, set(table.marks()), table.totals(), sorted(_entry(c) for c in table.connections())


def _entry(c: Connection) -> tuple[object, ...]:
    """A connection but for the seconds it has left, in a form that sorts."""
    return (c.protocol, str(c.client), c.client_port, str(c.virtual), c.virtual_port, str(c.server), c.server_port,
            c.state, int(c.flags) & ~0x180 if c.client_port == 0 else int(c.flags))  # fmt: skip


def _refusal(do: Callable[[Table], None], table: Table) -> int:
    """The error number of a refusal, 0 if there was none."""
    try:
        do(table)
    except TableError as error:
        return error.errno
    return 0


def _go(plane: DataPlane, table: Table, history: list[Step]) -> None:
    plane.reset()
    both = Both(plane, table)
    waited = 0
    for step in history:
        if isinstance(step, Wait):
            waited += step.seconds
            if waited > 115:
                continue  # after two minutes IPVS forgets servers that were removed
        both.do(step)


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}


def _try(plane: DataPlane, of: Histories, count: int, **more: Any) -> None:
    """Histories with waits in them take a second each: there are fewer of those."""
    with closing(XdpTable(plane.place)) as table:

        @settings(max_examples=count // 20 if of.waits else count, **more, **_SETTINGS)
        @given(histories(of))
        def same(history: list[Step]) -> None:
            _go(plane, table, history)

        same()


@pytest.mark.parametrize("kind", HISTORIES)
def test_any_history_has_the_same_result(plane: DataPlane, kind: str) -> None:
    _try(plane, HISTORIES[kind], 100, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HISTORIES)
def test_thousands_of_histories_have_the_same_result(plane: DataPlane, kind: str) -> None:
    _try(plane, HISTORIES[kind], 2000)


SERVER_OF_ANOTHER = [
    Service(FTP, "rr", 100, False, False),
    Server(FTP, 1, 1, 0, 0),
    Service(ANY, "rr", 100, False, False),
    Send(FTP, 0, 1024, 0, SYN, (1,), "xdp"),
    Send(HTTP, 0, 1024, 0, SYN, (1,), "xdp"),
    Estimate(),
]


def test_a_connection_by_the_template_of_another_service_counts_for_the_one_that_took_it(plane: DataPlane) -> None:
    with closing(XdpTable(plane.place)) as table:
        _go(plane, table, SERVER_OF_ANOTHER)
        connections = {state.service.key: state.counters.connections for state in table.services()}
        packets = {state.service.key: state.counters.in_packets for state in table.services()}
    assert connections == {FTP: 1, ANY: 1}
    assert packets == {FTP: 2, ANY: 0}
