"""Hosts and wires for DR_CHECK's tests, deleted at their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import count

import pytest
from segment import Segment

_numbers = count()


@pytest.fixture
def segment() -> Iterator[Segment]:
    """A director and two real servers on one segment, set up for direct routing as they should be."""
    made = Segment(f"dxk{os.getpid()}x{next(_numbers)}")
    try:
        made.build()
        yield made
    finally:
        made.close()


def pytest_sessionfinish() -> None:
    """Nothing is left behind, whatever happened."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    left = [line.split()[0] for line in listed.splitlines() if line.startswith(f"dxk{os.getpid()}x")]
    assert left == []
