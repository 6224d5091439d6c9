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
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest
from data_plane import HTTP, DataPlane, real
from frames import ACK, SYN, ipv4, ipv6, tcp, udp
from histories import (
    ANY,
    ERROR,
    FTP,
    HISTORIES,
    PIECES,
    Answer,
    Estimate,
    Histories,
    Send,
    Server,
    Service,
    Step,
    Wait,
    frame_of,
    histories,
    ports_of,
)
from hypothesis import HealthCheck, given, settings
from test_fragments import PIECE, pieces
from test_quotes import icmp4, icmp6

from directrix.lvs import Address, Connection, Protocol, TableError
from directrix.lvs.tcp import TcpFlags
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable, Packet, Reply
from directrix.table.memory.packet import Fragment, Verdict
from directrix.table.xdp import layout
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root

PASSED = ("not_ours", "no_service", "no_connection", "unknown_quote", "fragment")
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
    identification: int = 0

    def do(self, step: Step) -> None:
        """Do a step to both, and see that they agree."""
        if isinstance(step, Send):
            self._send(step)
        elif isinstance(step, Answer):
            self._answer(step)
        elif isinstance(step, Wait):
            self._wait(step.seconds)
        elif isinstance(step, Estimate):
            self.plane.estimate()
            self.memory.tick()
        else:
            assert _refusal(step.do, self.table) == _refusal(step.do, self.memory), step
            self.plane.freeze_hops()
        assert self._listing(self.table) == self._listing(self.memory), step

    def _error(self, step: Send) -> None:
        """An ICMP error with the first eight bytes of what the real server has sent."""
        ends = step.virtual, step.address
        frame = _about(ends, (step.target, step.client_port), step.protocol, step.virtual)
        about = Packet(step.protocol, step.address, step.client_port, step.virtual, step.target)
        self._compare(step, step.hook, frame, self.memory.error(about, len(frame) - 14, self.now))

    def _pieces(self, sent: Packet | Reply, hook: str, step: Step) -> None:
        """A datagram or a segment in three fragments."""
        self.identification += 1
        data = bytes(1000)
        ports = ports_of(sent)
        whole = tcp(*ports, sent.tcp_flags, data) if sent.protocol is Protocol.TCP else udp(*ports, data)
        ends = sent.target, whole, self.identification, int(sent.protocol), sent.source
        for at, frame in enumerate(pieces(*ends)):
            header = 20 if sent.target.version == 4 else 40
            carried = min(len(whole) - at * PIECE, PIECE)
            part = Fragment(self.identification, at * PIECE, carried)
            one = replace(sent, length=carried if at else header + carried, fragment=part)
            self._compare(step, hook, frame, self._direct(one), first=not at)

    def _direct(self, sent: Packet | Reply) -> Verdict:
        if isinstance(sent, Reply):
            return self.memory.reply(sent, self.now)
        return self.memory.packet(sent, self.now)

    def _compare(self, step: Step, hook: str, frame: bytes, wanted: Verdict, *, first: bool = True) -> None:
        name, after = self.plane.deliver(hook, frame)
        ours = "passed" if name in PASSED else name
        assert ours == ("passed" if wanted.name in PASSED else str(wanted.name)), step
        if wanted.server is not None and isinstance(step, Send):
            assert real(after[5], step.virtual.version) == wanted.server.address, step
        if wanted.rewritten is not None:
            whole = first and (not isinstance(step, Send) or step.form != ERROR)
            assert _end_of(after, source=isinstance(step, Answer), ports=whole) == (
                (wanted.rewritten[0], wanted.rewritten[1] if whole else 0)
            ), step

    def _send(self, step: Send) -> None:
        self.plane.keep_hops()
        if step.form == ERROR:
            self._error(step)
            return
        parts = (step.address, step.client_port, step.virtual, step.target)
        flags = TcpFlags(step.flags) if step.protocol is Protocol.TCP else TcpFlags.NONE
        self._deliver(Packet(step.protocol, *parts, flags, sctp_chunks=step.chunks), step.hook, step.form, step)

    def _answer(self, step: Answer) -> None:
        """What a real server sends, or an ICMP error about what it was sent."""
        self.plane.keep_hops()
        sent, reply = step.sent, step.reply(self.memory.connections())
        if sent.form == ERROR:
            frame = _about((reply.client, reply.server), ports_of(reply)[::-1], reply.protocol, reply.client)
            self._compare(
                step, sent.hook, frame, self.memory.reply_error(reply, len(frame) - 14, self.now), first=False
            )
            return
        self._deliver(reply, sent.hook, sent.form, step)

    def _deliver(self, sent: Packet | Reply, hook: str, form: str, step: Step) -> None:
        if form == PIECES and sent.protocol is not Protocol.SCTP:
            self._pieces(sent, hook, step)
            return
        frame = frame_of(sent)
        self._compare(step, hook, frame, self._direct(replace(sent, length=len(frame) - 14)))

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
        entries = sorted(_entry(c) for c in table.connections())
        return services, _handshakes(table), set(table.marks()), table.totals(), entries


def _about(ends: tuple[Address, Address], ports: tuple[int, int], protocol: int, to: Address) -> bytes:
    """An ICMP error with the first eight bytes of a packet."""
    transport = tcp(*ports, ACK)
    if to.version == 4:
        return icmp4(3, 4, ipv4(transport, protocol, *ends)[:28], to=to)
    return icmp6(2, 0, ipv6(transport, protocol, *ends)[:48], to=to)


def _end_of(frame: bytes, *, source: bool, ports: bool) -> tuple[Address, int]:
    """Address and port that a frame's packet comes from or goes to; port 0 if it is not asked for."""
    if frame[12:14] == b"\x08\x00":
        at, size, transport = 14 + (12 if source else 16), 4, 34
    else:
        at, size, transport = 14 + (8 if source else 24), 16, 54
        transport += 8 if frame[14 + 6] == 44 else 0
    where = transport + (0 if source else 2)
    port = int.from_bytes(frame[where : where + 2], "big") if ports else 0
    return ip_address(frame[at : at + size]), port


def _handshakes(table: Table) -> object:
    """What clients' handshakes tell, but for the times that the completed ones took."""
    found = table.handshakes()
    assert found is not None
    return {
        (key, server): (replace(one, times=()), sum(one.times))
        for key, servers in found.items()
        for server, one in servers.items()
    }


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
