"""`directrix health` over a table in memory."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from directrix.cli.main import main as directrix
from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService
from directrix.lvs.tcp import TcpFlags
from directrix.table import absences, opening
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable, Packet

VIP, CLIENT = ip_address("10.0.0.1"), ip_address("10.9.0.1")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
GOOD, BAD = ip_address("10.0.0.11"), ip_address("10.0.0.12")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Table:
    """HTTP over two real servers, one of which answers nobody."""
    table = MemoryTable()
    table.add_service(VirtualService(HTTP, "rr"))
    table.add_server(HTTP, RealServer(GOOD, 80, weight=3))
    table.add_server(HTTP, RealServer(BAD, 80, weight=3))
    for port in range(1024, 1224):
        verdict = table.packet(Packet(Protocol.TCP, CLIENT, port, VIP, 80, TcpFlags.SYN, 60), 0.0)
        if verdict.server and verdict.server.address == GOOD:
            table.packet(Packet(Protocol.TCP, CLIENT, port, VIP, 80, TcpFlags.ACK, 52), 0.001)
    table.tick()
    monkeypatch.setattr(opening, "open_table", lambda *, create: table)
    monkeypatch.setattr(absences, "directory_here", lambda: tmp_path)
    return table


def weights(table: Table) -> dict[str, int]:
    return {str(one.server.address): one.server.weight for one in table.service(HTTP).servers}


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert directrix(["health", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_are_shown_for_each_real_server(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert directrix(["health"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["begun", "completed", "failed", "share", "recent", "p50", "p90", "p99"]
    assert lines[1][:6] == ["TCP", "10.0.0.1:80", "200", "100", "0", "100%"]
    assert lines[2] == ["10.0.0.12:80", "100", "0", "0", "-", "0%", "-", "-", "-"]
    assert lines[3][:6] == ["10.0.0.11:80", "100", "100", "0", "100%", "100%"]


def test_json_has_counts_shares_and_quantiles(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    (service,) = told(capsys)["services"]
    assert service["handshakes"]["half_open"] == 100
    (good,) = [one["handshakes"] for one in service["servers"] if one["address"] == str(GOOD)]
    assert (good["begun"], good["completed"], good["share"]) == (100, 100, 1.0)
    assert good["recent"] == {"begun_per_second": 12.5, "completed_per_second": 12.5, "share": 1.0}
    assert 0.0005 < good["seconds"]["p50"] < 0.002


def test_a_judgement_changes_nothing_until_it_is_applied(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    before = weights(table)
    (service,) = told(capsys, "judge")["services"]
    assert {one["address"]: (one["standing"], one["new_weight"]) for one in service["servers"]} == {
        str(GOOD): ("good", None),
        str(BAD): ("poor", 0),
    }
    assert weights(table) == before
    assert directrix(["health", "judge", "--apply"]) == 0
    assert "weight 3 is now 0" in capsys.readouterr().out
    assert weights(table) == {str(GOOD): 3, str(BAD): 0}


def test_it_comes_back_by_time_or_by_hand(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "judge", "--apply")
    (service,) = told(capsys, "judge", "--apply")["services"]
    assert [one["standing"] for one in service["servers"]] == ["out", "too few"]
    assert directrix(["health", "back"]) == 0
    assert capsys.readouterr().out == "TCP 10.0.0.1:80 -> 10.0.0.12:80: weight 3\n"
    told(capsys, "judge", "--apply")
    told(capsys, "judge", "--apply", "--hold", "1e-9")
    assert weights(table) == {str(GOOD): 3, str(BAD): 3}


@pytest.mark.parametrize("text", ["10.0.0.1:80", "tcp:10.0.0.1:80", "TCP 10.0.0.1:80"])
def test_a_service_is_named_as_listings_do(table: Table, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert len(told(capsys, "show", "-s", text)["services"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-s", "10.0.0.9:80"], "there is no service '10.0.0.9:80'; there are: TCP 10.0.0.1:80"),
        (["judge", "--out-below", "2"], "out-below (2)"),
        (["judge", "--sample", "0"], "sample"),
        (["back", "10.0.0.99:80"], "there is no real server 10.0.0.99:80"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    table: Table, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    before = weights(table)
    assert directrix(["health", *words]) == 1
    assert said in capsys.readouterr().err
    assert weights(table) == before


def test_over_a_table_that_watches_no_handshakes_it_says_so(
    table: Table, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "handshakes", lambda: None)
    for words in ([], ["judge"]):
        assert directrix(["health", *words]) == 1
        assert "the kernel's IPVS does not" in capsys.readouterr().err
