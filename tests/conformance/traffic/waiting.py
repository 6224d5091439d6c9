"""How long scenarios wait, which is most of what they last."""

from __future__ import annotations

from pathlib import Path

from scenario import read_scenario

LONG = 6.0
"""Seconds of waiting from which on a scenario counts as slow."""


def waits(scenario: Path) -> float:
    """The seconds a scenario waits."""
    return sum(float(step.words[1]) for step in read_scenario(scenario) if step.words[0] == "wait")


def longest_first(scenarios: Path) -> list[Path]:
    """The scenarios of a directory in the order that ends soonest when several are played at a time."""
    return sorted(scenarios.glob("*.txt"), key=lambda path: (-waits(path), path.name))
