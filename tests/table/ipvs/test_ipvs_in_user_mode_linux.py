"""What the tests in `inside` found in a machine that has the real IPVS; it is booted once."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import machine
import pytest

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.uml


@pytest.fixture(scope="module")
def results() -> list[ElementTree.Element]:
    """The test cases of the run inside."""
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    written, console = machine.boot(HERE / "machine_init.py", PYTHON=sys.executable)
    assert "results.xml" in written, console
    return list(ElementTree.fromstring(written["results.xml"]).iter("testcase"))


@pytest.mark.parametrize(
    ("part", "least"),
    [("keeps_the_contract", 100), ("answers_as_recorded", 20), ("beside_ipvsadm", 9), ("by_our_names", 8)],
    ids=lambda value: str(value),
)
def test_over_the_kernels_own_ipvs_the_table(part: str, least: int, results: list[ElementTree.Element]) -> None:
    cases = [case for case in results if part in case.get("classname", "")]
    outcomes = Counter(outcome.tag for case in cases for outcome in case)
    told = [f"{case.get('name')}: {outcome.text or outcome.get('message')}" for case in cases for outcome in case]
    assert not outcomes, "\n\n".join(told)
    assert len(cases) >= least
