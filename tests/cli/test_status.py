"""`directrix status` over the kernel's IPVS tells what that knows."""

from __future__ import annotations

import json

import pytest

from directrix.cli.main import main as directrix
from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService, parse_address
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.tcp import TcpFlags
from directrix.table import ipvs
from directrix.table.memory import MemoryTable, Packet

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
