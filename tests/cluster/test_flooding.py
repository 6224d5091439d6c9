"""A flood of SYNs does not take the table from real clients, and leaves nothing behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hosts import VIP, Cluster, one_armed, service, until
from traffic import Echo, ask, serve

pytestmark = [pytest.mark.root, pytest.mark.slow]

RATE = 12_000
"""SYNs a second: the table of 10,000 is full within one."""

CLIENTS = 400
AT_ONCE = 8
PATIENCE = 8.0


@contextmanager
def flooded(cluster: Cluster, seconds: float = 60.0) -> Iterator[None]:
    """SYNs of sources that don't exist come meanwhile."""
    program = Path(__file__).with_name("flooder.py")
    words = ("eth0", cluster["director"].mac(), VIP, "80", str(RATE), str(seconds))
    flooder = cluster["attacker"].start(sys.executable, str(program), *words)
    try:
        yield
    finally:
        assert flooder.poll() is None, "the flood ended early"
        flooder.kill()
        flooder.wait()


def flood_of(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster["director"].status()["flood"]
    return found


def made(cluster: Cluster, scheduler: str = "wlc") -> Cluster:
    one_armed(cluster, servers=3, extra=("attacker",))
    serve(cluster)
    cluster["director"].up()
    cluster["director"].restore(service(scheduler, servers=(1, 2, 3)))
    return cluster


def clients(cluster: Cluster, count: int = CLIENTS, patience: float = PATIENCE) -> list[float]:
    """How long each real client took to be answered, in seconds; those that were not are left out."""

    def one(_: int) -> float:
        start = time.monotonic()
        try:
            ask(cluster["client"], VIP, patience=patience)
        except OSError:
            return -1.0
        return time.monotonic() - start

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(taken for taken in pool.map(one, range(count)) if taken >= 0)


def test_of_a_hundred_real_clients_ninety_nine_get_in(cluster: Cluster) -> None:
    made(cluster)
    director = cluster["director"]
    before = Echo(cluster["client"])
    with flooded(cluster):
        until("the table is under flood", lambda: flood_of(cluster)["state"] == "on")
        full = director.verdicts().get("table_full", 0)
        answered = clients(cluster)
        told = flood_of(cluster)
        assert director.verdicts().get("table_full", 0) == full
        assert before.say("during the flood")
        assert told["state"] == "on"
    assert len(answered) >= 0.99 * CLIENTS
    at_once = sum(taken < 0.9 for taken in answered)  # a SYN that is lost comes again after a second
    print(f"{len(answered)} of {CLIENTS} clients in, {at_once} at once; median {answered[len(answered) // 2]:.3f} s")
    assert at_once >= 0.99 * CLIENTS
    (web,) = (one for one in told["services"] if one.get("port") == 80 and one["unentered"])
    assert web["flooded"]
    assert web["unentered"] > 10 * CLIENTS
    assert web["admitted"] >= CLIENTS
    # the flood is over: it is noticed, what it took is free again, and new connections are scheduled as always
    until("it is over", lambda: flood_of(cluster)["state"] == "off", 60)
    assert director.directrix("sysctl", "-n", "flood_defence").stdout == "1\n"
    until("what it had taken is free", lambda: director.status()["connections"]["used"] < CLIENTS * 2, 90)
    assert before.say("after the flood")
    unentered = flood_of(cluster)["services"]
    assert len(clients(cluster, 40)) == 40
    assert flood_of(cluster)["services"] == unentered
    before.close()


def test_without_the_defence_the_same_flood_keeps_them_out(cluster: Cluster) -> None:
    made(cluster)
    cluster["director"].directrix("sysctl", "-q", "flood_defence=0")
    with flooded(cluster):
        until("the table is full", lambda: cluster["director"].verdicts().get("table_full", 0) > RATE, 30)
        assert len(clients(cluster, 32, patience=1.5)) < 16


def test_a_budget_for_each_source_keeps_one_that_asks_too_much_from_the_others(cluster: Cluster) -> None:
    made(cluster, "rr")
    director = cluster["director"]
    director.directrix("budget", "set", "-t", f"{VIP}:80", "--source-rate", "5/s", "--source-burst", "10")
    greedy = clients(cluster, 30, patience=0.7)
    assert 10 <= len(greedy) < 25
    assert ask(cluster["attacker"], VIP) in ("rs1", "rs2", "rs3")
    assert director.verdicts()["over_budget"] >= 5
    saved = director.directrix("budget", "save").stdout
    director.directrix("budget", "flush")
    assert len(clients(cluster, 30)) == 30
    director.run(sys.executable, "-m", "directrix", "budget", "restore", input=saved)
    assert director.directrix("budget", "save").stdout == saved
