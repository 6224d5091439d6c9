"""The director end to end: a keepalived.conf, web servers that die and heal, directors that stop and are killed."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing, suppress
from ipaddress import IPv4Address
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from hosts import DIRECTRIX, VIP, Cluster, Host, be_real_server, until
from web import Directing, Load, Nginx

from directrix.lvs import Protocol, ServiceKey
from directrix.system import namespaces
from directrix.table.opening import open_table

pytestmark = pytest.mark.root

NUMBERS = {"client": 50, "d1": 1, "d2": 2, "rs1": 11, "rs2": 12}
KEY = ServiceKey.of(Protocol.TCP, IPv4Address(VIP), 80)


def configuration(priority: int = 100, weight: int = 1, more: str = "", checks: str = "TCP_CHECK") -> str:
    servers = "\n".join(
        f"real_server 10.0.0.{number} 80 {{ weight {weight}\n {checks} {{ connect_timeout 1\n }} }}"
        for number in (11, 12)
    )
    return f"""
    vrrp_instance VI {{
      interface eth0
      version 3
      virtual_router_id 7
      priority {priority}
      advert_int 0.2
      virtual_ipaddress {{ {VIP}/24 }}
    }}
    virtual_server {VIP} 80 {{
      delay_loop 0.2
      delay_before_retry 0.1
      lvs_sched rr
      lvs_method DR
      protocol TCP
      {servers}
    }}
    {more}
    """


@pytest.fixture
def web(cluster: Cluster, tmp_path: Path) -> dict[str, Nginx]:
    """A client, two directors and two web servers on one segment."""
    switch = cluster.host("switch")
    cluster.segment(switch, "br0", {f"p-{name}": (cluster.host(name), "eth0") for name in NUMBERS})
    for name, number in NUMBERS.items():
        cluster[name].ip(f"addr add 10.0.0.{number}/24 dev eth0")
    servers = {}
    for name in ("rs1", "rs2"):
        be_real_server(cluster[name], VIP)
        servers[name] = Nginx(cluster[name], tmp_path)
    for name in ("d1", "d2"):
        cluster[name].up()
    return servers


@pytest.fixture
def load(cluster: Cluster, web: dict[str, Nginx]) -> Load:
    made = Load(cluster["client"], patience=3.0)  # a machine with much else to do lets a client wait
    cluster.closing.append(made.stop)
    return made


def standing(host: Host) -> dict[str, int]:
    """The real servers in the table of a host, with weights; nothing without the service."""
    with host.entered(), closing(open_table(create=False)) as table:
        return {
            str(entry.server.address): entry.server.weight
            for state in table.services()
            if state.service.key == KEY
            for entry in state.servers
        }


def holds_vip(host: Host) -> bool:
    return f" {VIP}/" in host.run("ip", "-4", "addr", "show", "dev", "eth0").stdout


def test_web_servers_die_and_heal_and_the_director_is_reloaded_killed_and_stopped(
    cluster: Cluster, web: dict[str, Nginx], load: Load, tmp_path: Path
) -> None:
    here = cluster["d1"]
    director = Directing(here, tmp_path, configuration())
    director.ready()
    assert holds_vip(here)
    load.settles_on("rs1", "rs2")

    web["rs1"].kill()
    until("rs1 is out", lambda: standing(here) == {"10.0.0.12": 1}, 30.0)
    since = time.monotonic()
    load.settles_on("rs2")
    assert load.failed_since(since + 1.0) == 0

    # A configuration with mistakes changes nothing.
    director.reload(configuration(weight=3).replace("lvs_sched rr", "lvs_sched round"))
    until("it is refused", lambda: director.said("stays in force"), 30.0)
    assert standing(here) == {"10.0.0.12": 1}

    # One without is carried out; who was down stays down.
    director.reload(configuration(weight=3))
    until("it is reloaded", lambda: standing(here) == {"10.0.0.12": 3}, 30.0)

    # Killed, it leaves everything in place; it comes back and knows who was down.
    since = time.monotonic()
    director.kill()
    load.settles_on("rs2")
    assert holds_vip(here)
    director.start()
    director.ready(2)
    load.settles_on("rs2")
    assert director.said("real server 10.0.0.11:80 is up") == 0
    assert load.failed_since(since) == 0

    web["rs1"].start()
    until("rs1 is in again", lambda: standing(here) == {"10.0.0.11": 3, "10.0.0.12": 3}, 30.0)
    load.settles_on("rs1", "rs2")
    assert load.failed_since(since) == 0

    assert director.stop() == 0
    assert not standing(here)
    assert not holds_vip(here)


def test_the_directors_own_page_is_served_while_all_real_servers_are_down(
    cluster: Cluster, web: dict[str, Nginx], load: Load, tmp_path: Path
) -> None:
    address = "127.0.0.1"
    here = cluster["d1"]
    sorry = Nginx(here, tmp_path)
    text = configuration().replace("lvs_sched rr", f"lvs_sched rr\n sorry_server {address} 80", 1)
    Directing(here, tmp_path, text).ready()
    load.settles_on("rs1", "rs2")

    web["rs1"].kill()
    web["rs2"].kill()
    until("the sorry server stands in", lambda: standing(here) == {address: 1}, 30.0)
    since = time.monotonic()
    load.settles_on("d1")
    assert load.failed_since(since + 1.0) == 0
    assert f"  -> {address}:80 ".ljust(34) + "Route   1 " in here.ipvsadm("-Ln")
    sick = json.loads(here.directrix("doctor", "--json", check=False).stdout)
    told = [(each["check"], each["outcome"]) for each in sick["findings"]]
    # that each of its real servers is down, and so its quorum, is no secret
    assert [each for each in told if each[1] in ("warn", "fail")] == [
        ("health-checks", outcome) for outcome in ("warn", "warn", "fail")
    ]
    assert [outcome for check, outcome in told if check == "this-host"] == ["ok"]

    web["rs1"].start()
    until("a real server is back", lambda: standing(here) == {"10.0.0.11": 1}, 30.0)
    since = time.monotonic()
    load.settles_on("rs1")
    assert load.failed_since(since + 1.0) == 0
    sorry.kill()


def test_the_service_manager_hears_when_the_addresses_are_live_and_the_api_tells_and_takes_orders(
    cluster: Cluster, web: dict[str, Nginx], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = cluster["d1"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        told: SimpleQueue[str] = SimpleQueue()

        def listen() -> None:
            with suppress(OSError):
                while True:
                    told.put(listening.recv(4096).decode())

        def hear(word: str) -> str:
            late = time.monotonic() + 60
            while word not in (said := told.get(timeout=max(late - time.monotonic(), 0.0))):
                pass
            return said

        # all the time: what doesn't fit any more into a queue of ten the director leaves unsaid
        Thread(target=listen, daemon=True).start()

        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        here.ipvsadm("-A -t 10.0.0.9:9 -s rr")
        director = Directing(here, tmp_path, configuration(), "--event-log", str(tmp_path / "events"), "--keep-others")
        hear("READY=1")
        assert holds_vip(here)
        assert set(standing(here)) == {"10.0.0.11", "10.0.0.12"}
        hear("WATCHDOG=1")
        hear("WATCHDOG=1")

        # Only one at a time, and the table is its own.
        assert (
            "runs in this network namespace already"
            in here.run(*DIRECTRIX, "run", "-f", str(director.file), check=False).stderr
        )
        assert (
            "runs in this network namespace already"
            in here.directrix("apply", "-f", str(director.file), check=False).stderr
        )
        assert here.directrix("plan", "-f", str(director.file), "--keep-others").stdout == ""

        [service] = json.loads(here.directrix("show", "services", "--json").stdout)
        assert [(server["server"], server["alive"]) for server in service["servers"]] == [
            ("10.0.0.11:80", True),
            ("10.0.0.12:80", True),
        ]
        [instance] = json.loads(here.directrix("show", "vrrp", "--json").stdout)["instances"]
        assert (instance["name"], instance["state"]) == ("VI", "MASTER")
        checks = json.loads(here.directrix("show", "checks", "--json").stdout)
        assert all(check["history"][-1]["ok"] for check in checks)
        assert "quorum up" in here.directrix("show").stdout

        [api] = Path("/run/directrix/director").glob(f"{_cookie(here)}/api.sock")

        def post(path: str, **body: object) -> tuple[int, dict[str, Any]]:
            words = ["curl", "-s", "-w", "\n%{http_code}", "--unix-socket", str(api), "-d", json.dumps(body)]
            said, _, status = here.run(*words, f"http://director{path}").stdout.rpartition("\n")
            return int(status), json.loads(said)

        one = {"service": service["name"], "server": "10.0.0.11:80"}
        assert post("/v1/servers/drain", **one, seconds=5)[0] == 200
        until("it has weight 0", lambda: standing(here) == {"10.0.0.11": 0, "10.0.0.12": 1})
        until("it is drained", lambda: "drained" in here.directrix("show", "events").stdout)
        assert post("/v1/servers/weight", **one, weight=7)[1]["held_weight"] == 7
        assert standing(here) == {"10.0.0.11": 7, "10.0.0.12": 1}
        assert post("/v1/servers/enable", **one)[0] == 200
        assert standing(here) == {"10.0.0.11": 1, "10.0.0.12": 1}
        # By the command, too; and neither a check nor a reload takes it back.
        words = ("-t", f"{VIP}:80", "-r", "10.0.0.11")
        assert "is drained" in here.directrix("drain", *words, "--deadline", "20").stdout
        director.reload(configuration(weight=2))
        hear("READY=1")
        assert standing(here) == {"10.0.0.11": 0, "10.0.0.12": 2}
        assert "drained by the operator" in here.directrix("show", "services").stdout
        assert "drained by the operator" in here.directrix("status").stdout
        steps = here.directrix("admit", *words, "--over", "1", "-w", "5", "--json").stdout.splitlines()
        assert json.loads(steps[-1])["weight"] == 5
        assert standing(here)["10.0.0.11"] == 5
        assert "has weight 2 again" in here.directrix("drain", *words, "--undo").stdout
        assert standing(here) == {"10.0.0.11": 2, "10.0.0.12": 2}
        assert post("/v1/servers/weight", **one, weight="much")[0] == 400
        assert post("/v1/servers/enable", service="none", server="x")[0] == 404
        assert post("/v1/nothing")[0] == 404
        metrics = here.run("curl", "-s", "--unix-socket", str(api), "http://director/metrics").stdout
        assert 'directrix_check_up{service="TCP 10.0.0.100:80",remote_address="10.0.0.11",' in metrics
        assert 'keepalived_vrrp_state{iname="VI",intf="eth0",vrid="7"' in metrics
        assert 'node_ipvs_backend_weight{local_address="10.0.0.100",local_port="80",' in metrics

        director.reload(configuration(weight=3))
        assert "MONOTONIC_USEC=" in hear("RELOADING=1")
        hear("READY=1")
        assert set(standing(here).values()) == {3}
        director.process.terminate()
        hear("STOPPING=1")
        assert director.process.wait(30) == 0
    happened = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    kinds = {(event["kind"], event["what"]) for event in happened}
    assert kinds >= {("director", "started"), ("vrrp", "MASTER"), ("operator", "drained"), ("director", "stopped")}
    assert here.directrix("show", check=False).returncode == 3
    assert here.ipvsadm("-S -n") == "-A -t 10.0.0.9:9 -s rr\n"


def _cookie(host: Host) -> int:
    with host.entered():
        return namespaces.cookie()


@pytest.mark.slow
def test_two_directors_hand_over_under_load(
    cluster: Cluster, web: dict[str, Nginx], load: Load, tmp_path: Path
) -> None:
    one = Directing(cluster["d1"], tmp_path, configuration(priority=200))
    one.ready()
    other = Directing(cluster["d2"], tmp_path, configuration(priority=100))
    other.ready()
    assert holds_vip(cluster["d1"])
    assert not holds_vip(cluster["d2"])
    load.more()

    # A planned stop: what was under way may fail, nothing else does.
    since = time.monotonic()
    assert one.stop() == 0
    assert holds_vip(cluster["d2"])
    load.more()
    assert load.failed_since(since) <= 4

    # The first one comes back, and takes over again by its priority.
    since = time.monotonic()
    one.start()
    until("it has the address again", lambda: holds_vip(cluster["d1"]) and not holds_vip(cluster["d2"]), 30.0)
    load.more()
    assert load.failed_since(since) <= 8

    # A director whose wire breaks.
    since = time.monotonic()
    cluster["switch"].ip("link set p-d1 down")
    until("the other one has the address", lambda: holds_vip(cluster["d2"]), 30.0)
    moment = time.monotonic()
    load.more()
    assert load.failed_since(moment + 2.0) == 0
    assert moment - since < 20.0


def test_what_a_check_finds_is_in_the_table_within_50_ms(
    cluster: Cluster, web: dict[str, Nginx], tmp_path: Path
) -> None:
    here, file = cluster["d1"], tmp_path / "number"
    file.write_text("0")
    check = "real_server 10.0.0.11 80 { weight 10\n FILE_CHECK { track_file number\n weight 1\n } }"
    text = configuration().replace("real_server 10.0.0.11 80 {", f"{check}\n real_server 10.0.0.13 80 {{")
    director = Directing(here, tmp_path, f"track_file number {{ file {file}\n }}\n{text}")
    director.ready()
    took = []
    with here.entered(), closing(open_table(create=False)) as table:

        def weight() -> int:
            return next(
                entry.server.weight
                for entry in table.service(KEY).servers
                if entry.server.address == IPv4Address("10.0.0.11")
            )

        for number in range(1, 8):
            begun = time.monotonic()
            file.write_text(str(number))
            until("the table has it", lambda number=number: weight() == 10 + number, 30.0)  # type: ignore[misc]
            took.append(time.monotonic() - begun)
    # The least disturbed ones: under load the test itself waits for a processor.
    assert sorted(took)[1] < 0.05, took
    assert director.stop() == 0


def test_clients_handshakes_take_out_a_server_that_its_check_finds_well(
    cluster: Cluster, web: dict[str, Nginx], tmp_path: Path
) -> None:
    here = cluster["d1"]
    passive = "passive_health { sample 10\n hold 6\n }\n protocol TCP"
    director = Directing(here, tmp_path, configuration().replace("protocol TCP", passive))
    director.ready()
    cluster["rs2"].ip(f"addr del {VIP}/32 dev lo")
    load = Load(cluster["client"], clients=8, patience=0.3)
    cluster.closing.append(load.stop)
    until("it is quiesced", lambda: standing(here) == {"10.0.0.11": 1, "10.0.0.12": 0}, 60.0)
    be_real_server(cluster["rs2"], VIP)
    since = time.monotonic()
    assert set(load.more(50)) == {"rs1"}
    assert "passive_health: poor" in here.directrix("show", "services").stdout
    until("it is back", lambda: standing(here) == {"10.0.0.11": 1, "10.0.0.12": 1}, 60.0)
    load.settles_on("rs1", "rs2")
    assert load.failed_since(since + 1.0) == 0
    assert director.stop() == 0
