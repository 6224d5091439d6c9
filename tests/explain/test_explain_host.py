"""Where frames would go, by what the host says of its routes and settings."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast

import pytest

from directrix.explain import host
from directrix.lvs import Protocol, RealServer, ServiceKey
from directrix.system.neighbours import NextHop

SERVER = RealServer(ip_address("10.0.0.11"), 80)
SERVICE = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)


@pytest.mark.parametrize("forwarding", ["0", "1"])
def test_whether_lo_forwards_means_something_to_the_data_plane_alone(
    forwarding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "is_here", lambda address: False)
    monkeypatch.setattr(host, "next_hop", lambda address: NextHop("eth0", "", "02:00:00:00:00:0b", "REACHABLE"))
    monkeypatch.setattr(host.sysctl, "read", {"net.ipv4.conf.lo.forwarding": forwarding}.get)
    place = cast("Any", SimpleNamespace(read_record=dict))
    insight = cast("Any", SimpleNamespace(fresh_hop=lambda service, server: None))
    ours = host.of_our_table(place, ip_address("192.0.2.9"), None, insight)
    kernels = host.of_the_kernels()
    for surroundings, verdict in ((ours, "no_route" if forwarding == "0" else "forwarded"), (kernels, "forwarded")):
        for way in (surroundings.way(SERVICE, SERVER), surroundings.back(ip_address("192.0.2.9"))):
            assert way is not None
            assert way.verdict == verdict
