"""What a director tells of its real servers, read by commands."""

from __future__ import annotations

from typing import Any

import pytest

from directrix.director import client, remote
from directrix.draining.course import Progress, Stage

OLD: dict[str, Any] = {
    "server": "10.0.0.1:80",
    "places": ["10.0.0.1:80"],
    "alive": True,
    "quiesced": False,
    "order": None,
    "checks": [],
}


@pytest.mark.parametrize(
    ("more", "leaving", "growing"),
    [({}, False, None), ({"leaving": True, "growing": None}, True, None), ({"growing": {"target": 7}}, False, 7)],
    ids=("an earlier version", "leaving", "growing"),
)
def test_what_a_director_of_an_earlier_version_does_not_tell_is_not_the_case(
    more: dict[str, Any], leaving: bool, growing: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "/v1/status": {"table": "xdp"},
        "/v1/services": [{"name": "web", "keys": ["TCP 192.0.2.1:80"], "servers": [OLD | more]}],
    }
    monkeypatch.setattr(client, "ask", told.__getitem__)
    [found] = remote.checked("xdp").values()
    assert (found.leaving, found.growing) == (leaving, growing)


@pytest.mark.parametrize(
    ("leaving", "stage"),
    [({"leaves": True}, Stage.DRAINED), ({"leaves": False}, Stage.REMOVED), ({}, Stage.REMOVED)],
    ids=("leaving", "it stays", "an earlier version"),
)
def test_a_server_that_is_gone_before_the_first_look_was_drained_if_it_was_to_go(
    leaving: dict[str, Any], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [{"service": "web", "server": "10.0.0.1:80", "weight": 0, "order": {"kind": "drain", **leaving}}]

    def ask(path: str) -> dict[str, Any]:
        if not there:
            raise client.Refused(404, "no such real server")
        return there[0]

    def order(path: str, asked: dict[str, object]) -> dict[str, Any]:
        assert (path, asked["seconds"], asked["then"]) == ("/v1/servers/drain", 0.0, "expire")
        return there.pop()

    monkeypatch.setattr(client, "ask", ask)
    monkeypatch.setattr(client, "order", order)
    server = remote.Remote("web", "10.0.0.1:80")
    leaves = server.drain(0.0, expire=True, udp_now=False)
    told: list[Progress] = []
    progress, _ = server.watch(told.append, lambda seconds: None, leaves=leaves)
    assert (progress.stage, told) == (stage, [progress])
