"""A data plane in a network namespace of its own, the same for every test here, emptied before each."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("data_plane", "frames")

from data_plane import DataPlane, world  # noqa: E402

from directrix.system import namespaces  # noqa: E402


@pytest.fixture(scope="session")
def _world() -> Iterator[tuple[str, DataPlane]]:
    name = f"test-{os.getpid()}-plane"
    with world(name) as plane:
        yield name, plane


@pytest.fixture
def plane(_world: tuple[str, DataPlane]) -> Iterator[DataPlane]:
    """An empty table, its programs, and the calling thread in its namespace."""
    name, plane = _world
    with namespaces.inside(name):
        plane.reset()
        yield plane


@pytest.fixture
def far(plane: DataPlane) -> Iterator[socket.socket]:
    """What arrives at the real servers' end of the wire."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as heard:
        heard.bind(("wire-far", 0))
        heard.settimeout(5)
        yield heard
