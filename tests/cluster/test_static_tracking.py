"""What is static and followed by a track_group: put back, or the instance gives its addresses up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hosts import VIP, Cluster, Host, until
from web import Directing

pytestmark = pytest.mark.root

CONFIGURATION = f"""
vrrp_instance VI {{
  interface eth0
  version 3
  virtual_router_id 7
  advert_int 0.2
  virtual_ipaddress {{ {VIP}/32 }}
}}
track_group G {{ group {{ VI }} }}
static_routes {{ 203.0.113.0/24 via 198.51.100.1 dev eth1 track_group G }}
"""


def holds_vip(host: Host) -> bool:
    return f" {VIP}/" in host.run("ip", "-4", "addr", "show", "dev", "eth0").stdout


def has_route(host: Host) -> bool:
    return "203.0.113.0/24" in host.run("ip", "route").stdout


def test_a_route_is_put_back_and_where_that_can_not_be_the_instance_is_in_fault(
    cluster: Cluster, tmp_path: Path
) -> None:
    here, other = cluster.host("here"), cluster.host("other")
    for device in ("eth0", "eth1"):
        cluster.wire(here, device, other, f"p-{device}")
    here.ip("addr add 10.0.0.1/24 dev eth0; addr add 198.51.100.2/24 dev eth1")
    director = Directing(here, tmp_path, CONFIGURATION)
    director.ready()
    assert holds_vip(here)
    assert has_route(here)

    here.ip("route del 203.0.113.0/24")
    until("the route is back", lambda: has_route(here), 20.0)
    assert holds_vip(here)

    here.ip("link set eth1 down")
    until("the addresses are given up", lambda: not holds_vip(here), 20.0)
    assert "static route 203.0.113.0/24 via 198.51.100.1 dev eth1 is missing" in here.directrix("show", "vrrp").stdout

    here.ip("link set eth1 up")
    until("the addresses are back", lambda: holds_vip(here), 20.0)
    assert has_route(here)
    assert director.stop() == 0
    assert not has_route(here)
