"""A real server is drained and comes back while clients work: nothing is lost but what was asked to end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import Any

import pytest
from hosts import DIRECTRIX, VIP, Cluster, one_armed, service, until
from traffic import Echo, Load, ask, open_socket, serve

pytestmark = pytest.mark.root

TCP = ("-t", f"{VIP}:80", "-r", "10.0.0.11")
UDP = ("-u", f"{VIP}:80", "-r", "10.0.0.11")
TIME_UP = 3


@pytest.fixture
def two_servers(cluster: Cluster) -> Cluster:
    """Client, director, rs1 and rs2, both serving."""
    one_armed(cluster)
    serve(cluster)
    cluster["director"].up()
    cluster["director"].restore(service("wrr"))
    return cluster


class Flow:
    """A UDP flow: one client port."""

    def __init__(self, cluster: Cluster) -> None:
        self.socket = open_socket(cluster["client"], VIP, socket.SOCK_DGRAM)
        self.socket.connect((VIP, 80))

    def ask(self) -> str:
        self.socket.send(b"?")
        return self.socket.recv(100).decode()


def leaving(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster["director"].status()["leaving"]
    return found


def weight(cluster: Cluster) -> int:
    """That of rs1's TCP service."""
    rows = cluster["director"].ipvsadm(f"-L -n -t {VIP}:80").splitlines()
    return int(next(row for row in rows if "10.0.0.11:80" in row).split()[3])


def test_with_keep_nothing_is_lost_and_undo_brings_the_weight_back(two_servers: Cluster) -> None:
    director, client = two_servers["director"], two_servers["client"]
    echoes = [Echo(client) for _ in range(6)]
    at_rs1 = [echo for echo in echoes if echo.name == "rs1"]
    load = Load(client, echoes=2, shorts=1).start()
    done = director.directrix("drain", *TCP, "--deadline", "2s", "--json", check=False)
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, looks[-1]["stage"]) == (TIME_UP, "time_up")
    assert looks[-1]["by_protocol"]["tcp"] == looks[-1]["connections"] >= len(at_rs1) == 3
    assert {ask(client) for _ in range(6)} == {"rs2"}
    assert leaving(two_servers) == [
        {"service": f"TCP {VIP}:80", "server": "10.0.0.11:80", "weight": 1, "admitting": False}
    ]
    assert "has weight 1 again" in director.directrix("drain", *TCP, "--undo").stdout
    answered: set[str] = set()
    # the load beside takes its turns, too: it may be that it has all of those of one server for a while
    until("both answer new connections", lambda: answered.add(ask(client)) or answered == {"rs1", "rs2"})  # type: ignore[func-returns-value]
    assert leaving(two_servers) == []
    load.stop()
    assert load.mishaps == []
    assert all(echo.say() for echo in echoes)
    for echo in echoes:
        echo.close()


def test_at_the_deadline_connections_end_by_a_reset_and_those_of_others_do_not(two_servers: Cluster) -> None:
    director = two_servers["director"]
    echoes = [Echo(two_servers["client"]) for _ in range(4)]
    done = director.directrix("drain", *TCP, "--deadline", "0.5", "--then", "expire")
    assert "2 connections ended" in done.stdout
    for echo in echoes:
        if echo.name == "rs2":
            assert echo.say()
        else:
            with pytest.raises(ConnectionResetError):
                # the first segment is answered with the reset
                any(not echo.say() for _ in range(3))
        echo.socket.close()


def test_udp_flows_leave_at_once_and_the_drain_is_over(two_servers: Cluster) -> None:
    director = two_servers["director"]
    flows = [Flow(two_servers) for _ in range(4)]
    assert sorted(flow.ask() for flow in flows) == ["rs1", "rs1", "rs2", "rs2"]
    done = director.directrix("drain", *UDP, "--deadline", "1s", check=False)
    assert done.returncode == TIME_UP
    assert sorted(flow.ask() for flow in flows) == ["rs1", "rs1", "rs2", "rs2"]
    assert "is drained" in director.directrix("drain", *UDP, "--udp-now").stdout
    assert [flow.ask() for flow in flows] == ["rs2"] * 4
    for flow in flows:
        flow.socket.close()


def test_interrupted_it_stays_quiesced_and_says_so(two_servers: Cluster) -> None:
    director, echoes = two_servers["director"], [Echo(two_servers["client"]) for _ in range(2)]
    drain = director.start(*DIRECTRIX, "drain", *TCP, stderr=subprocess.PIPE)
    until("it is quiesced", lambda: weight(two_servers) == 0)
    drain.send_signal(signal.SIGINT)
    said = drain.communicate(timeout=30)[1]
    assert drain.returncode == 130
    assert "stays at weight 0, with 1 connection left" in said
    assert f"directrix drain -t {VIP}:80 -r 10.0.0.11:80 --undo" in said
    assert weight(two_servers) == 0
    assert all(echo.say() for echo in echoes)
    for echo in echoes:
        echo.close()


def test_a_persistent_client_goes_elsewhere_and_keeps_what_it_has(two_servers: Cluster) -> None:
    director, client = two_servers["director"], two_servers["client"]
    director.ipvsadm(f"-E -t {VIP}:80 -s wrr -p 300")
    echo = Echo(client)
    assert {ask(client) for _ in range(3)} == {echo.name}
    address = {"rs1": "10.0.0.11", "rs2": "10.0.0.12"}[echo.name]
    director.directrix("drain", "-t", f"{VIP}:80", "-r", address, "--deadline", "0", check=False)
    assert {ask(client) for _ in range(3)} == {"rs1", "rs2"} - {echo.name}
    assert echo.say()
    echo.close()


def test_an_admitted_server_has_its_weight_little_by_little(two_servers: Cluster) -> None:
    director, client = two_servers["director"], two_servers["client"]
    director.directrix("drain", *TCP, "--deadline", "0", check=False)
    load = Load(client).start()
    done = director.directrix("admit", *TCP, "--weight", "20", "--over", "2s", "--json")
    steps = [json.loads(line)["weight"] for line in done.stdout.splitlines()]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1], weight(two_servers)) == (1, 20, 20)
    assert len(set(steps)) > 5
    load.stop()
    assert load.mishaps == []


BAD = [
    (("drain", "-t", f"{VIP}:80", "-r", "10.0.0.77"), 1, "no real server 10.0.0.77:80"),
    (("drain", "-t", f"{VIP}:81", "-r", "10.0.0.11"), 1, "no virtual service"),
    (("drain", *TCP, "--then", "expire"), 2, "needs a --deadline"),
    (("drain", *TCP, "--undo"), 1, "is not drained"),
    (("drain", *TCP, "--undo", "--udp-now"), 2, "stands alone"),
    (("drain", f"{VIP}:80"), 2, "which real server"),
    (("drain", "-r", "10.0.0.11"), 2, "which service"),
    (("drain", "-t", "nonsense:x:y", "-r", "10.0.0.11"), 2, "illegal virtual server"),
    (("drain", *TCP, "--deadline", "soon"), 2, "no length of time"),
    (("admit", *TCP, "--weight", "0"), 2, "1 to 2147483647"),
]
"""Words, the exit status they deserve, and what is said of them."""


def test_bad_words_change_nothing(one: Cluster) -> None:
    director = one["director"]
    director.up()
    director.restore(service("wrr"))
    before = director.ipvsadm("-S -n")
    for words, status, said in BAD:
        done = director.directrix(*words, check=False)
        assert (words, done.returncode) == (words, status)
        assert said in done.stderr
    assert director.ipvsadm("-S -n") == before
