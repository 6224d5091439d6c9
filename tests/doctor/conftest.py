"""Fixtures for tests in which the doctor examines real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from patient import Patient, lab_of


@pytest.fixture(scope="module")
def patient() -> Iterator[Patient]:
    """A healthy one-segment cluster, one for all tests of a module: who breaks it, heals it."""
    with lab_of("one-segment") as lab:
        yield lab
