"""`directrix explain` on a real director: it is as was said, and the neighbours are the kernel's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hosts import VIP, VIP6, Cluster, Host, service
from traffic import ask, serve

pytestmark = pytest.mark.root


def explained(host: Host, *words: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(host.directrix("explain", *words, "--json").stdout)
    return told


def test_the_real_server_that_is_named_is_the_one_that_answers(one: Cluster) -> None:
    serve(one)
    director, client = one["director"], one["client"]
    director.up()
    director.restore(service("wrr"))
    for vip, source in ((VIP, "10.0.0.50:1"), (f"[{VIP6}]", "[fd00::50]:1")):
        for _ in range(3):
            told = explained(director, "tcp", source, f"{vip}:80", "--in", "eth0")
            number = told["server"].removesuffix(":80").rstrip("]")[-1]
            assert ask(client, vip.strip("[]")) == f"rs{number}"
    told = explained(director, "tcp", "10.0.0.50:1", f"{VIP}:80")
    assert told["verdict"] == "forwarded"
    assert told["next_hop"]["mac"] == one[f"rs{told['server'][-4]}"].mac()
    assert told["next_hop"]["interface"] == "eth0"


def test_it_says_why_a_packet_gets_nowhere(one: Cluster) -> None:
    director = one["director"]
    nothing = director.directrix("explain", "tcp", "10.0.0.50:1", f"{VIP}:80")
    assert "there is no table" in nothing.stderr
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.0.77:80 -g; -A -t {VIP}:81 -s rr")
    director.restore(f"-A -t {VIP}:82 -s rr; -a -t {VIP}:82 -r 172.31.0.1:82 -g")

    def verdict(port: int, *words: str) -> str:
        return str(explained(director, "tcp", "10.0.0.50:1", f"{VIP}:{port}", *words)["verdict"])

    assert [verdict(port) for port in (80, 81, 82, 83)] == ["no_neighbour", "no_server", "no_route", "not_ours"]
    assert verdict(80, "--flags", "ACK") == "no_connection"
    assert verdict(80, "--in", "lo") == "unseen"
    own = director.directrix("explain", "tcp", "10.0.0.1:1", f"{VIP}:80").stdout.splitlines()
    assert own[1] == "interface         none: 10.0.0.1 is this host, whose own connections don't go to real servers"
    assert own[-1].startswith("verdict           unseen")
    assert explained(director, "tcp", "10.0.0.1:1", f"{VIP}:80", "--in", "eth0")["verdict"] == "no_neighbour"
    lines = director.directrix("explain", "tcp", "10.0.0.50:1", f"{VIP}:80").stdout.splitlines()
    assert lines[0].split() == ["packet", "TCP", "10.0.0.50:1", ">", f"{VIP}:80", "SYN"]
    assert lines[-1].startswith("verdict           no_neighbour (forwarded)")


def test_what_makes_no_packet_is_refused_with_a_reason(one: Cluster) -> None:
    director = one["director"]
    director.up()
    for words, reason in (
        (["tcp", "10.0.0.50", f"{VIP}:80"], "is no SOURCE:PORT"),
        (["tcp", "10.0.0.50:1", f"[{VIP6}]:80"], "one packet has one of them"),
        (["tcp", "10.0.0.50:1", f"{VIP}:80", "--flags", "SYNACK"], "is no flag"),
        (["udp", "10.0.0.50:1", f"{VIP}:80", "--flags", "SYN"], "only TCP has flags"),
    ):
        done = director.directrix("explain", *words, check=False)
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    done = director.directrix("explain", "tcp", "10.0.0.50:1", f"{VIP}:80", "--in", "eth9", check=False)
    assert (done.returncode, "there is no interface 'eth9'" in done.stderr) == (1, True)
