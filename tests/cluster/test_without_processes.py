"""When the command has ended, nothing of ours runs; what it made goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hosts import VIP, VIP6, Cluster, one_armed, service, until
from traffic import Echo, Load, ask, open_socket, serve

from directrix.system import namespaces

pytestmark = pytest.mark.root

PINS, TABLES = Path("/run/directrix/bpf"), Path("/run/directrix/tables")


def processes_in(cluster: Cluster) -> list[str]:
    """Command lines of processes inside the cluster's namespaces."""
    inodes = {os.stat(host.path).st_ino for host in cluster.hosts.values()}
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}/ns/net").st_ino in inodes:
                    found.append(Path(f"/proc/{entry}/cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


def children() -> str:
    return subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout


def counts(cluster: Cluster) -> dict[str, tuple[int, int]]:
    """Active and inactive TCP connections over IPv4 by real server."""
    listing = cluster["director"].ipvsadm(f"-Ln -t {VIP}:80").splitlines()
    rows = [line.split() for line in listing if line.lstrip().startswith("-> ") and "Route" in line]
    return {row[1]: (int(row[4]), int(row[5])) for row in rows}


def test_commands_end_and_leave_no_process(one: Cluster) -> None:
    serve(one)
    one["director"].directrix("up", "-q")
    one["director"].restore(service())
    assert ask(one["client"]) == "rs2"
    assert processes_in(one) == []
    assert "directrix" not in children()


def test_connections_expire_by_themselves_and_counts_go_down(one: Cluster) -> None:
    """Timeouts of a second or two, from one more packet on; nobody calls anything meanwhile but to look."""
    serve(one)
    director, client = one["director"], one["client"]
    director.up()
    director.restore(service())
    with ExitStack() as stack:
        flows = [
            stack.enter_context(open_socket(client, vip, socket.SOCK_DGRAM)) for vip in (VIP, VIP6) for _ in range(4)
        ]
        for flow, vip in zip(flows, [VIP] * 4 + [VIP6] * 4, strict=True):
            flow.connect((vip, 80))
            flow.send(b"?")
            assert flow.recv(100) in (b"rs1", b"rs2")
        echo, other = Echo(client), Echo(client)
        assert director.status()["connections"]["used"] == 10
        assert sum(active for active, _ in counts(one).values()) == 2
        director.ipvsadm("--set 2 1 1")
        assert director.status()["connections"]["used"] == 10
        for each in (echo, other):
            assert each.say()
        for flow in flows:
            flow.send(b"?")
    took = until("UDP connections are gone", lambda: director.status()["connections"]["used"] <= 2, 4)
    assert director.ipvsadm("-Lnc").count("UDP") == 0
    until("TCP connections are gone", lambda: director.status()["connections"]["used"] == 0, 5)
    assert set(counts(one).values()) == {(0, 0)}
    print(f"\nUDP with a time-out of 1 s gone after {took:.2f} s")
    for each in (echo, other):
        each.close()


def test_a_connection_in_use_does_not_expire(one: Cluster) -> None:
    serve(one)
    director, client = one["director"], one["client"]
    director.up()
    director.restore(service() + "; --set 2 2 2")
    load = Load(client, echoes=1, shorts=0).start()  # it says something every millisecond or so
    until("it has begun", lambda: load.echoed)
    before = director.ipvsadm("-Lnc").splitlines()[2:]
    time.sleep(4.5)
    after = director.ipvsadm("-Lnc").splitlines()[2:]
    ends = [[line.split()[3:6] for line in lines] for lines in (before, after)]
    assert load.stop().mishaps == []
    assert ends[0] == ends[1]
    assert len(ends[1]) == 1


def test_closed_connections_are_counted_inactive(one: Cluster) -> None:
    serve(one)
    director, client = one["director"], one["client"]
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.0.11:80 -g")
    echoes = [Echo(client) for _ in range(3)]
    until("all are established", lambda: counts(one)["10.0.0.11:80"] == (3, 0), 2)
    for echo in echoes[:2]:
        echo.close()
    until("two are closed", lambda: counts(one)["10.0.0.11:80"] == (1, 2), 2)
    echoes[2].close()


def test_two_namespaces_have_two_tables(cluster: Cluster) -> None:
    one_armed(cluster)
    other = cluster.host("other")
    cluster.wire(other, "eth0", cluster["switch"], "p-other")
    cluster["switch"].ip("link set p-other master br0")
    other.ip("addr add 10.0.0.2/24 dev eth0; addr add 10.0.0.101/32 dev eth0")
    director = cluster["director"]
    director.up()
    other.directrix("up", "-q", "-c", "777")
    director.ipvsadm(f"-A -t {VIP}:80 -s rr")
    other.ipvsadm("-A -u 10.0.0.101:53 -s wlc")
    assert director.ipvsadm("-Sn") == f"-A -t {VIP}:80 -s rr\n"
    assert other.ipvsadm("-Sn") == "-A -u 10.0.0.101:53 -s wlc\n"
    assert other.status()["connections"]["size"] == 777
    other.directrix("down", "-q")
    assert director.ipvsadm("-Sn") == f"-A -t {VIP}:80 -s rr\n"


def test_tables_of_namespaces_that_are_gone_are_removed_by_the_next_up(cluster: Cluster) -> None:
    gone, next_one = cluster.host("gone"), cluster.host("next")
    cluster.wire(gone, "eth0", next_one, "eth0")
    gone.up()
    gone.ipvsadm(f"-A -t {VIP}:80 -s rr")
    with gone.entered():
        mine = str(namespaces.cookie())
    assert (PINS / mine).exists()
    subprocess.run(["ip", "netns", "del", gone.namespace], check=True)
    cluster.wire(next_one, "eth1", cluster.host("third"), "eth0")

    def swept() -> bool:
        next_one.directrix("down", "-q")
        next_one.up()
        return not (PINS / mine).exists() and not (TABLES / mine).exists()

    until("the kernel has let go of the namespace and its table is swept", swept, 10)
