"""The index in the README is true: what it names exists, and it names every scenario."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest
from scenario import HERE

TESTS = HERE.parent
DIRECTORIES = {"commands": HERE, "traffic": HERE / "traffic", "choices": HERE / "choices", "checks": HERE / "checks"}
SCENARIOS = {
    *(f"{suite}/{path.stem}" for suite, where in DIRECTORIES.items() for path in (where / "scenarios").glob("*.txt")),
    *(f"selftest/{path.stem}" for path in (HERE / "selftest").glob("*.sh")),
}
_ROW = re.compile(r"^\| (?P<behaviour>[^|]+) \| (?P<proofs>`[^|]+`) \|$", re.MULTILINE)
INDEX = {
    row["behaviour"]: re.findall("`([^`]+)`", row["proofs"])
    for row in _ROW.finditer((HERE / "README.md").read_text().partition("## What proves what")[2])
}


def named(proof: str) -> set[str]:
    """The scenarios, or the file of tests, that a name or a pattern stands for."""
    if (TESTS / proof).is_file():
        return {proof}
    return {scenario for scenario in SCENARIOS if fnmatch(scenario, proof)}


@pytest.mark.parametrize("behaviour", INDEX)
def test_every_line_has_its_proofs(behaviour: str) -> None:
    found = {proof: named(proof) for proof in INDEX[behaviour]}
    missing = [proof for proof, scenarios in found.items() if not scenarios and "*" not in proof]
    assert not missing
    assert any(found.values())


def test_every_scenario_stands_in_the_index() -> None:
    indexed = {scenario for proofs in INDEX.values() for proof in proofs for scenario in named(proof)}
    assert SCENARIOS - indexed == set()


def test_the_index_is_read() -> None:
    assert len(INDEX) > 50
