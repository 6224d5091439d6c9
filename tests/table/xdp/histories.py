"""Histories of a table: what operators command and clients send, drawn at random by Hypothesis.

A kind of step is a class that does it, and a line in `KINDS` that says how to draw it and how
often. A kind of history is a line in `HISTORIES`: the services there may be, and what is tried
with them. A feature comes in as a value that is drawn, or as a kind of step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from data_plane import DIAMETER, DIAMETER6, DNS, DNS6, HTTP, HTTP6, VIP, VIP6, real, service
from frames import ACK, FIN, RST, SYN, association, packet
from hypothesis import strategies as st
from mark_contract import a_match

from directrix.lvs import (
    Address,
    Connection,
    ConnectionFlags,
    Family,
    ForwardingMethod,
    MarkRule,
    Protocol,
    RealServer,
    ServiceKey,
)
from directrix.lvs.sctp import SctpChunk
from directrix.lvs.tcp import TcpFlags
from directrix.table.interface import Table
from directrix.table.memory import Packet, Reply
from directrix.table.xdp import layout

ANY = ServiceKey.of(Protocol.TCP, VIP, 0)
FTP = ServiceKey.of(Protocol.TCP, VIP, 21)
ANY6 = ServiceKey.of(Protocol.UDP, VIP6, 0)
ANY_SCTP = ServiceKey.of(Protocol.SCTP, VIP, 0)

MARK, MARK6 = ServiceKey.mark(5), ServiceKey.mark(5, Family.INET6)
MATCHES = [
    a_match(str(VIP)),
    a_match(str(VIP), first=80, last=443),
    a_match(str(VIP), protocol=None, first=0, last=65535),
    a_match("10.0.0.0/8", protocol=Protocol.UDP, first=0, last=65535),
    a_match(str(VIP6), protocol=None, first=0, last=65535),
    a_match("::/0", first=443),
]

SCHEDULERS = [name for name in layout.SCHEDULERS if name != "twos"]
"""All that don't draw at random themselves."""

FLAGS = [SYN, SYN, SYN, SYN, ACK, FIN | ACK, RST, 0]
CHUNKS = [*[SctpChunk.INIT] * 6, *[SctpChunk.COOKIE_ECHO] * 3, *SctpChunk, 200]
CHUNKS_BEHIND = [(), (SctpChunk.DATA,), (SctpChunk.ABORT,)]
CLIENT_PORTS = [1024, 1025, 1026, 1027, 1028, 20]
PORTS = [0, 0, 0, 0, 0, 20, 2000, 80]
"""Ports that clients send to; 0 is the service's own."""

HOOKS = ["xdp", "tc"]

SYSCTLS = {
    "conn_reuse_mode": [0, 1, 2, 3],
    "drop_packet": [0, 0, 3],
    "am_droprate": [1, 3],
    "expire_nodest_conn": [0, 1],
    "expire_quiescent_template": [0, 1],
    "secure_tcp": [0, 3],
    "sloppy_sctp": [0, 1],
    "sloppy_tcp": [0, 1],
}
"""Those that decide about packets, and values that make a difference."""

WHOLE, PIECES, ERROR = "whole", "pieces", "error"
FORMS = [WHOLE] * 6 + [PIECES, ERROR]
"""A packet as it is; in three fragments; or an ICMP error about one that a real server has sent back."""


@dataclass(frozen=True)
class Histories:
    """What a kind of history is about."""

    keys: tuple[ServiceKey, ...]
    persistence: tuple[int, ...] = (0,)
    waits: tuple[int, ...] = ()
    sysctls: bool = False
    masquerade: bool = False


HISTORIES = {
    "every kind of service": Histories((HTTP, HTTP6, DNS, DNS6, DIAMETER, DIAMETER6, ANY, FTP, ANY6), (0, 0, 100)),
    "one persistent service": Histories((HTTP,), (100,)),
    "ports shared by services": Histories((HTTP, ANY, FTP), (0, 100)),
    "firewall marks": Histories((MARK, MARK6, MARK, HTTP, FTP, DNS6), (0, 100)),
    "SCTP alone": Histories((DIAMETER, DIAMETER6, ANY_SCTP), (0, 100)),
    "TCP and time": Histories((HTTP, HTTP6), waits=(4, 12, 64)),
    "SCTP and time": Histories((DIAMETER, DIAMETER6), waits=(4, 12, 64)),
    "sysctls": Histories((HTTP, DIAMETER, HTTP6, DIAMETER6, DNS), (0, 100), sysctls=True),
    "masquerading": Histories((HTTP, HTTP6, DNS, DNS6, DIAMETER, DIAMETER6, ANY, MARK), (0, 0, 100), masquerade=True),
    "masquerading TCP": Histories((HTTP,), masquerade=True),
    "masquerading and time": Histories((HTTP, DNS6, DIAMETER), waits=(4, 12, 64), masquerade=True),
    "masquerading and sysctls": Histories((HTTP, DIAMETER6, DNS), (0, 100), sysctls=True, masquerade=True),
}

MASQUERADED_PORT = 8080
"""Of masqueraded real servers, so that they are others than those of the same address by direct routing."""


@dataclass(frozen=True)
class Service:
    """Make a service, or edit it if it is there."""

    key: ServiceKey
    scheduler: str
    persistence: int
    wide: bool
    one_packet: bool

    def do(self, table: Table) -> None:
        values: dict[str, Any] = {"persistence": self.persistence, "one_packet": self.one_packet}
        if self.wide:
            values["netmask"] = 0xFFFFFFFE if self.key.family is Family.INET else 127
        wanted = service(self.key, self.scheduler, **values)
        if any(state.service.key == self.key for state in table.services()):
            table.edit_service(wanted)
        else:
            table.add_service(wanted)


@dataclass(frozen=True)
class Server:
    """Add a real server, or edit it if it is there."""

    key: ServiceKey
    number: int
    weight: int
    upper: int
    lower: int
    masquerade: bool = False

    def do(self, table: Table) -> None:
        address = real(self.number, 4 if self.key.family is Family.INET else 6)
        server = RealServer(
            address,
            MASQUERADED_PORT if self.masquerade else self.key.port,
            ForwardingMethod.MASQUERADE if self.masquerade else ForwardingMethod.DIRECT,
            weight=self.weight,
            upper_threshold=self.upper,
            lower_threshold=self.lower,
        )
        if any(state.server.key == server.key for state in table.service(self.key).servers):
            table.edit_server(self.key, server)
        else:
            table.add_server(self.key, server)


@dataclass(frozen=True)
class Remove:
    """Remove a real server."""

    key: ServiceKey
    number: int
    masquerade: bool = False

    def do(self, table: Table) -> None:
        address = real(self.number, 4 if self.key.family is Family.INET else 6)
        table.delete_server(self.key, address, MASQUERADED_PORT if self.masquerade else self.key.port)


@dataclass(frozen=True)
class Mark:
    """Add a mark rule, or remove it if there is one for these packets."""

    rule: MarkRule

    def do(self, table: Table) -> None:
        if any(rule.match == self.rule.match for rule in table.marks()):
            table.remove_mark(self.rule.match)
        else:
            table.add_mark(self.rule)


@dataclass(frozen=True)
class Command:
    """A command that needs no more than a service."""

    name: str
    key: ServiceKey

    def do(self, table: Table) -> None:
        if self.name == "flush":
            table.flush()
        elif self.name == "zero all":
            table.zero()
        elif self.name == "zero":
            table.zero(self.key)
        else:
            table.delete_service(self.key)


@dataclass(frozen=True)
class Set:
    """Set a sysctl."""

    name: str
    value: int

    def do(self, table: Table) -> None:
        table.set_sysctls({self.name: self.value})


@dataclass(frozen=True)
class Send:
    """A packet of a client: TCP with these flags, UDP, or SCTP with these chunks; or in another form (FORMS)."""

    key: ServiceKey
    client: int
    client_port: int
    port: int
    flags: int
    chunks: tuple[int, ...]
    hook: str
    form: str = WHOLE

    @property
    def address(self) -> Address:
        base = ip_address("192.0.2.8" if self.key.family is Family.INET else "2001:db8::8")
        return base + self.client

    @property
    def protocol(self) -> Protocol:
        """Of a mark service, by the client's port."""
        return self.key.protocol or (Protocol.TCP, Protocol.UDP, Protocol.SCTP)[self.client_port % 3]

    @property
    def virtual(self) -> Address:
        return self.key.address or (VIP if self.key.family is Family.INET else VIP6)

    @property
    def target(self) -> int:
        return self.port or self.key.port or 443


@dataclass(frozen=True)
class Answer:
    """A packet of a real server: of the connection `which` if there is one and this isn't 0, else as it comes.

    What is not of the connection is that of `sent`, with real server `number` and its `port` in the place of
    the virtual service.
    """

    sent: Send
    which: int
    number: int
    port: int

    @property
    def server(self) -> Address:
        return real(self.number, 4 if self.sent.key.family is Family.INET else 6)

    def reply(self, connections: Iterable[Connection]) -> Reply:
        """The packet itself, where these are the connections."""
        sent, server = self.sent, self.server
        protocol, ends = sent.protocol, (server, self.port, sent.address, sent.client_port)
        there = sorted(
            (c.protocol, c.server, c.server_port, c.client, c.client_port)
            for c in connections
            if not c.flags & (ConnectionFlags.NO_OUTPUT | ConnectionFlags.TEMPLATE)
            and c.server.version == server.version
        )
        if there and self.which:
            number, *ends_there = there[self.which % len(there)]
            protocol, ends = Protocol(number), tuple(ends_there)  # type: ignore[assignment]
        flags = TcpFlags(sent.flags) if protocol is Protocol.TCP else TcpFlags.NONE
        return Reply(protocol, *ends, flags, sctp_chunks=sent.chunks)


def ports_of(sent: Packet | Reply) -> tuple[int, int]:
    """Source and destination."""
    if isinstance(sent, Reply):
        return sent.server_port, sent.client_port
    return sent.client_port, sent.virtual_port


def frame_of(sent: Packet | Reply) -> bytes:
    """The frame that carries it whole."""
    source_port, port = ports_of(sent)
    if sent.protocol is Protocol.SCTP:
        return association(sent.target, port, *sent.sctp_chunks, client_port=source_port, client=sent.source)
    return packet(int(sent.protocol), sent.target, port, source_port, int(sent.tcp_flags), sent.source)


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Estimate:
    """The estimator has its turn."""


Step = Service | Server | Remove | Mark | Command | Set | Send | Answer | Wait | Estimate


def _service(of: Histories) -> st.SearchStrategy[Step]:
    persistence = st.sampled_from(of.persistence)
    return st.builds(Service, _key(of), st.sampled_from(SCHEDULERS), persistence, st.booleans(), st.booleans())


def _server(of: Histories) -> st.SearchStrategy[Step]:
    upper = st.sampled_from([0, 0, 0, 1, 2, 3])
    return st.builds(Server, _key(of), _NUMBER, st.integers(0, 4), upper, st.just(0), _masquerade(of))


def _bounded(of: Histories) -> st.SearchStrategy[Step]:
    bounds = st.integers(2, 4), st.integers(0, 3)
    return st.builds(Server, _key(of), _NUMBER, st.integers(1, 2), *bounds, _masquerade(of))


def _remove(of: Histories) -> st.SearchStrategy[Step]:
    return st.builds(Remove, _key(of), _NUMBER, _masquerade(of))


def _masquerade(of: Histories) -> st.SearchStrategy[bool]:
    return st.sampled_from([True, True, True, False]) if of.masquerade else st.just(False)


def _answer(of: Histories) -> st.SearchStrategy[Step]:
    if not of.masquerade:
        return st.nothing()
    ports = st.sampled_from([MASQUERADED_PORT, 80, 2000, 443])
    return st.builds(Answer, _send(of), st.integers(0, 9), _NUMBER, ports)


def _command(of: Histories) -> st.SearchStrategy[Step]:
    return st.builds(Command, st.sampled_from(["flush", "zero", "zero all", "delete"]), _key(of))


def _send(of: Histories) -> st.SearchStrategy[Step]:
    client_port, port = st.sampled_from(CLIENT_PORTS), st.sampled_from(PORTS)
    flags = st.sampled_from(FLAGS).map(int)
    chunks = st.tuples(st.sampled_from(CHUNKS), st.sampled_from(CHUNKS_BEHIND)).map(lambda both: (both[0], *both[1]))
    client, hook, form = st.integers(0, 3), st.sampled_from(HOOKS), st.sampled_from(FORMS)
    return st.builds(Send, _key(of), client, client_port, port, flags, chunks, hook, form)


def _mark(of: Histories) -> st.SearchStrategy[Step]:
    if MARK not in of.keys:
        return st.nothing()
    return st.builds(Mark, st.builds(MarkRule, st.sampled_from(MATCHES), st.sampled_from([5, 5, 5, 6])))


def _set(of: Histories) -> st.SearchStrategy[Step]:
    if not of.sysctls:
        return st.nothing()
    return st.sampled_from([Set(name, value) for name, values in SYSCTLS.items() for value in values])


def _wait(of: Histories) -> st.SearchStrategy[Step]:
    return st.builds(Wait, st.sampled_from(of.waits)) if of.waits else st.nothing()


def _estimate(of: Histories) -> st.SearchStrategy[Step]:
    return st.builds(Estimate)


def _key(of: Histories) -> st.SearchStrategy[ServiceKey]:
    return st.sampled_from(of.keys)


_NUMBER = st.integers(1, 4)

KINDS: list[tuple[int, Callable[[Histories], st.SearchStrategy[Step]]]] = [
    (10, _send),
    (6, _answer),
    (3, _server),
    (1, _bounded),
    (1, _remove),
    (1, _service),
    (1, _command),
    (1, _estimate),
    (3, _mark),
    (3, _set),
    (1, _wait),
]
"""How often each kind of step is drawn beside the others, and how."""


def histories(of: Histories) -> st.SearchStrategy[list[Step]]:
    """Histories of this kind; each begins with a service of two real servers, the others come soon enough.

    Masquerading has connections to begin with, too: without them there is nothing to answer.
    """

    def beginning(made: Any) -> list[Step]:
        begun: list[Step] = [made, *(Server(made.key, n, n, 0, 0, of.masquerade) for n in (1, 2))]
        if of.masquerade:
            begun += [Send(made.key, n, CLIENT_PORTS[n], 0, SYN, (SctpChunk.INIT,), HOOKS[n % 2]) for n in range(3)]
        return begun

    kinds = [strategy for times, draw in KINDS if not (strategy := draw(of)).is_empty for _ in range(times)]
    rest = st.lists(st.one_of(*kinds), min_size=10, max_size=60)
    return st.tuples(_service(of).map(beginning), rest).map(lambda both: [*both[0], *both[1]])
