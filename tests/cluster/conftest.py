"""Clusters for tests, deleted at their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hosts import Cluster, one_armed, two_armed


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """No host yet."""
    made = Cluster()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def one(cluster: Cluster) -> Cluster:
    """Client, director, rs1 and rs2 on one segment."""
    return one_armed(cluster)


@pytest.fixture
def two(cluster: Cluster) -> Cluster:
    """Clients behind a gateway, real servers on another segment."""
    return two_armed(cluster)
