"""What a director tells of its real servers, read by commands."""

from __future__ import annotations

from typing import Any

import pytest

from directrix.director import client, remote

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
