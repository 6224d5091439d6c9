"""`directrix drain`: what it says."""

from __future__ import annotations

from typing import Any

import pytest

from directrix.director import client
from directrix.director.remote import Remote


@pytest.mark.parametrize(
    ("growing", "words"),
    [
        ({}, "has weight 7 again"),  # a director of an earlier version
        ({"growing": None}, "has weight 7 again"),
        (
            {"growing": {"target": 100, "elapsed": 0.0, "seconds": 5.0, "left": 5.0}},
            "grows to weight 100 over 5s",
        ),
    ],
)
def test_a_drain_that_is_taken_back_tells_a_weight_or_how_it_grows(
    growing: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "order", lambda what, body: {"weight": 7, **growing})
    assert Remote("TCP 192.0.2.80:80", "192.0.2.11:80").enable().in_words == words
