"""What is explained of tables other than our own: one in memory, and one of which only its listing is known."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from directrix.cli.main import main as directrix
from directrix.explain.explaining import explain
from directrix.explain.explanation import Explanation
from directrix.explain.report import as_json, lines
from directrix.explain.surroundings import Surroundings, Way
from directrix.explain.view import listed_table, memory_table
from directrix.explain.words import BadPacket, read_packet
from directrix.lvs import ForwardingMethod, MarkRule, Protocol, RealServer, ServiceKey, VirtualService
from directrix.lvs.errors import MarkedElsewhere
from directrix.lvs.sctp import SctpEvent
from directrix.lvs.tcp import TcpFlags
from directrix.scheduling import ALGORITHMS
from directrix.table import ipvs
from directrix.table.memory import MemoryTable, Packet

VIP = ip_address("10.0.0.1")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
SYN = read_packet("tcp", "192.0.2.9:1024", "10.0.0.1:80")


class Kernel(MemoryTable):
    """What stands for the kernel's IPVS: it does the same, and tells less."""

    def marks(self) -> list[MarkRule]:
        raise MarkedElsewhere("nft list ruleset")


def serving(table: MemoryTable, scheduler: str, *weights: int, **values: int) -> MemoryTable:
    """The table with a service of real servers of these weights: .11, .12 and so on."""
    table.add_service(VirtualService(HTTP, scheduler, **values))
    for number, weight in enumerate(weights, start=11):
        table.add_server(HTTP, RealServer(ip_address(f"10.0.0.{number}"), 80, weight=weight))
    return table


def client(number: int, flags: TcpFlags = TcpFlags.SYN) -> Packet:
    return Packet(Protocol.TCP, ip_address("192.0.2.0") + number % 7, 1024 + number, VIP, 80, flags)


def said(told: Explanation, topic: str) -> str:
    return next(step.says for step in told.steps if step.topic == topic)


KNOWING = sorted(set(ALGORITHMS) - {"twos"})


@pytest.mark.parametrize("scheduler", KNOWING)
def test_in_memory_it_is_as_explained_and_explaining_changes_nothing(scheduler: str) -> None:
    table = serving(MemoryTable(), scheduler, 3, 1, 0, 2)
    for number in range(20):
        for flags in (TcpFlags.SYN, TcpFlags.ACK):
            packet = client(number, flags)
            told = explain(memory_table(table, packet, float(number)), packet, Surroundings())
            again = explain(memory_table(table, packet, float(number)), packet, Surroundings())
            assert told == again
            verdict = table.packet(packet, float(number))
            assert (told.verdict, told.server) == (str(verdict.name), verdict.server)


@pytest.mark.parametrize("scheduler", sorted(set(KNOWING) - {"rr", "wrr", "lblc", "lblcr"}))
def test_of_the_kernels_table_it_is_as_explained_where_a_listing_tells_enough(scheduler: str) -> None:
    table = serving(Kernel(), scheduler, 3, 1, 2)
    for number in range(20):
        packet = client(number)
        told = explain(listed_table(table, packet), packet, Surroundings())
        verdict = table.packet(packet, 0.0)
        assert (told.verdict, told.server) == (str(verdict.name), verdict.server)
        known = explain(listed_table(table, packet), packet, Surroundings())
        assert (known.server, known.new) == (verdict.server, False)


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lblc", "lblcr"])
def test_where_a_scheduler_stands_is_left_open_if_the_table_does_not_tell(scheduler: str) -> None:
    table = serving(Kernel(), scheduler, 1, 0, 2)
    told = explain(listed_table(table, SYN), SYN, Surroundings())
    assert (told.verdict, told.server) == ("forwarded", None)
    assert told.possible == ["10.0.0.13:80", "10.0.0.11:80"]
    assert "doesn't tell" in said(told, "choice")
    table.packet(SYN, 0.0)
    assert explain(listed_table(table, SYN), SYN, Surroundings()).server is not None


def test_templates_of_the_kernels_table_count(monkeypatch: pytest.MonkeyPatch) -> None:
    table = serving(Kernel(), "rr", 1, 1, persistence=100)
    got = table.packet(SYN, 0.0).server
    other = read_packet("tcp", "192.0.2.9:2000", "10.0.0.1:80")
    told = explain(listed_table(table, other), other, Surroundings())
    assert (told.server, said(told, "choice")) == (
        got,
        "10.0.0.12:80, by the template; its weight and its load don't count",
    )


def test_every_forwarding_method_of_the_kernels_is_named() -> None:
    for method, word in (
        (ForwardingMethod.MASQUERADE, "masquerading"),
        (ForwardingMethod.TUNNEL, "tunnelling"),
        (ForwardingMethod.DIRECT, "direct routing"),
    ):
        table = Kernel()
        table.add_service(VirtualService(HTTP, "wlc"))
        table.add_server(HTTP, RealServer(ip_address("10.0.0.11"), 80, method))
        told = explain(listed_table(table, SYN), SYN, Surroundings())
        assert said(told, "forwarding").startswith(word)
        assert told.server is not None
        assert told.server.method is method


def masquerading(table: MemoryTable) -> MemoryTable:
    """The table with two real servers behind masquerading, and a connection to .12."""
    table.add_service(VirtualService(HTTP, "rr"))
    for number in (11, 12):
        server = RealServer(ip_address(f"10.0.0.{number}"), 8080, method=ForwardingMethod.MASQUERADE)
        table.add_server(HTTP, server)
    table.packet(SYN, 0.0)
    return table


REPLY = read_packet("tcp", "10.0.0.12:8080", "192.0.2.9:1024", "SYN,ACK")


@pytest.mark.parametrize("make", [MemoryTable, Kernel])
def test_a_masqueraded_packet_is_told_with_what_it_becomes_and_so_is_the_reply(make: type[MemoryTable]) -> None:
    table = masquerading(make())

    def told_of(packet: Packet) -> Explanation:
        view = listed_table(table, packet) if make is Kernel else memory_table(table, packet)
        return explain(view, packet, surroundings)

    surroundings = Surroundings(back=lambda client: Way(f"{client} is there", "no_neighbour", "eth1"))
    request = told_of(SYN)
    assert said(request, "forwarding") == "masquerading: its destination becomes 10.0.0.12:8080"
    told = told_of(REPLY)
    assert (told.verdict, told.service, told.state) == ("replied", HTTP, "SYN_RECV")
    assert told.server is not None
    assert told.server.key == (ip_address("10.0.0.12"), 8080)
    assert said(told, "connection") == "it is a reply: of 192.0.2.9:1024 to 10.0.0.1:80, SYN_RECV, 60 s left"
    assert said(told, "connection after") == "stays SYN_RECV, for 60 s"
    assert said(told, "forwarding") == "masquerading: its source becomes 10.0.0.1:80"
    assert said(told, "next hop") == "192.0.2.9 is there"
    assert as_json(told)["rewritten"] == "10.0.0.1:80"
    surroundings = Surroundings(back=lambda client: Way(f"there is no route to {client}", "no_route"))
    assert told_of(REPLY).verdict == "no_route"
    stranger = read_packet("tcp", "10.0.0.11:8080", "192.0.2.9:1024", "SYN,ACK")
    assert told_of(stranger).verdict == "not_ours"


def test_why_a_real_server_is_left_out_is_said() -> None:
    table = serving(MemoryTable(), "wlc", 0, 1)
    table.add_server(HTTP, RealServer(ip_address("10.0.0.13"), 80, upper_threshold=1))
    table.packet(client(1), 0.0)
    table.packet(client(2), 0.0)
    told = explain(memory_table(table, SYN), SYN, Surroundings())
    assert {one.server: one.left_out for one in told.candidates} == {
        "10.0.0.13:80": "full: 1 connections, upper threshold 1, open again below three quarters of 1",
        "10.0.0.12:80": "",
        "10.0.0.11:80": "quiesced: its weight is 0",
    }
    assert told.candidates[1].figure == "load 256/1 = 256.000"


def test_a_report_has_the_real_servers_before_the_choice() -> None:
    table = serving(MemoryTable(), "rr", 1, 1)
    way = Way("10.0.0.12 has 02:00:00:00:00:0c on eth0", "forwarded", "eth0", "02:00:00:00:00:0c", "REACHABLE")
    told = explain(memory_table(table, SYN), SYN, Surroundings("eth0: by tc", True, lambda service, server: way))
    assert lines(told) == [
        "packet            TCP 192.0.2.9:1024 > 10.0.0.1:80 SYN",
        "interface         eth0: by tc",
        "connection        there is none",
        "service           TCP 10.0.0.1:80, scheduler rr",
        "real servers",
        "  > 10.0.0.12:80  weight 1, 0 active, 0 inactive",
        "    10.0.0.11:80  weight 1, 0 active, 0 inactive",
        "choice            10.0.0.12:80: the next in the list from its head",
        "connection after  made, in state SYN_RECV, for 60 s",
        "forwarding        direct routing: of the packet only the TTL changes, the frame gets the real server's MAC",
        "next hop          10.0.0.12 has 02:00:00:00:00:0c on eth0",
        "verdict           forwarded: sent to a real server",
    ]
    plain = json.loads(json.dumps(as_json(told)))
    assert plain["connection"] == {"new": True, "state": "SYN_RECV", "expires": 60}
    assert plain["next_hop"] == {"interface": "eth0", "mac": "02:00:00:00:00:0c", "neighbour": "REACHABLE"}


def test_the_command_tells_of_the_kernels_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIRECTRIX_TABLE", "ipvs")
    monkeypatch.setattr(ipvs, "open_ipvs", lambda: serving(Kernel(), "wlc", 1))
    assert directrix(["explain", "tcp", "192.0.2.9:1024", "10.0.0.1:80", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert (plain["server"], plain["service"]) == ("10.0.0.11:80", "TCP 10.0.0.1:80")
    assert directrix(["trace"]) == 2


def test_words_make_packets() -> None:
    assert read_packet("tcp", "192.0.2.9:1", "10.0.0.1:80", "fin,ACK").tcp_flags == TcpFlags.FIN | TcpFlags.ACK
    assert read_packet("tcp", "192.0.2.9:1", "10.0.0.1:80", "none").tcp_flags == TcpFlags.NONE
    assert read_packet("sctp", "[fd00::9]:1", "[fd00::1]:80").sctp_event is SctpEvent.INIT
    assert read_packet("sctp", "[fd00::9]:1", "[fd00::1]:80", chunks="abort").sctp_event is SctpEvent.ABORT
    assert read_packet("udp", "[fd00::9]:53", "[fd00::1]:53").client == ip_address("fd00::9")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("tcp", "192.0.2.9", "10.0.0.1:80"), "is no SOURCE:PORT"),
        (("tcp", "192.0.2.9:x", "10.0.0.1:80"), "a port is 0 to 65535"),
        (("tcp", "192.0.2.9:1", "10.0.0.1:65536"), "a port is 0 to 65535"),
        (("tcp", "192.0.2:1", "10.0.0.1:80"), "no IPv4 or IPv6 address"),
        (("tcp", "[192.0.2.9]:1", "10.0.0.1:80"), "only an IPv6 address stands in brackets"),
        (("tcp", "fd00::9:1", "[fd00::1]:80"), "IPv6 is written"),
        (("tcp", "192.0.2.9:1", "[fd00::1]:80"), "one packet has one of them"),
        (("tcp", "192.0.2.9:1", "10.0.0.1:80", "PSH"), "is no flag"),
        (("udp", "192.0.2.9:1", "10.0.0.1:80", "SYN"), "only TCP has flags"),
        (("tcp", "192.0.2.9:1", "10.0.0.1:80", None, "INIT"), "only SCTP has chunks"),
        (("sctp", "192.0.2.9:1", "10.0.0.1:80", None, "HELLO"), "is no chunk"),
    ],
)
def test_what_makes_no_packet_is_told(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadPacket, match=reason):
        read_packet(*words)
