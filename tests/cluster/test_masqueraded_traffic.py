"""Real servers that answer through the director, real TCP both ways: super-packets, replacement, a drain.

Hosts are on one segment, so a real server reaches its clients past the director unless its route says otherwise.
"""

from __future__ import annotations

import random
import socket
from contextlib import closing

import pytest
from hosts import VIP, VIP6, Cluster, Host, until
from test_superpackets import SEGMENT, SEGMENTS, UDP_SEGMENT, put
from traffic import Echo, Load, Server, ask_udp, download, open_socket

pytestmark = pytest.mark.root

MEGABYTES = 30
PORT = 8080
ROOM = "60000"
"""Connections in the table: each takes two, and those that are over stay for two minutes."""


@pytest.fixture
def masqueraded(one: Cluster) -> Cluster:
    """Services on port 80, TCP and UDP, of real servers that have theirs on another."""
    director = one["director"]
    director.up("--connections", ROOM)
    rules = []
    for kind in ("-t", "-u"):
        for vip, net in ((VIP, "10.0.0."), (f"[{VIP6}]", "fd00::")):
            rules.append(f"-A {kind} {vip}:80 -s rr")
            for number in (1, 2):
                address = f"{net}{10 + number}"
                rules.append(f"-a {kind} {vip}:80 -r {f'[{address}]' if ':' in net else address}:{PORT} -m")
    director.restore("; ".join(rules))
    for number in (1, 2):
        server = one[f"rs{number}"]
        server.ip("route add 10.0.0.50/32 via 10.0.0.1; route add fd00::50/128 via fd00::1")
        Server(one, server, port=PORT, addresses=(f"10.0.0.{10 + number}", f"fd00::{10 + number}"))
    return one


def counted(director: Host, address: str) -> tuple[int, int, int, int]:
    """Packets in and out, bytes in and out, of a TCP service."""
    at = f"[{address}]:80" if ":" in address else f"{address}:80"
    [line] = [line for line in director.ipvsadm(f"-Ln -t {at} --stats --exact").splitlines() if f"TCP  {at}" in line]
    _, packets_in, packets_out, bytes_in, bytes_out = map(int, line.split()[2:])
    return packets_in, packets_out, bytes_in, bytes_out


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_super_packets_arrive_whole_in_both_directions(masqueraded: Cluster, address: str) -> None:
    director, client = masqueraded["director"], masqueraded["client"]
    assert put(client, MEGABYTES, address)
    assert download(client, MEGABYTES << 20, address)
    until("the estimator has taken them down", lambda: min(counted(director, address)[2:]) > MEGABYTES << 20)
    packets_in, packets_out, bytes_in, bytes_out = counted(director, address)
    # each direction has the other's acknowledgements, too
    assert bytes_in / packets_in > 2000, "no super-packets came from the client"
    assert bytes_out / packets_out > 2000, "no super-packets came from real servers"


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_datagrams_arrive_whole_in_both_directions_in_fragments_or_in_super_packets(
    masqueraded: Cluster, address: str
) -> None:
    client, server, behind = masqueraded["client"], masqueraded["rs1"], "fd00::11" if ":" in address else "10.0.0.11"
    vip, rip = (f"[{address}]", f"[{behind}]") if ":" in address else (address, behind)
    masqueraded["director"].restore(f"-A -u {vip}:81 -s rr; -a -u {vip}:81 -r {rip}:8181 -m")
    with closing(open_socket(server, behind, socket.SOCK_DGRAM)) as far:
        far.bind((behind, 8181))
        for size in (9000, 20_000, SEGMENT * SEGMENTS):
            with closing(open_socket(client, address, socket.SOCK_DGRAM)) as near:
                near.connect((address, 81))
                sent = random.Random(size).randbytes(size)
                segmented = size == SEGMENT * SEGMENTS
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SEGMENT if segmented else 0)
                near.send(sent)
                came = [far.recvfrom(65536) for _ in range(SEGMENTS if segmented else 1)]
                assert b"".join(data for data, _ in came) == sent
                far.sendto(sent, came[0][1])
                assert b"".join(near.recv(65536) for _ in came) == sent


def test_no_connection_minds_that_the_programs_are_replaced(masqueraded: Cluster) -> None:
    loads = [Load(masqueraded["client"], address).start() for address in (VIP, VIP6)]
    for _ in range(3):
        before = [load.echoed for load in loads]
        masqueraded["director"].up("--connections", ROOM)
        until("words came back", lambda: all(load.echoed > then + 20 for load, then in zip(loads, before, strict=True)))  # noqa: B023
    for load in loads:
        assert load.stop().mishaps == [], (masqueraded["director"].verdicts(), load.answers)
        assert set(load.answers) == {"rs1", "rs2"}


def test_a_drained_real_server_loses_its_connections_and_no_other_does(masqueraded: Cluster) -> None:
    director, client = masqueraded["director"], masqueraded["client"]
    echoes = [Echo(client) for _ in range(4)]
    assert {ask_udp(client) for _ in range(4)} == {"rs1", "rs2"}
    director.directrix("drain", "-t", f"{VIP}:80", "-r", f"10.0.0.11:{PORT}", "--deadline", "0.1s", "--then", "expire")
    for echo in echoes:
        if echo.name == "rs2":
            assert echo.say()
        else:
            with pytest.raises(OSError, match=r"timed out|reset"):
                echo.say(patience=1)
    assert {echo.name for echo in echoes} == {"rs1", "rs2"}
