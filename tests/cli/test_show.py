"""What `directrix show` prints of what a director tells."""

from __future__ import annotations

from typing import Any

import pytest

from directrix.cli.show import checks_lines, events_lines, order_words, orders_lines, services_lines, vrrp_lines
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.objects import budget_object


def server(**more: Any) -> dict[str, Any]:
    return {
        "server": "10.0.0.1:80",
        "alive": True,
        "in_table": True,
        "weight": 1,
        "order": None,
        "quiesced": False,
        "active": 3,
        "inactive": 2,
        "checks": [],
        "growing": None,
        "leaving": False,
        **more,
    }


def service(*servers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "TCP 192.0.2.1:80",
        "scheduler": "rr",
        "quorum": 1,
        "quorum_up": True,
        "live_weight": 1,
        "sorry_server": None,
        "sorry_in_use": False,
        "budget": None,
        "source_budget": None,
        "servers": list(servers),
        **more,
    }


def check(**more: Any) -> dict[str, Any]:
    return {"name": "TCP_CHECK", "up": True, "standing": "ready", "last": {"detail": "connected"}, **more}


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (server(), ["up, weight 1, 3 active, 2 inactive"]),
        (server(in_table=False), ["up, weight 1, out while the quorum is down, 3 active, 2 inactive"]),
        (
            server(alive=False, checks=[check(), check(name="X", up=False, last={"detail": "re\x1bset"})]),
            ["DOWN, weight 1, 3 active, 2 inactive", "X: re\\x1bset"],
        ),
        (server(alive=False, checks=[check(up=False, last=None)]), ["DOWN, weight", "TCP_CHECK: has not run yet"]),
        (
            server(weight=3, growing={"target": 10, "elapsed": 18.0, "seconds": 60.0, "left": 42.0}),
            ["up, weight 3 of 10, growing, 42s left, 3 active, 2 inactive"],
        ),
        (
            server(
                weight=0,
                leaving=True,
                order={
                    "kind": "drain",
                    "ended": None,
                    "seconds": 600.0,
                    "elapsed": 60.0,
                    "progress": {"connections": 17},
                },
            ),
            ["leaving, weight 0, draining for 1m of 10m, 17 connections left, 3 active, 2 inactive"],
        ),
        (server(quiesced=True, checks=[check(standing="drain")]), ["quiesced", "TCP_CHECK: the server says drain"]),
    ],
)
def test_a_real_server_s_line_says_how_it_stands_and_what_fails(told: dict[str, Any], lines: list[str]) -> None:
    _, head, *found = services_lines([service(told)])
    assert head == "  TCP 192.0.2.1:80 rr: quorum up, weight 1 of 1 needed"
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


def test_what_a_director_of_an_earlier_version_does_not_tell_is_left_out() -> None:
    new = service(server())
    old = {name: value for name, value in new.items() if name not in ("budget", "source_budget")}
    old["servers"] = [{name: value for name, value in server().items() if name not in ("growing", "leaving")}]
    assert services_lines([old]) == services_lines([new])


def test_a_budget_is_told_below_its_service() -> None:
    rates = budget_object(Budget(Rate(1000, 1, 50), Rate(5, 60, 30)))
    told = "    budget 1000/s, burst 50; 5/m, burst 30 for each source"
    assert services_lines([service(**rates)])[2] == told


def test_a_lost_quorum_and_the_sorry_server_are_told() -> None:
    lost = service(quorum_up=False, live_weight=0, sorry_in_use=True, sorry_server="10.0.0.9:80")
    assert "QUORUM DOWN, weight 0 of 1 needed, sorry server 10.0.0.9:80 in use" in services_lines([lost])[1]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"kind": "weight", "weight": 0}, "quiesced by the operator"),
        ({"kind": "weight", "weight": 5}, "weight set by the operator"),
        ({"kind": "admit", "target": 9, "seconds": 90.0}, "growing to weight 9 over 1m30s"),
        ({"kind": "drain", "ended": None, "seconds": None, "elapsed": 5.0, "progress": None}, "draining for 5s"),
        (
            {"kind": "drain", "ended": None, "seconds": 60.0, "elapsed": 5.0, "progress": {"connections": 7}},
            "draining for 5s of 1m, 7 connections left",
        ),
        ({"kind": "drain", "ended": "drained"}, "drained by the operator"),
        (
            {"kind": "drain", "ended": "time_up", "expired": 4, "left": 0},
            "drained: time was up, 4 connections ended, 0 left",
        ),
    ],
)
def test_an_order_is_told_in_words(order: dict[str, Any], words: str) -> None:
    assert order_words(order) == words
    assert words in orders_lines([{"service": "S", "server": "R", "order": order}])[1]


def test_what_vrrp_tracks_is_told() -> None:
    tracked = [
        {"kind": "script", "name": "chk", "well": False, "says": "ends with status 1", "since": 0},
        {"kind": "process", "name": "nginx", "well": True, "says": "", "since": 0},
        {"kind": "file", "name": "load", "well": None, "says": "7", "since": 0},
    ]
    statistics = {"rejected": {"ip_ttl": 3}}
    instance = {
        "name": "VI",
        "state": "MASTER",
        "since": 0,
        "priority": 100,
        "vrid": 7,
        "interface": "eth0",
        "addresses": ["192.0.2.1/32"],
        "master": "192.0.2.9",
        "master_priority": 90,
        "faults": [],
        "waiting": [],
        "statistics": statistics,
    }
    lines = vrrp_lines({"instances": [instance], "tracked": tracked, "strangers": []})
    assert "    ANOTHER MASTER is heard: 192.0.2.9, priority 90" in lines
    assert lines[-4:] == [
        "    packets not heard: 3 ip_ttl",
        "  script chk: NOT WELL, ends with status 1",
        "  process nginx: well",
        "  file load: 7",
    ]


def test_checks_and_events_are_told_a_line_each() -> None:
    result = {"at": 0, "took": 0.0015, "ok": False, "made": True, "detail": "refused"}
    found = {"name": "TCP_CHECK", "server": "R", "service": "S", "attempts": 9, "failures": 1, "history": [result]}
    assert checks_lines([found])[1:3] == ["  TCP_CHECK of R for S", "    9 made, 1 failed"]
    assert checks_lines([found])[3].endswith(" failure after 1.5 ms: refused")
    assert events_lines([{"at": 0, "kind": "server", "what": "down", "server": "R"}])[0].endswith(
        "server down server=R"
    )
