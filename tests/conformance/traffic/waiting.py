"""How long scenarios wait, which is most of what they last."""

from __future__ import annotations

from pathlib import Path

from scenario import read_scenario

CALL = 0.25
"""What a line with ipvsadm in a script is taken for, in seconds: each starts programs, some of them many times."""

LONG = 6.0
"""Seconds of waiting from which on a scenario counts as slow."""


def waits(scenario: Path) -> float:
    """The seconds a scenario waits, for time to pass or for a script to end."""
    steps = read_scenario(scenario)
    scripts = (scenario.parents[1] / "scripts" / step.words[1] for step in steps if step.words[0] == "script")
    return sum(float(step.words[1]) for step in steps if step.words[0] == "wait") + sum(
        CALL * script.read_text().count("ipvsadm ") for script in scripts
    )


def longest_first(scenarios: Path) -> list[Path]:
    """The scenarios of a directory in the order that ends soonest when several are played at a time."""
    return sorted(scenarios.glob("*.txt"), key=lambda path: (-waits(path), path.name))
