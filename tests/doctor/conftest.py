"""Fixtures for tests in which the doctor examines real hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from patient import Patient

from directrix.lab.builder import build
from directrix.lab.language import read_lab
from directrix.lab.ready_made import find
from directrix.lab.teardown import take_down


@pytest.fixture(scope="module")
def patient() -> Iterator[Patient]:
    """A healthy one-segment cluster, one for all tests of a module: who breaks it, heals it."""
    name = f"doctor-{os.getpid()}"
    build(read_lab(find("one-segment")), name, "tests")
    try:
        yield Patient(name)
    finally:
        take_down(name)
