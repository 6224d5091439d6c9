"""How directrix fares over the kernel's own IPVS (`table/ipvs`): its tests, run inside the conformance machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import machine

GUEST = Path(__file__).resolve().parents[1] / "table" / "ipvs" / "inside_guest.py"
PARTS = sorted(path.stem for path in (GUEST.parent / "inside").glob("*.py") if path.stem != "conftest")
"""The files of tests."""


@dataclass(frozen=True, slots=True)
class Part:
    """The tests of one file: how many there are, and what was wrong."""

    name: str
    tests: int
    wrong: tuple[str, ...]


def run() -> list[Part]:
    """Boot the machine and run them.

    Raises:
        RuntimeError: there are no results; the text is what the machine had to say.
    """
    written, console = machine.boot(GUEST, PYTHON=sys.executable)
    if "results.xml" not in written:
        raise RuntimeError(console)
    cases = list(ElementTree.fromstring(written["results.xml"]).iter("testcase"))
    of_part = {name: [case for case in cases if name in case.get("classname", "").split(".")] for name in PARTS}
    return [Part(name, len(found), tuple(_wrong(found))) for name, found in of_part.items()]


def _wrong(cases: list[ElementTree.Element]) -> Iterator[str]:
    """Whatever a test says besides having passed."""
    for case in cases:
        for outcome in case:
            yield f"{case.get('name')}: {outcome.tag}: {outcome.text or outcome.get('message')}"
