"""The ready-made clusters at work, and the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from itertools import pairwise

import pytest
from laboratory import COMMAND, homeless, inside, lab, remains, until

from directrix.lab import state

pytestmark = pytest.mark.root

RECEIVE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
s.bind(("10.0.1.100", 9))
s.settimeout(60)
print("ready", flush=True)
_, [(_, _, ttl)], _, _ = s.recvmsg(9, 99)
print(ttl[0])
"""


@pytest.mark.parametrize(
    ("which", "urls"),
    [
        ("one-segment", ["http://10.0.0.100/", "http://[fd00::100]/"]),
        ("routed", ["http://10.0.1.100/", "http://[fd00:1::100]/"]),
        ("tunnel", ["http://10.0.1.100/", "http://[fd00:1::100]/"]),
    ],
)
def test_in_a_ready_made_cluster_the_servers_take_turns_in_both_families(
    name: str, which: str, urls: list[str]
) -> None:
    done = lab("up", which, "--name", name)
    assert (done.returncode, done.stderr) == (0, "")
    for url in urls:
        answers = [inside(name, "client", "curl", "-s", "-m", "30", url).strip() for _ in range(6)]
        assert Counter(answers) == {"rs1": 3, "rs2": 3}
        assert all(first != second for first, second in pairwise(answers))


@pytest.mark.parametrize(("which", "url"), [("one-segment", "http://10.0.0.100"), ("routed", "http://10.0.1.100")])
def test_large_answers_come_past_the_director(name: str, which: str, url: str) -> None:
    lab("up", which, "--name", name)
    size = inside(
        name, "client", "curl", "-s", "-m", "120", "-o", "/dev/null", "-w", "%{size_download}", f"{url}/large"
    )
    assert size == str(100 * 1024 * 1024)
    found: list[tuple[str, str]] = []

    def counted() -> bool:
        stats = inside(name, "director", "directrix", "ipvsadm", "-Ln", "--stats")
        found[:] = re.findall(r"^TCP +10\S+ +1 +(\S+) +(\S+) ", stats, re.MULTILINE)
        return bool(found)

    until("the connection is counted", counted)
    [(packets_in, packets_out)] = found
    assert packets_in != "0"
    assert packets_out == "0"


@pytest.mark.parametrize("hook", ["tc", pytest.param("xdp-generic", marks=pytest.mark.slow)])
def test_tunnels_reach_real_servers_behind_a_router_by_each_hook(name: str, hook: str) -> None:
    lab("up", "tunnel", "--name", name)
    inside(name, "director", "directrix", "up", "-q", "--interface", "eth0", "--hook", hook)
    for url in ("http://10.0.1.100", "http://[fd00:1::100]"):
        answers = [inside(name, "client", "curl", "-s", "-m", "30", f"{url}/").strip() for _ in range(4)]
        assert Counter(answers) == {"rs1": 2, "rs2": 2}
        words = (
            "curl",
            "-s",
            "-m",
            "120",
            "-r",
            "0-20000000",
            "-o",
            "/dev/null",
            "-w",
            "%{size_download}",
            f"{url}/large",
        )
        assert inside(name, "client", *words) == "20000001"
    (found,) = json.loads(inside(name, "director", "directrix", "status", "--json"))["interfaces"]
    assert (found["hook"], found["attached"]) == (hook, True)


def test_the_gateway_and_the_director_take_one_from_the_ttl_each(name: str) -> None:
    lab("up", "routed", "--name", name)
    for words in (["-A", "-u", "10.0.1.100:9", "-s", "rr"], ["-a", "-u", "10.0.1.100:9", "-r", "10.0.2.11:9", "-g"]):
        inside(name, "director", "directrix", "ipvsadm", *words)
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 2, 64); "
    with subprocess.Popen(
        [*COMMAND, "exec", "--lab", name, "rs1", "python3", "-c", RECEIVE], stdout=subprocess.PIPE, text=True
    ) as receiver:
        assert receiver.stdout
        assert receiver.stdout.readline() == "ready\n"
        inside(name, "client", "python3", "-c", f"{send}s.sendto(b'x', ('10.0.1.100', 9))")
        assert receiver.stdout.readline() == "62\n"


def test_what_the_director_is_told_wrongly_is_told_back_and_nothing_is_left(name: str, tmp_path: object) -> None:
    file = f"{tmp_path}/wrong.toml"
    text = lab("show", "one-segment").stdout
    with open(file, "w") as out:
        out.write(text.replace("-s rr", "-s no-such-scheduler"))
    done = lab("up", file, "--name", name)
    assert done.returncode == 1
    assert "on director: `directrix ipvsadm -R` failed with status " in done.stderr
    assert remains(name) == []


def test_the_pins_of_a_directors_table_go_with_the_lab(name: str) -> None:
    before = tables()
    lab("up", "one-segment", "--name", name)
    assert len(tables() - before) == 1
    lab("down", name)
    assert tables() <= before


def tables() -> set[str]:
    place = state.RUNTIME / "bpf"
    # beside the tables' directories the file system shows files of the kernel's
    return {name for name in os.listdir(place) if name.isdigit()} if place.exists() else set()


class TestDemo:
    def test_everything_is_as_shown_and_nothing_is_left(self) -> None:
        before, pinned = homeless(), tables()
        done = lab("demo")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("Everything was as shown.\n")
        assert done.stderr == ""
        assert done.stdout.count("✓") == 9
        assert "\x1b" not in done.stdout
        assert remains("demo") == []
        assert homeless() <= before
        assert tables() <= pinned

    def test_a_second_one_at_the_same_time_is_refused_and_interrupting_leaves_nothing(self) -> None:
        with subprocess.Popen([*COMMAND, "demo"], stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout
            until("it is on", lambda: "director$" in (first.stdout and first.stdout.readline()))
            second = lab("demo")
            assert second.returncode == 1
            assert "the demo is being shown already" in second.stderr
            first.send_signal(signal.SIGINT)
            first.stdout.read()
            assert first.wait() == 130
        assert remains("demo") == []

    @pytest.mark.slow
    def test_what_a_killed_one_left_the_next_one_clears(self) -> None:
        with subprocess.Popen([*COMMAND, "demo"], stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout
            until("it is on", lambda: "director$" in (first.stdout and first.stdout.readline()))
            first.kill()
        assert remains("demo")
        assert lab("demo").returncode == 0
        assert remains("demo") == []
