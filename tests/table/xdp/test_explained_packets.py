"""What is explained beforehand is what happens: each packet is explained, then really sent through the data plane.

The histories are those that the data plane and the memory table are held against each other with: all
services, schedulers (but `twos`, which draws at random), thresholds, persistence, marks, removed servers.
"""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest
from data_plane import DNS, HTTP, HTTP6, VIP, DataPlane, real, service
from frames import ACK, CLIENT, CLIENT6, FIN, RST, SYN, TCP, association, packet
from histories import HISTORIES, SCHEDULERS, Answer, Estimate, Histories, Send, Step, Wait, frame_of, histories
from hypothesis import HealthCheck, given, settings
from mark_contract import a_match

from directrix.explain.explaining import Explanation, explain
from directrix.explain.surroundings import Surroundings
from directrix.explain.view import as_reply, our_table
from directrix.lvs import Address, MarkRule, Protocol, ServiceKey, TableError
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import Packet
from directrix.table.memory.connections import Key
from directrix.table.memory.keys import reply_key
from directrix.table.xdp import layout
from directrix.table.xdp.insight import Insight
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root

UNDISTURBED = Surroundings()
"""Every next hop is known here: what becomes of packets otherwise is for the tests with wires."""


def explained(plane: DataPlane, wanted: Packet) -> Explanation:
    with our_table(plane.place, wanted) as view:
        return explain(view, wanted, UNDISTURBED)


def state_now(plane: DataPlane, sent: Packet) -> tuple[str, int]:
    """State and time left of the packet's connection."""
    with closing(Insight(plane.place)) as insight:
        found = insight.find(Key(sent.protocol, sent.client, sent.client_port, sent.virtual, sent.virtual_port))
        found = found or insight.find_reply(reply_key(as_reply(sent)))
        return (found.connection.state, found.connection.expires) if found else ("", 0)


def hold(
    plane: DataPlane, wanted: Packet, hook: str = "xdp", frame: bytes = b"", stranger: str | None = None
) -> Explanation:
    """Explain a packet, send it, and see that it was as it was said, or that it is called a `stranger` by this name."""
    plane.keep_hops()
    before = content(plane)
    told = explained(plane, wanted)
    assert content(plane) == before, "explaining has changed the table"
    plane.keep_hops()
    if not frame:
        ends = (wanted.virtual, wanted.virtual_port, wanted.client_port, int(wanted.tcp_flags), wanted.client)
        frame = packet(int(wanted.protocol), *ends)
    verdict, after = plane.deliver(hook, frame)
    assert verdict in (told.verdict, stranger), (wanted, told.steps)
    assert (told.server is not None) is (verdict in ("forwarded", "replied")), (wanted, told.steps)
    if told.server is not None:
        there = wanted.client if verdict == "replied" else real(after[5], wanted.virtual.version)
        assert there == told.server.address, (wanted, told.steps)
        state, left = state_now(plane, wanted)
        assert told.state == state, (wanted, told.steps)
        assert abs(told.expires - left) <= 3 if state else left == 0
    return told


def content(plane: DataPlane) -> list[bytes]:
    """The bytes of the table that only commands and packets change."""
    maps = plane.maps
    records = ((maps.services, layout.SERVICE, "service_top"), (maps.hops, layout.HOP, "server_top"))
    found = [bytes(shared.bytes[: plane.front(top) * record.size]) for shared, record, top in records]
    for number in range(plane.front("service_top")):
        unit = layout.SERVICE.get(maps.services.bytes, number * layout.SERVICE.size, "set")
        found.append(bytes(maps.sets.bytes[unit * layout.SET_UNIT_SIZE : (unit + 1) * layout.SET_UNIT_SIZE]))
    return found


def _go(plane: DataPlane, table: XdpTable, history: list[Step]) -> None:
    plane.reset()
    waited = 0
    for step in history:
        if isinstance(step, Send):
            flags = TcpFlags(step.flags) if step.protocol is Protocol.TCP else TcpFlags.NONE
            parts = (step.address, step.client_port, step.virtual, step.target)
            frame = b""
            if step.protocol is Protocol.SCTP:
                ends = {"client_port": step.client_port, "client": step.address}
                frame = association(step.virtual, step.target, *step.chunks, **ends)
            sent = Packet(step.protocol, *parts, flags, sctp_chunks=step.chunks)
            hold(plane, sent, step.hook, frame)
        elif isinstance(step, Answer):
            reply = step.reply(table.connections())
            ends = (reply.server, reply.server_port, reply.client, reply.client_port)
            chunks = reply.sctp_chunks
            answer = Packet(reply.protocol, *ends, reply.tcp_flags, sctp_chunks=chunks)
            hold(plane, answer, step.sent.hook, frame_of(reply), "no_service")
        elif isinstance(step, Wait):
            waited += step.seconds
            if waited < 115:
                plane.age(step.seconds)
                plane.wait_for(lambda: not _past_their_time(plane))
        elif not isinstance(step, Estimate):
            try:
                step.do(table)
            except TableError:
                continue
            plane.freeze_hops()


def _past_their_time(plane: DataPlane) -> bool:
    """Whether the clock has still to end a connection; one whose time is right now, too."""
    now = plane.tick() + plane.ticks.from_seconds(0.1)
    slots = (raw for _, raw in plane.slots() if not raw[8] & layout.CONNECTION_DEAD)
    return any((now - raw[7]) & 0xFFFFFFFF < 1 << 31 for raw in slots)


def _try(plane: DataPlane, of: Histories, count: int, **more: Any) -> None:
    healthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    with closing(XdpTable(plane.place)) as table:

        @settings(max_examples=count // 10 if of.waits else count, deadline=None, suppress_health_check=healthy, **more)
        @given(histories(of))
        def foretold(history: list[Step]) -> None:
            _go(plane, table, history)

        foretold()


@pytest.mark.parametrize("kind", HISTORIES)
def test_in_any_history_every_packet_ends_as_explained(plane: DataPlane, kind: str) -> None:
    _try(plane, HISTORIES[kind], 20, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HISTORIES)
def test_in_hundreds_of_histories_every_packet_ends_as_explained(plane: DataPlane, kind: str) -> None:
    _try(plane, HISTORIES[kind], 100)


def tcp(port: int, flags: TcpFlags = SYN, client: Address = CLIENT, key: ServiceKey = HTTP) -> Packet:
    assert key.address is not None
    return Packet(Protocol.TCP, client, port, key.address, key.port, flags)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("key", [HTTP, HTTP6], ids=str)
def test_each_scheduler_is_foretold_client_after_client(plane: DataPlane, scheduler: str, key: ServiceKey) -> None:
    plane.serve(key, 3, 1, 0, 2, scheduler=scheduler)
    plane.add(key, 5, weight=2, upper=2)
    client = CLIENT if key is HTTP else real(90, 6)
    for number in range(16):
        told = hold(plane, tcp(2000 + number, client=client + number % 5, key=key))
        assert [one.server for one in told.candidates if one.left_out.startswith("quiesced")]
        if number % 3 == 0:
            hold(plane, tcp(2000 + number, ACK, client=client + number % 5, key=key))


def test_the_draw_of_twos_is_left_open(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 0, 2, scheduler="twos")
    told = explained(plane, tcp(1024))
    assert (told.verdict, told.server, told.possible) == ("forwarded", None, ["10.0.0.13:80", "10.0.0.11:80"])
    _, after = plane.deliver("xdp", packet(TCP, VIP, 80, 1024))
    assert str(real(after[5])) + ":80" in told.possible


def test_a_full_table_is_foretold(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.maps.front.words[layout.FRONT.offsets["connections"] // 4] = plane.maps.parameter("max_connections")
    assert hold(plane, tcp(1024)).verdict == "table_full"


@pytest.mark.parametrize("persistence", [0, 100])
@pytest.mark.parametrize("scheduler", ["wlc", "mh"])
@pytest.mark.parametrize("key", [HTTP, HTTP6], ids=str)
def test_what_a_flood_makes_of_packets_is_foretold(
    plane: DataPlane, key: ServiceKey, scheduler: str, persistence: int
) -> None:
    plane.serve(key, 3, 1, 0, 2, scheduler=scheduler, persistence=persistence)
    plane.table.set_sysctls({"flood_defence": 3})
    plane.wait_for(lambda: plane.front("flood") == layout.FLOOD_ON)
    client = CLIENT if key is HTTP else real(90, 6)
    for number in range(20):
        told = hold(plane, tcp(2000 + number, client=client + number % 7, key=key))
        assert (told.new, told.state) == (False, "")
        assert "under flood" in " ".join(step.says for step in told.steps)
        told = hold(plane, tcp(2000 + number, ACK, client=client + number % 7, key=key))
        assert (told.new, told.state) == (True, "ESTABLISHED")
    told = hold(plane, tcp(3000, client=client, key=key))
    plane.table.set_sysctls({"flood_defence": 0})
    plane.wait_for(lambda: plane.front("flood") == layout.FLOOD_ENDING)
    assert hold(plane, tcp(3000, client=client, key=key)).state == "SYN_RECV"
    assert hold(plane, tcp(3001, client=client, key=key)).state == "SYN_RECV"


def test_budgets_are_foretold_to_the_last_connection(plane: DataPlane) -> None:
    for key in (HTTP, HTTP6):
        plane.serve(key, 1)
        plane.table.set_budget(key, Budget(Rate(1, 3600, 6), Rate(1, 3600, 4), 24, 64))
    for key, client in ((HTTP, CLIENT), (HTTP6, CLIENT6)):
        ends = [hold(plane, tcp(2000 + number, client=client + number, key=key)).verdict for number in range(6)]
        assert ends == ["forwarded"] * 4 + ["over_budget"] * 2
        other = client + (1 << (8 if key is HTTP else 64))
        ends = [hold(plane, tcp(3000 + number, client=other, key=key)).verdict for number in range(4)]
        assert ends == ["forwarded"] * 2 + ["over_budget"] * 2


def test_addresses_that_no_packet_comes_from_are_foretold(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(HTTP6, 1)
    for text in ("127.0.0.1", "0.1.2.3", "224.0.0.1", "255.255.255.255"):
        assert hold(plane, tcp(1024, client=ip_address(text))).verdict == "malformed"
    for text in ("::1", "::", "ff02::1"):
        assert hold(plane, tcp(1024, client=ip_address(text), key=HTTP6)).verdict == "malformed"


def test_a_removed_real_servers_connections_are_foretold(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, persistence=100)
    first = hold(plane, tcp(1024)).server
    assert first is not None
    plane.table.delete_server(HTTP, first.address, 80)
    assert hold(plane, tcp(1024, ACK)).verdict == "server_gone"
    told = hold(plane, tcp(1025))
    assert told.server is not None
    assert told.server.address != first.address
    assert any("removed" in step.says for step in told.steps if step.topic == "template")


def test_what_is_told_names_rule_service_and_template(plane: DataPlane) -> None:
    mark = ServiceKey.mark(7)
    plane.table.add_service(service(mark, "wrr", persistence=60))
    plane.table.add_server(mark, plane.real_server(HTTP, 1))
    plane.table.add_mark(MarkRule(a_match(str(VIP), first=80, last=90), 7))
    plane.freeze_hops()
    told = {step.topic: step.says for step in hold(plane, tcp(1024)).steps}
    assert told["mark"] == "the rule for TCP 10.0.0.1:80-90 gives it the firewall mark 7"
    assert told["service"] == "FWM 7, scheduler wrr, persistent for 60 s"
    assert told["template"] == "there is none for this client"
    again = {step.topic: step.says for step in hold(plane, tcp(1025)).steps}
    assert again["template"] == "this client's connections go to 10.0.0.11:80, 60 s left"
    assert again["choice"] == "10.0.0.11:80, by the template; its weight and its load don't count"


def test_datagrams_without_a_service_are_the_hosts_own(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    told = explained(plane, Packet(Protocol.UDP, CLIENT, 53, VIP, 53))
    assert (told.verdict, told.service) == ("not_ours", None)
    assert DNS not in {state.service.key for state in plane.table.services()}


@pytest.mark.parametrize(
    "values",
    [
        {"conn_reuse_mode": 0},
        {"conn_reuse_mode": 3},
        {"expire_nodest_conn": 1},
        {"expire_quiescent_template": 1},
        {"sloppy_tcp": 1},
        {"secure_tcp": 3},
    ],
    ids=str,
)
def test_sysctls_count_for_what_is_foretold(plane: DataPlane, values: dict[str, int]) -> None:
    before = {name: plane.table.sysctls()[name] for name in values}
    plane.table.set_sysctls(values)
    try:
        plane.serve(HTTP, 1, 1)
        plane.serve(HTTP6, 1, 1, persistence=100)
        for flags in (ACK, SYN, ACK, FIN | ACK, SYN, RST, SYN):
            hold(plane, tcp(1024, flags))
            hold(plane, tcp(1024, flags, CLIENT6, HTTP6))
        for key in (HTTP, HTTP6):
            plane.table.edit_server(key, plane.real_server(key, 2, 0))
            plane.freeze_hops()
            hold(plane, tcp(1025, SYN, CLIENT if key is HTTP else CLIENT6, key))
            hold(plane, tcp(1024, SYN, CLIENT if key is HTTP else CLIENT6, key))
            plane.table.delete_server(key, plane.real_server(key, 1).address, 80)
            hold(plane, tcp(1024, ACK, CLIENT if key is HTTP else CLIENT6, key))
            hold(plane, tcp(1025, SYN, CLIENT if key is HTTP else CLIENT6, key))
    finally:
        plane.table.set_sysctls(before)
