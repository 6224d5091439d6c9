"""Fixtures for tests that build labs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from laboratory import PLAIN, homeless, lab, remains


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a lab. At the end of the test nothing of it may be left, and nothing may be left homeless."""
    mine = f"test-{os.getpid()}"
    before = homeless()
    yield mine
    lab("down", mine)
    assert remains(mine) == []
    assert homeless() <= before


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A lab file that needs no virtual server table."""
    file = tmp_path / "plain.toml"
    file.write_text(PLAIN)
    return file
