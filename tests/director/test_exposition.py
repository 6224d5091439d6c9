"""Floods and budgets as Prometheus reads them."""

from __future__ import annotations

from ipaddress import ip_address

from directrix.director.exposition import of_budgets, of_flood
from directrix.lvs import Protocol, ServiceKey
from directrix.lvs.budget import Budget, BudgetState, Rate
from directrix.lvs.flood import Flood, FloodCounts, FloodState

WEB = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
MARK = ServiceKey.mark(26)
_WEB = 'local_address="10.0.0.1",local_port="80",proto="TCP",local_mark=""'
_MARK = 'local_address="",local_port="0",proto="FWM",local_mark="0000001A"'


def samples(lines: object) -> list[str]:
    return [line for line in lines if not line.startswith("#")]  # type: ignore[attr-defined]


def test_a_flood_is_told_with_what_it_did_to_each_service() -> None:
    flood = Flood(2, FloodState.ON, 3, 4.0, None, {WEB: FloodCounts(1000, 10, 5), MARK: FloodCounts()})
    assert samples(of_flood(flood)) == [
        "directrix_flood 1",
        "directrix_floods_total 3",
        f"directrix_flood_unentered_total{{{_WEB}}} 1000",
        f"directrix_flood_unentered_total{{{_MARK}}} 0",
        f"directrix_flood_admitted_total{{{_WEB}}} 10",
        f"directrix_flood_admitted_total{{{_MARK}}} 0",
        f"directrix_flood_ended_total{{{_WEB}}} 5",
        f"directrix_flood_ended_total{{{_MARK}}} 0",
    ]
    assert samples(of_flood(Flood(1, FloodState.ENDING))) == ["directrix_flood 0", "directrix_floods_total 0"]
    assert samples(of_flood(None)) == []


def test_what_budgets_refused_is_told_by_whose_they_are() -> None:
    both = BudgetState(Budget(Rate(5, 1, 5), Rate(1, 1, 5)), over=7, source_over=9, left=0)
    sources = BudgetState(Budget(source=Rate(1, 1, 5)), source_over=2)
    assert samples(of_budgets({WEB: both, MARK: sources})) == [
        f'directrix_over_budget_total{{{_WEB},of="service"}} 7',
        f'directrix_over_budget_total{{{_WEB},of="source"}} 9',
        f'directrix_over_budget_total{{{_MARK},of="source"}} 2',
    ]
    assert samples(of_budgets({})) == []
