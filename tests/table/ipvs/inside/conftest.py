"""Fixtures of the tests that run inside the machine, where the real IPVS is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import guest
import pytest

from directrix.table.ipvs import IpvsTable, open_ipvs


@pytest.fixture
def namespace() -> None:
    """A network namespace of the test's own, and with it an IPVS that nobody has touched."""
    if guest.LIBC.unshare(guest.CLONE_NEWNET) != 0:
        raise OSError("unshare")
    # Without it there are no routes at all, and no address is unicast.
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env=guest.ENVIRONMENT)


@pytest.fixture
def table(namespace: None) -> Iterator[IpvsTable]:
    """An empty table."""
    table = open_ipvs()
    yield table
    table.close()
