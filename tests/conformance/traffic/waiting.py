"""How long scenarios wait, which is most of what they last."""

from __future__ import annotations

from pathlib import Path

from scenario import read_scenario

CALL = 0.5
"""What a line with ipvsadm in a script is taken for, in seconds: each starts programs, some of them many times."""

SCRIPTS = Path(__file__).resolve().parent / "scripts"

LONG = 5.0
"""Seconds of waiting from which on a scenario counts as slow."""


def waits(scenario: Path) -> float:
    """The seconds a scenario waits, for time to pass or for a script to end."""
    seconds = {"wait": 1.0, "watch": 2.0}
    steps = read_scenario(scenario)
    scripts = (SCRIPTS / step.words[1] for step in steps if step.words[0] == "script")
    return sum(float(step.words[1]) * seconds[step.words[0]] for step in steps if step.words[0] in seconds) + sum(
        CALL * script.read_text().count("ipvsadm ") for script in scripts
    )


def needs_calm(scenario: Path) -> bool:
    """Whether what it does has to keep step with the kernel's estimator, so that nothing else should be going on."""
    return any(step.words[0] == "watch" for step in read_scenario(scenario))


def longest_first(scenarios: Path) -> list[Path]:
    """The scenarios of a directory in the order that ends soonest when several are played at a time.

    Those that need calm are last.
    """
    return sorted(scenarios.glob("*.txt"), key=lambda path: (needs_calm(path), -waits(path), path.name))
