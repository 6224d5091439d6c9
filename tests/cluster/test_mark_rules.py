"""Mark rules belong to the table: they outlive commands and new programs, and end with it."""

from __future__ import annotations

import pytest
from hosts import Cluster

pytestmark = pytest.mark.root


def test_rules_stay_over_up_and_go_with_down(cluster: Cluster) -> None:
    host = cluster.host("director")
    cluster.wire(host, "eth0", cluster.host("other"), "eth0")
    host.ip("link set lo up; addr add 10.0.0.1/24 dev eth0")
    assert host.directrix("mark", "save").stdout == ""
    host.directrix("mark", "add", "-t", "10.0.0.100:80", "--mark", "5")
    host.directrix("up", "-q")
    assert host.directrix("mark", "save").stdout == "-t 10.0.0.100:80 --mark 5\n"
    assert host.directrix("status").returncode == 0
    host.directrix("down", "-q")
    assert host.directrix("mark", "save").stdout == ""
    assert host.directrix("mark", "remove", "-t", "10.0.0.100:80", check=False).returncode == 1
    assert host.directrix("status", check=False).returncode == 3
