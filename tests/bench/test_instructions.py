"""The goals for instructions a packet, on a stock kernel under QEMU."""

from __future__ import annotations

import shutil

import pytest

from bench import instructions

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs QEMU: scripts/setup all"),
]


@pytest.fixture(scope="module")
def results() -> list[instructions.Result]:
    return instructions.measure(["directrix", "schedulers"])


def test_no_packet_is_lost(results: list[instructions.Result]) -> None:
    assert [result.name for result in results if result.lost] == []


@pytest.mark.parametrize("name", instructions.GOALS)
def test_the_goal_is_met(results: list[instructions.Result], name: str) -> None:
    (figure,) = (figure for figure in instructions.figures(results) if figure.name == name)
    assert not figure.missed, f"{figure.value:.1f} {figure.unit}, at most {figure.most}"
