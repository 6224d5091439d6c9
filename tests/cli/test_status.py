"""`directrix status`: what the kernel's IPVS knows of itself, and what a director tells of its real servers."""

from __future__ import annotations

import json

import pytest

from directrix.cli.main import main as directrix
from directrix.cli.status import checked_lines, checked_objects, hop_lines
from directrix.director.remote import Checked, Remote
from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService, parse_address
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.tcp import TcpFlags
from directrix.table import ipvs
from directrix.table.memory import MemoryTable, Packet
from directrix.table.xdp.director import Hop

VIP, CLIENT = parse_address("10.0.0.1"), parse_address("10.0.0.99")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)


class Kernel(MemoryTable):
    """What stands for IPVS: a persistent service, one connection, a daemon."""

    def __init__(self) -> None:
        super().__init__()
        self.add_service(VirtualService(HTTP, "rr", persistence=60))
        for last in (11, 12):
            self.add_server(HTTP, RealServer(parse_address(f"10.0.0.{last}"), 80))
        self.packet(Packet(Protocol.TCP, CLIENT, 1024, VIP, 80, TcpFlags.SYN, 60), 0.0)
        self.tick()

    def daemons(self) -> list[SyncDaemon]:
        return [SyncDaemon(DaemonRole.MASTER, "eth0")]


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTRIX_TABLE", "ipvs")
    monkeypatch.setattr(ipvs, "open_ipvs", Kernel)


def test_it_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert directrix(["status"]) == 0
    assert capsys.readouterr().out == (
        "Table\n  the kernel's IPVS: 1 services, 2 real servers\n"
        "Connections\n  1 active, 0 inactive, 1 persistent\n"
        "Packets\n  1 in, 60 bytes; 0 a second\n  0 out, 0 bytes; 0 a second\n"
        "Synchronization\n  master\n"
    )


def test_it_is_told_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert directrix(["--table", "ipvs", "status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["up"], told["table"], told["services"], told["real_servers"]) == (True, "ipvs", 1, 2)
    assert told["connections"] == {"active": 1, "inactive": 0, "persistent": 1}
    assert (told["totals"]["in_bytes"], told["rates"]["in_bytes"], told["daemons"]) == (60, 7, ["master"])


class TestNextHops:
    @staticmethod
    def hops(servers: int, services: int, state: str = "resolved") -> list[Hop]:
        return [
            Hop(f"TCP 10.1.0.{service}:80", f"10.0.0.{server}:80", state, "eth0", f"02:00:00:00:00:{server:02x}")
            for service in range(services)
            for server in range(servers)
        ]

    def test_a_few_are_told_one_by_one(self) -> None:
        text = hop_lines(self.hops(2, 2), everything=False)
        assert text[1] == "  TCP 10.1.0.0:80 -> 10.0.0.1:80: resolved 02:00:00:00:00:01 on eth0"
        assert len(text) == 4

    def test_of_many_those_alike_are_one_line_and_what_can_not_be_sent_comes_first(self) -> None:
        hops = [*self.hops(2, 100), Hop("TCP 10.1.0.7:80", "10.0.0.9:80", "no route", "", "")]
        assert hop_lines(hops, everything=False) == [
            "  10.0.0.9: no route, 1 times",
            "  10.0.0.0: resolved 02:00:00:00:00:00 on eth0, 100 times",
            "  10.0.0.1: resolved 02:00:00:00:00:01 on eth0, 100 times",
        ]
        assert len(hop_lines(hops, everything=True)) == 201

    def test_of_very_many_real_servers_it_says_how_many_are_left_out(self) -> None:
        text = hop_lines(self.hops(120, 1), everything=False)
        assert (len(text), text[-1]) == (51, "  70 more real servers; --all shows each service of each")


def test_what_the_director_has_grow_and_go_is_told_beside_what_the_operator_has_ordered() -> None:
    remote = Remote("web", "10.0.0.11:80")
    known = {
        ("web", "a"): Checked(remote, True, False, "", ()),
        ("web", "b"): Checked(remote, True, False, "", (), growing=10),
        ("web", "c"): Checked(remote, True, True, "drain", (), leaving=True),
        ("web", "d"): Checked(remote, True, True, "drain", ()),
    }
    assert checked_lines(known) == [
        "Checks",
        "  4 of 4 real servers are well",
        "  web -> b: growing to weight 10",
        "  web -> c: no longer configured; it is drained, and goes then",
        "  web -> d: drained by the operator",
    ]
    told = [(one["ordered"], one["leaving"], one["growing_to"]) for one in checked_objects(known)]
    assert told == [(None, False, None), (None, False, 10), ("drain", True, None), ("drain", False, None)]
