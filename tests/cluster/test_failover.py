"""Directors that hand over and fail while clients open connections all the time: times, and what fails.

Both directors choose by the same hashes (mh) and take up connections in the middle (sloppy_tcp), so what is under way
goes on at the other one.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hosts import VIP, Cluster, Host, be_real_server, until
from web import Directing, Load, Nginx

pytestmark = pytest.mark.root

NUMBERS = {"client": 50, "d1": 1, "d2": 2, "rs1": 11, "rs2": 12}
PATIENCE = 5.0
"""Seconds a client waits: a lost packet is a delay, a lost connection a failure."""
SLACK = 2.0
"""Seconds a busy machine may take longer than the protocol does."""


def routers(priority: int, interval: float = 0.2) -> str:
    return f"""
    vrrp_instance VI {{
      interface eth0
      version 3
      virtual_router_id 7
      priority {priority}
      advert_int {interval:g}
      virtual_ipaddress {{
        {VIP}/24
      }}
    }}
    """


def configuration(priority: int, interval: float = 0.2) -> str:
    servers = "\n".join(
        f"real_server 10.0.0.{number} 80 {{\n TCP_CHECK {{\n connect_timeout 2\n }}\n }}" for number in (11, 12)
    )
    return f"""
    {routers(priority, interval)}
    virtual_server {VIP} 80 {{
      delay_loop 1
      lvs_sched mh
      mh-port
      lvs_method DR
      protocol TCP
      {servers}
    }}
    """


@pytest.fixture
def web(cluster: Cluster, tmp_path: Path) -> Cluster:
    """A client, two directors and two web servers on one segment."""
    cluster.segment(cluster.host("switch"), "br0", {f"p-{name}": (cluster.host(name), "eth0") for name in NUMBERS})
    for name, number in NUMBERS.items():
        cluster[name].ip(f"addr add 10.0.0.{number}/24 dev eth0")
    for name in ("rs1", "rs2"):
        be_real_server(cluster[name], VIP)
        Nginx(cluster[name], tmp_path)
    for name in ("d1", "d2"):
        cluster[name].up()
        cluster[name].directrix("sysctl", "sloppy_tcp=1", "conn_reuse_mode=3")
    return cluster


@pytest.fixture
def load(web: Cluster) -> Load:
    made = Load(web["client"], clients=8, patience=PATIENCE, thinking=0.05)
    web.closing.append(made.stop)
    return made


def holds_vip(host: Host) -> bool:
    return f" {VIP}/" in host.run("ip", "-4", "addr", "show", "dev", "eth0").stdout


def instance(host: Host) -> dict[str, Any]:
    [found] = json.loads(host.directrix("show", "vrrp", "--json").stdout)["instances"]
    assert isinstance(found, dict)
    return found


def moves(to: Host, away: Host) -> float:
    """How long it takes until the address is at one host alone."""
    return until(f"{to.name} alone has the address", lambda: holds_vip(to) and not holds_vip(away), 30.0)


def test_a_planned_hand_over_fails_no_connection(web: Cluster, load: Load, tmp_path: Path) -> None:
    d1, d2 = web["d1"], web["d2"]
    one = Directing(d1, tmp_path, configuration(200))
    one.ready()
    other = Directing(d2, tmp_path, configuration(100))
    other.ready()
    load.more()
    since = time.monotonic()

    one.reload(configuration(50))
    moves(d2, away=d1)
    load.more()
    one.reload(configuration(200))
    moves(d1, away=d2)
    load.more()
    assert one.stop() == 0
    moves(d2, away=d1)
    load.more()
    one.start()
    moves(d1, away=d2)
    load.settles_on("rs1", "rs2")
    assert [failure for failure in load.failures if failure[0] >= since] == []


def test_a_director_that_fails_is_replaced_as_soon_as_the_protocol_allows(
    web: Cluster, load: Load, tmp_path: Path
) -> None:
    d1, d2 = web["d1"], web["d2"]
    one = Directing(d1, tmp_path, configuration(200))
    one.ready()
    other = Directing(d2, tmp_path, configuration(100))
    other.ready()
    load.more()
    since = time.monotonic()
    # Three adverts of 0.2 s are missing, the last one came up to 0.2 s ago, and then skew time passes.
    earliest, latest = 0.4, 0.6 + (256 - 100) / 256 * 0.2 + SLACK

    begin = time.monotonic()
    one.kill()
    until("d2 has the address", lambda: holds_vip(d2), 30.0)
    assert earliest < time.monotonic() - begin < latest
    load.more()
    one.start()
    one.ready(2)
    moves(d1, away=d2)
    load.more()
    assert load.failed_since(since) == 0, "the killed one's data plane forwarded on"

    begin = time.monotonic()
    web["switch"].ip("link set p-d1 down")
    until("d2 has the address", lambda: holds_vip(d2), 30.0)
    assert earliest < time.monotonic() - begin < latest
    load.settles_on("rs1", "rs2")
    assert load.failed_since(since) == 0, "what was sent meanwhile was sent again"


def test_a_killed_director_that_is_back_in_time_is_missed_by_nobody(web: Cluster, load: Load, tmp_path: Path) -> None:
    d1, d2 = web["d1"], web["d2"]
    one = Directing(d1, tmp_path, configuration(200, interval=2))
    other = Directing(d2, tmp_path, configuration(100, interval=2))
    one.ready()
    other.ready()
    assert holds_vip(d1)
    load.more()
    since = time.monotonic()
    heard = instance(d2)["statistics"]["advertisements_received"]
    one.kill()
    load.more()
    one.start()
    until("it is master again", lambda: one.said("now MASTER") == 2, 30.0)
    until("d2 hears it", lambda: instance(d2)["statistics"]["advertisements_received"] > heard, 30.0)
    assert holds_vip(d1)
    assert other.said("now MASTER") == 0
    assert load.failed_since(since) == 0


@pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")
def test_real_keepalived_and_a_director_relieve_each_other(web: Cluster, load: Load, tmp_path: Path) -> None:
    ours, theirs = web["d1"], web["d2"]
    # The other director's table is made by hand: keepalived's own is the kernel's IPVS.
    servers = "; ".join(f"-a -t {VIP}:80 -r 10.0.0.{number} -g -w 1" for number in (11, 12))
    theirs.restore(f"-A -t {VIP}:80 -s mh -b mh-port; {servers}")
    file = tmp_path / "real.conf"
    file.write_text(f"global_defs {{\n router_id theirs\n}}\n{routers(100)}")

    def keepalived() -> Any:
        pids = [f"--pid={tmp_path}/pid", f"--vrrp_pid={tmp_path}/vrrp.pid"]
        return theirs.start("keepalived", "--vrrp", "--dont-fork", "--log-console", f"--use-file={file}", *pids)

    one = Directing(ours, tmp_path, configuration(200))
    one.ready()
    peer = keepalived()
    until("keepalived listens", lambda: (tmp_path / "vrrp.pid").exists(), 30.0)
    load.more()
    since = time.monotonic()

    one.reload(configuration(50))
    moves(theirs, away=ours)
    load.more()
    one.reload(configuration(200))
    moves(ours, away=theirs)
    load.more()
    assert one.stop() == 0
    moves(theirs, away=ours)
    load.more()

    # Now ours is the backup: keepalived stops, comes back, and is killed.
    one.file.write_text(configuration(50))
    one.start()
    one.ready(2)
    assert instance(ours)["state"] == "BACKUP"
    peer.terminate()
    moves(ours, away=theirs)
    load.more()
    peer.wait(30)
    peer = keepalived()
    moves(theirs, away=ours)
    load.more()
    assert instance(ours)["statistics"]["rejected"] == {}
    assert load.failed_since(since) == 0
