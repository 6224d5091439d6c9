"""The director's own devices and addresses change: the daemon follows at once, without it the next command does."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hosts import VIP, Cluster, Host, one_armed, service, until
from native import ready_for_xdp
from traffic import Echo, ask, serve
from web import Directing

from directrix.table.xdp import following, layout, pins
from directrix.table.xdp.maps import Maps

pytestmark = pytest.mark.root
OTHER_MAC = "02:00:00:00:77:05"
CONFIGURATION = f"""
vrrp_instance VI {{
  interface eth0
  version 3
  virtual_router_id 7
  advert_int 0.2
  garp_master_delay 1
  virtual_ipaddress {{ {VIP}/32 }}
}}
virtual_server {VIP} 80 {{
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 10.0.0.11 80 {{ }}
  real_server 10.0.0.12 80 {{ }}
}}
"""


def widest(host: Host) -> int:
    """How large packets may be that the data plane knows of."""
    with host.entered(), closing(Maps(pins.here())) as maps:
        return layout.FRONT.get(maps.front.bytes, 0, "widest")


def lags_behind(host: Host) -> bool:
    """Whether the table has yet to follow what became of its devices."""
    with host.entered():
        return following.lags(pins.here())


def served(client: Host) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            return ask(client, patience=0.5) in ("rs1", "rs2")
        except OSError:
            return False

    return asked


@pytest.mark.parametrize("hook", [pytest.param("tc", marks=pytest.mark.slow), "xdp-generic"])
def test_the_daemon_follows_another_mac_another_mtu_and_addresses_that_come_and_go(
    one: Cluster, tmp_path: Path, hook: str
) -> None:
    serve(one)
    director, client = one["director"], one["client"]
    ready_for_xdp(one, Path(), [])
    director.up("--hook", hook)
    daemon = Directing(director, tmp_path, CONFIGURATION, "--keep-others")
    daemon.ready()
    echo = Echo(client)
    assert echo.say("before")

    director.ip(f"link set dev eth0 address {OTHER_MAC}")
    until("clients are served at the new MAC", served(client), 20.0)
    assert echo.say("after")
    assert until("clients are served", served(client)) < 5.0
    echo.close()

    assert widest(director) == 1500
    director.ip("link set dev eth0 mtu 1400")
    until("the data plane knows the MTU", lambda: widest(director) == 1400, 20.0)
    director.ip("link set dev eth0 down; link set dev eth0 mtu 1500; link set dev eth0 up")
    until("it knows it again", lambda: widest(director) == 1500, 20.0)
    until("clients are served again", served(client), 20.0)

    director.ipvsadm("-A -t 10.0.0.100:81 -s rr")
    director.ipvsadm("-a -t 10.0.0.100:81 -r 10.0.0.77")
    assert director.hops()["10.0.0.77"]["state"] != "this host"
    director.ip("addr add 10.0.0.77/32 dev eth0")
    until("it is its own real server", lambda: director.hops()["10.0.0.77"]["state"] == "this host", 20.0)
    director.ip("addr del 10.0.0.77/32 dev eth0")
    until("it is not any more", lambda: director.hops()["10.0.0.77"]["state"] != "this host", 20.0)
    assert daemon.stop() == 0


@pytest.mark.parametrize("named", [(), ("--interface", "eth0")], ids=["automatic", "named"])
def test_a_device_that_goes_and_comes_back_is_served_again(
    one: Cluster, tmp_path: Path, named: tuple[str, ...]
) -> None:
    serve(one)
    director, switch, client = one["director"], one["switch"], one["client"]
    director.up(*named)
    Directing(director, tmp_path, CONFIGURATION).ready()
    until("clients are served", served(client), 20.0)
    director.ip("link del eth0")
    until("it is followed that the device is gone", lambda: not lags_behind(director), 20.0)
    one.wire(director, "eth0", switch, "p-director")
    switch.ip("link set p-director master br0")
    director.ip("addr add 10.0.0.1/24 dev eth0")
    until("clients are served again", served(client), 30.0)
    assert [(i["name"], i["attached"]) for i in director.status()["interfaces"]] == [("eth0", True)]


def test_without_a_daemon_the_doctor_tells_and_the_next_command_follows(
    cluster: Cluster,
) -> None:
    one_armed(cluster, servers=1)
    serve(cluster)
    director, client = cluster["director"], cluster["client"]
    ready_for_xdp(cluster, Path(), [])
    director.up("--hook", "xdp-generic")
    director.restore(service(servers=(1,)))
    until("clients are served", served(client))
    director.ip(f"link set dev eth0 address {OTHER_MAC}")
    client.ip("neigh flush all")
    assert not served(client)()
    done = director.directrix("doctor", "--only", "hooks", "--json", check=False)
    [found] = json.loads(done.stdout)["findings"]
    assert found["outcome"] == "fail"
    assert [remedy["command"] for remedy in found["remedies"]] == ["directrix up"]
    director.ipvsadm("--set 900 120 300")
    until("clients are served", served(client))
    [found] = json.loads(director.directrix("doctor", "--only", "hooks", "--json", check=False).stdout)["findings"]
    assert "changed" not in found["said"]


def test_who_has_a_device_attached_by_name_says_nothing_of_another_that_came(one: Cluster) -> None:
    director = one["director"]
    director.up()
    director.ip("link add late type veth peer name other")
    director.ip("link set late up")
    director.up("--interface", "eth0")
    assert lags_behind(director)
    director.ipvsadm("--set 900 120 300")
    assert "late" in [i["name"] for i in director.status()["interfaces"] if i["attached"]]
