"""Access to the maps of a table."""

from __future__ import annotations

import os

import pytest
from data_plane import HTTP, DataPlane

pytestmark = pytest.mark.root


def test_a_table_long_in_use_keeps_no_more_descriptors_open(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"expire_nodest_conn": 1})
    server = plane.real_server(HTTP, 1)

    def work() -> int:
        """The descriptors open after some work."""
        for _ in range(3):
            plane.table.delete_server(HTTP, server.address, server.port)
            plane.table.add_server(HTTP, server)
            plane.table.services()
            plane.table.look_up_hops()
        return len(os.listdir("/proc/self/fd"))

    assert work() == work()
