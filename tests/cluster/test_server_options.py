"""What keepalived.conf says of servers that come and go: slow start, drain and budget, end to end."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hosts import VIP, Cluster, Host, one_armed, until
from traffic import Echo, Server, ask
from web import Directing

from directrix.lvs import Protocol, ServiceKey
from directrix.table.opening import open_table

pytestmark = pytest.mark.root

KEY = ServiceKey.of(Protocol.TCP, IPv4Address(VIP), 80)
RS1, RS2 = "10.0.0.11", "10.0.0.12"


def configuration(slow_start: int, *servers: str, more: str = "") -> str:
    real_servers = "".join(
        f"real_server {server} 80 {{ weight 20\n TCP_CHECK {{ connect_timeout 1\n }} }}\n" for server in servers
    )
    return f"""
    global_defs {{ lvs_timeouts tcp 900 tcpfin 1 udp 300
    }}
    virtual_server {VIP} 80 {{
      delay_loop 0.2
      delay_before_retry 0.1
      lvs_sched wrr
      lvs_method DR
      protocol TCP
      slow_start {slow_start}s
      drain {{ deadline 10m
      }}
      {more}
      {real_servers}
    }}
    """


def standing(host: Host) -> dict[str, int]:
    """The real servers in the table, with weights."""
    with host.entered(), closing(open_table(create=False)) as table:
        return {str(entry.server.address): entry.server.weight for entry in table.service(KEY).servers}


def shown(host: Host) -> dict[str, dict[str, Any]]:
    """The real servers as the director tells of them."""
    [service] = json.loads(host.directrix("show", "services", "--json").stdout)
    return {server["server"].partition(":")[0]: server for server in service["servers"]}


def budgets(host: Host) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(host.directrix("budget", "list", "--json").stdout)["budgets"]
    return found


def test_a_server_that_comes_back_grows_and_one_that_is_taken_out_ends_its_connections_and_goes(
    cluster: Cluster, tmp_path: Path
) -> None:
    one_armed(cluster)
    here, client = cluster["director"], cluster["client"]
    rs1 = Server(cluster, cluster["rs1"], addresses=(VIP, RS1))
    Server(cluster, cluster["rs2"], addresses=(VIP, RS2))
    here.up()
    director = Directing(here, tmp_path, configuration(60, RS1, RS2, more="budget {\nrate 9000\n}"))
    director.ready()
    assert standing(here) == {RS1: 20, RS2: 20}
    assert [one["budget"]["rate"] for one in budgets(here)] == [9000.0]
    echoes = [Echo(client) for _ in range(4)]
    at_rs2 = [echo for echo in echoes if echo.name == "rs2"]
    assert len(at_rs2) == 2

    # It dies and comes back: a small share at first.
    rs1.close()
    cluster.closing.remove(rs1.close)
    for echo in [echo for echo in echoes if echo not in at_rs2]:
        echo.close()
    until("rs1 is out", lambda: standing(here) == {RS2: 20}, 30.0)
    Server(cluster, cluster["rs1"], addresses=(VIP, RS1))
    until("rs1 is in again", lambda: RS1 in standing(here), 30.0)
    assert Counter(ask(client) for _ in range(40))["rs1"] < 14
    growing = shown(here)[RS1]["growing"]
    assert (growing["target"], growing["seconds"]) == (20, 60.0)
    assert "of 20, growing" in here.directrix("show").stdout

    # Killed and back, it goes on; a reload with a shorter time brings it to its end, and the half then.
    director.kill()
    director.start()
    director.ready(2)
    assert 0 < standing(here)[RS1] < 20
    director.reload(configuration(1, RS1, RS2))
    until("rs1 has grown", lambda: standing(here) == {RS1: 20, RS2: 20}, 30.0)
    assert Counter(ask(client) for _ in range(40)) == {"rs1": 20, "rs2": 20}
    assert budgets(here) == []

    # The operator's drain is the configuration's where he asks for nothing else; taken back, the weight grows.
    words = ("drain", "-t", f"{VIP}:80", "-r", RS1)
    assert "is drained" in here.directrix(*words).stdout
    assert shown(here)[RS1]["order"]["seconds"] == 600.0
    here.directrix(*words, "--undo")
    until("rs1 has grown again", lambda: standing(here) == {RS1: 20, RS2: 20}, 30.0)

    # What VRRP refuses is refused before anything is changed, or told.
    here.ip("link add vrrp.7 type veth peer name other7")
    virtual = f"interface eth0\nvirtual_router_id 7\nuse_vmac\nvirtual_ipaddress {{ {VIP}/32\n }}"
    director.reload(configuration(1, RS1) + f"vrrp_instance VI {{\n{virtual}\n}}\n")
    until("it is refused", lambda: director.said("stays in force: [Errno 17] there is an interface vrrp.7"), 30.0)
    assert standing(here) == {RS1: 20, RS2: 20}
    assert "server leaving" not in here.directrix("show", "events").stdout
    here.ip("link delete vrrp.7")

    # Taken out, it gets nothing new; what it has goes on until it ends. Then it is gone.
    plan = tmp_path / "plan.conf"
    plan.write_text(configuration(1, RS1))
    assert "10.0.0.12:80 direct weight 20, after it was drained" in (
        here.directrix("plan", "-f", str(plan), check=False).stdout
    )
    director.reload(configuration(1, RS1))
    until("rs2 is on its way out", lambda: standing(here) == {RS1: 20, RS2: 0}, 30.0)
    assert Counter(ask(client) for _ in range(20)) == {"rs1": 20}
    assert all(echo.say() for echo in at_rs2)
    until("its connections are seen", lambda: shown(here)[RS2]["order"]["progress"], 30.0)
    assert shown(here)[RS2]["leaving"]
    assert standing(here) == {RS1: 20, RS2: 0}
    for echo in at_rs2:
        echo.close()
    until("rs2 is gone", lambda: standing(here) == {RS1: 20}, 60.0)
    until("that is told", lambda: "server gone" in here.directrix("show", "events").stdout, 30.0)
    assert set(shown(here)) == {RS1}
    assert director.stop() == 0
