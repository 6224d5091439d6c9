"""A real server that never answers clients is found by their handshakes, taken out, and comes back."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from itertools import count
from typing import Any

import pytest
from hosts import VIP, Cluster, be_real_server, service, until
from traffic import ask, open_socket, serve

pytestmark = pytest.mark.root

CLIENTS = 100
PORTS = count(10_000)


def knock(cluster: Cluster, answered: int) -> None:
    """Many clients begin a connection at once, and wait until so many of them are answered."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(open_socket(cluster["client"], VIP)) for _ in range(CLIENTS)]
        for one in waiting:
            # No two have the same port: it would be a connection that waits for the bad server.
            one.bind(("", next(PORTS)))
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect((VIP, 80))
        until(f"{answered} clients are through", lambda: sum(map(connected, waiting)) >= answered)


def connected(s: socket.socket) -> bool:
    with suppress(OSError):
        s.getpeername()
        return True
    return False


def judged(cluster: Cluster, *words: str) -> dict[str, dict[str, Any]]:
    """Standing and weight of each real server of the TCP service of VIP, by address."""
    done = cluster["director"].directrix("health", "judge", "-s", f"tcp:{VIP}:80", "--json", *words)
    (found,) = json.loads(done.stdout)["services"]
    return {server["address"]: server for server in found["servers"]}


def test_a_real_server_without_the_vip_is_found_taken_out_and_comes_back(one: Cluster) -> None:
    serve(one)
    one["director"].up()
    one["director"].restore(service())
    one["rs2"].ip(f"addr del {VIP}/32 dev lo")
    good, bad = "10.0.0.11", "10.0.0.12"

    def seen(*words: str) -> dict[str, dict[str, Any]]:
        """What is seen by the estimator's next turn is forgotten within seconds: clients knock on."""
        knock(one, CLIENTS // 2)
        return judged(one, *words)

    standings = {good: "good", bad: "poor"}
    until("they are judged", lambda: {each: at["standing"] for each, at in seen().items()} == standings)
    until("it is taken out", lambda: seen("--apply")[bad]["new_weight"] == 0)
    assert {ask(one["client"], VIP) for _ in range(4)} == {"rs1"}
    assert judged(one, "--apply")[bad]["standing"] == "out"

    be_real_server(one["rs2"], str(ip_address(VIP)))
    assert judged(one, "--apply", "--hold", "0.001")[bad]["standing"] == "back"
    assert {ask(one["client"], VIP) for _ in range(4)} == {"rs1", "rs2"}

    def well() -> bool:
        knock(one, CLIENTS)
        return bool(judged(one, "--apply", "--hold", "0.001")[bad]["standing"] == "good")

    until("the trial is over", well, 60)
    shown = json.loads(one["director"].directrix("health", "-s", f"{VIP}:80", "--json").stdout)["services"]
    figures = next(s["handshakes"] for s in shown[0]["servers"] if s["address"] == good)
    assert 0 < figures["seconds"]["p50"] <= figures["seconds"]["p99"]
    assert figures["completed"] >= CLIENTS // 2
    found = {row["server"]: row for row in one["director"].status()["handshakes"] if row["service"] == f"TCP {VIP}:80"}
    assert found["10.0.0.11:80"]["share"] == 1.0
    assert found["10.0.0.12:80"]["begun"] >= CLIENTS // 2
