"""`directrix budget`: silent when done, and clear where it can't be."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from directrix.cli import main as cli
from directrix.director import client
from directrix.lvs import Protocol, ServiceKey, VirtualService
from directrix.lvs.budget import Budget, Rate
from directrix.table import opening
from directrix.table.memory import MemoryTable, Packet

WEB = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
MARK = ServiceKey.mark(7)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    """The table that commands find."""
    made = MemoryTable()
    for key in (WEB, MARK):
        made.add_service(VirtualService(key, "rr"))
    monkeypatch.setattr(opening, "open_table", lambda *, create: made)
    monkeypatch.setattr(opening, "make_in_force", lambda: "memory")
    return made


@pytest.fixture
def budget(table: MemoryTable, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `directrix budget` with words; its status, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = cli.main(["budget", *words])
        except SystemExit as left:
            status = int(left.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def budgets(table: MemoryTable) -> dict[ServiceKey, Budget]:
    return {key: state.budget for key, state in table.budgets().items()}


def test_a_budget_is_set_listed_and_removed(budget: Run, table: MemoryTable) -> None:
    assert budget("set", "-t", "10.0.0.1:80", "--rate", "50/s", "--source-rate", "6/m") == (0, "", "")
    assert budget("set", "-f", "7", "--source-rate", "6/m", "--source-prefix", "24") == (0, "", "")
    packet = Packet(Protocol.TCP, ip_address("192.0.2.1"), 1024, WEB.address, 80)  # type: ignore[arg-type]
    table.packet(packet, 0.0)
    assert budget("list")[1] == (
        "TCP 10.0.0.1:80\n"
        "  service  50/s, burst 50: 50 left, 0 refused\n"
        "  source   6/m, burst 5, of a /32: 0 refused\n"
        "FWM 7\n"
        "  source   6/m, burst 5, of a /24: 0 refused\n"
    )
    assert budget("remove", "-t", "10.0.0.1:80") == (0, "", "")
    assert budgets(table) == {MARK: Budget(source=Rate(6, 60, 5), prefix4=24)}
    found = json.loads(budget("list", "--json")[1])["budgets"]
    source = {"rate": 0.1, "text": "6/m", "burst": 5, "prefix4": 24, "prefix6": 64, "refused": 0}
    assert found == [{"family": "inet", "fwmark": 7, "budget": None, "source_budget": source}]
    assert budget("flush") == (0, "", "")
    assert budgets(table) == {}


@pytest.mark.parametrize(
    ("make", "service", "warned"),
    [
        ("memory", {"budget": {"rate": 5.0}, "source_budget": None}, True),
        ("memory", {"budget": None, "source_budget": {"rate": 5.0}}, True),
        ("memory", {"budget": None, "source_budget": None}, False),
        ("memory", {}, False),  # a director of an earlier version
        ("ipvs", {"budget": {"rate": 5.0}, "source_budget": None}, False),
    ],
)
def test_where_a_configuration_has_a_budget_for_the_service_it_is_told_that_a_reload_brings_it_back(
    make: str,
    service: dict[str, Any],
    warned: bool,
    budget: Run,
    table: MemoryTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {"/v1/status": {"table": make}, "/v1/services?service=TCP+10.0.0.1%3A80": [service]}
    monkeypatch.setattr(client, "ask", told.__getitem__)
    status, _, err = budget("set", "-t", "10.0.0.1:80", "--rate", "50/s")
    assert status == 0
    assert ("configuration of the director gives TCP 10.0.0.1:80 a budget" in err) is warned
    assert budgets(table) == {WEB: Budget(Rate(50, 1, 50))}
    status, _, err = budget("remove", "-t", "10.0.0.1:80")
    assert (status, "reload" in err) == (0, warned)


def test_saved_budgets_are_restored_in_place_of_all_others(budget: Run, table: MemoryTable, tmp_path: Path) -> None:
    budget("set", "-t", "10.0.0.1:80", "--rate", "50/s", "--burst", "9")
    status, text, _ = budget("save")
    assert (status, text) == (0, "-t 10.0.0.1:80 --rate 50/s --burst 9\n")
    (tmp_path / "saved").write_text(text)
    budget("remove", "-t", "10.0.0.1:80")
    budget("set", "-f", "7", "--rate", "1")
    assert budget("restore", str(tmp_path / "saved")) == (0, "", "")
    assert budgets(table) == {WEB: Budget(Rate(50, 1, 9))}


def test_of_a_faulty_file_nothing_is_taken_and_each_fault_is_told(
    budget: Run, table: MemoryTable, tmp_path: Path
) -> None:
    file = tmp_path / "saved"
    file.write_text("-t 10.0.0.1:80 --rate 5\n-t 10.0.0.1:80:80 --rate 5\n-f 7 --rate x\n")
    status, out, err = budget("restore", str(file))
    assert (status, out) == (1, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{file}:2", f"{file}:3"]
    file.write_text("-t 10.0.0.1:80 --rate 5\n-t 10.0.0.9:80 --rate 5\n-f 7 --rate x\n")
    status, out, err = budget("restore", str(file))
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == f"{file}:2: there is no virtual service TCP 10.0.0.9:80"
    assert err.splitlines()[1].startswith(f"{file}:3: ")
    assert budgets(table) == {}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["set", "--rate", "5"], 2, "which service?"),
        (["remove"], 2, "which service?"),
        (["set", "-t", "10.0.0.1:80"], 1, "--rate"),
        (["set", "-t", "10.0.0.9:80", "--rate", "5"], 1, "there is no virtual service"),
        (["set", "-t", "10.0.0.1:80", "--rate", "fast"], 1, "COUNT/s"),
        ([], 2, "COMMAND"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changed(
    words: list[str], status: int, said: str, budget: Run, table: MemoryTable
) -> None:
    got, out, err = budget(*words)
    assert (got, out) == (status, "")
    assert said in err
    assert budgets(table) == {}
