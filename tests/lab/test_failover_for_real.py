"""The cluster of two directors, and the demo of failover."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from laboratory import COMMAND, inside, lab, remains, until

from directrix.lab import directing, state
from directrix.lab.directing import runtime_directory
from directrix.lab.ready_made import find
from directrix.system import namespaces

pytestmark = pytest.mark.root


def states(name: str) -> dict[str, str]:
    """What each director says of itself."""
    found = {}
    for host in ("d1", "d2"):
        [router] = json.loads(inside(name, host, "directrix", "show", "vrrp", "--json"))["instances"]
        found[host] = router["state"]
    return found


def test_one_director_is_master_the_other_one_relieves_it_and_nothing_is_left_of_either(name: str) -> None:
    done = lab("up", "failover", "--name", name)
    assert (done.returncode, done.stderr) == (0, "")
    until("d1 is master, d2 is not", lambda: states(name) == {"d1": "MASTER", "d2": "BACKUP"})
    for url in ("http://10.0.0.100/", "http://10.0.0.100:8080/", "http://[fd00::100]/"):
        assert inside(name, "client", "curl", "-s", "-m", "30", url).strip() in ("rs1", "rs2")
    known = state.read(name)
    assert known is not None
    d1 = known.host("d1")
    directing.kill(d1)
    assert directing.process(d1) is None
    until("d2 has taken over", lambda: "10.0.0.100" in inside(name, "d2", "ip", "addr", "show", "eth0"))
    directing.start(name, d1)
    until("d1 is master again", lambda: states(name) == {"d1": "MASTER", "d2": "BACKUP"})
    places = []
    for host in ("d1", "d2"):
        with namespaces.inside(known.host(host).namespace):
            places.append(runtime_directory())
    assert all(place.is_dir() for place in places)
    assert lab("down", name).returncode == 0
    assert not any(place.exists() for place in places)


def test_a_director_that_can_not_be_run_is_told_with_what_it_said_and_nothing_is_left(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "nowhere.toml"
    text = find("failover").read_text()
    file.write_text(text.replace("keepalived = '''\n", "keepalived = '''\nnet_namespace nowhere\n"))
    done = lab("up", str(file), "--name", name)
    assert done.returncode == 1
    assert "the director of d1 has ended: " in done.stderr
    assert "No such file or directory" in done.stderr
    assert remains(name) == []


@pytest.mark.slow
def test_in_the_demo_clients_hardly_notice_and_nothing_is_left() -> None:
    done = lab("demo", "failover", "--json", timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("Everything was as shown.\n")
    told = json.loads(done.stdout)
    assert told["as_shown"] is True
    figures = {each["event"]: each for each in told["figures"]}
    assert len(figures) == 8
    assert {event for event, each in figures.items() if each["failed"]} <= {"rs1 dies"}
    assert all(each["requests"] > 50 for each in figures.values())
    for event in ("d1 is stopped", "d1's daemon is killed", "d1's cable is pulled"):
        assert figures[event]["seconds"] < 5.0
        assert figures[event]["kept"]["mh"] == {"connections": 8, "went_on": 8}
    assert remains("demo") == []


@pytest.mark.slow
def test_an_interrupted_demo_leaves_nothing() -> None:
    with subprocess.Popen([*COMMAND, "demo", "failover"], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        until("clients ask", lambda: "none failed" in (first.stdout and first.stdout.readline()), 60.0)
        first.send_signal(signal.SIGINT)
        first.stdout.read()
        assert first.wait() == 130
    assert remains("demo") == []


def test_of_balancing_there_are_no_figures() -> None:
    done = lab("demo", "--json")
    assert done.returncode == 1
    assert "--json goes with `directrix lab demo failover`" in done.stderr
