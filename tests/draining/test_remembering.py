"""Weights remembered over the time a real server is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from directrix.draining.remembering import Remembered, Weights
from directrix.lvs import Protocol, ServiceKey, parse_address

VIP = parse_address("10.0.0.1")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
SERVER, OTHER = (parse_address("10.0.0.11"), 80), (parse_address("10.0.0.12"), 80)


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    return Weights(tmp_path / "weights" / "xdp-1.json")


def test_what_was_remembered_is_found_by_whoever_asks_next(weights: Weights, tmp_path: Path) -> None:
    weights.remember(HTTP, *SERVER, 7)
    weights.remember(HTTP, *OTHER, 3, admitting=True)
    again = Weights(tmp_path / "weights" / "xdp-1.json")
    assert again.find(HTTP, *SERVER) == Remembered("TCP 10.0.0.1:80", "10.0.0.11:80", 7)
    assert [one.admitting for one in again.all()] == [False, True]


def test_the_latest_counts(weights: Weights) -> None:
    for weight in (7, 8):
        weights.remember(HTTP, *SERVER, weight)
    assert [one.weight for one in weights.all()] == [8]


def test_services_of_one_address_are_told_apart(weights: Weights) -> None:
    weights.remember(HTTP, *SERVER, 7)
    assert weights.find(ServiceKey.of(Protocol.UDP, VIP, 80), *SERVER) is None


def test_what_is_forgotten_leaves_the_rest_and_at_last_no_file(weights: Weights, tmp_path: Path) -> None:
    weights.remember(HTTP, *SERVER, 7)
    weights.remember(HTTP, *OTHER, 3)
    weights.forget(HTTP, *SERVER)
    assert [one.weight for one in weights.all()] == [3]
    weights.forget(HTTP, *OTHER)
    assert weights.all() == []
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"no": 1}]', "{}"])
def test_a_file_that_is_none_is_as_no_file(weights: Weights, tmp_path: Path, text: str) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "xdp-1.json").write_text(text)
    assert weights.all() == []
    weights.remember(HTTP, *SERVER, 7)
    assert [one.weight for one in weights.all()] == [7]


def test_whole_services_are_forgotten_and_others_stay(weights: Weights) -> None:
    other = ServiceKey.mark(7)
    weights.remember(HTTP, *SERVER, 7)
    weights.remember(HTTP, *OTHER, 3)
    weights.remember(other, *OTHER, 2)
    weights.forget_services({str(HTTP)})
    assert [one.weight for one in weights.all()] == [2]
