"""`directrix up` over a running table puts new programs in the place of those that run; packets must not notice."""

from __future__ import annotations

import re
import socket
import threading
import time

import pytest
from hosts import VIP, Cluster, service, until
from traffic import Load, Server, open_socket, serve, upload
from wire import watching

pytestmark = pytest.mark.root


def program_ids(cluster: Cluster) -> str:
    """What tells the programs at the director's device from others there may be at another time."""
    director = cluster["director"]
    lines = director.run("tc", "filter", "show", "dev", "eth0", "ingress").stdout
    lines += director.run("ip", "-d", "link", "show", "dev", "eth0").stdout
    return " ".join(re.findall(r"\bid (\d+)", lines))


@pytest.mark.parametrize("times", [6, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("hook", ["tc", pytest.param("xdp-generic", marks=pytest.mark.slow)])
def test_replacing_the_programs_under_load_fails_and_resets_nothing(one: Cluster, times: int, hook: str) -> None:
    serve(one)
    director, client = one["director"], one["client"]
    for host in one.hosts.values():
        host.run("ethtool", "-K", "eth0", "tx", "off", check=False) if hook != "tc" else None
    # Each short connection is kept for two minutes after its end: the table must hold all of them.
    director.directrix("up", "-q", "-c", "200000", "--hook", hook)
    director.restore(service())
    load = Load(client, echoes=3, shorts=2).start()
    whole: list[bool] = []
    transfer = threading.Thread(target=lambda: whole.append(upload(client, 20 << 20)))
    transfer.start()
    seen = {program_ids(one)}
    for _ in range(times):
        director.directrix("up", "-q", "--hook", hook)
        seen.add(program_ids(one))
    transfer.join()
    load.stop()
    assert load.mishaps == []
    assert not {"table_full", "server_gone", "busy"} & director.verdicts().keys()
    assert whole == [True]
    assert len(seen) == times + 1
    assert director.ipvsadm("-Sn").count("-a ") == 8
    print(
        f"\n{times} replacements ({hook}): {sum(load.answers.values())} short connections, {load.echoed} echoes, ",
        end="",
    )
    print(f"longest wait {load.longest * 1000:.0f} ms")


def test_replacing_the_programs_loses_no_packet_on_the_wire(one: Cluster) -> None:
    """A datagram every 100 µs or so, one way: each that reached the director left it, once, in order."""
    director, switch = one["director"], one["switch"]
    server = Server(one, one["rs1"])
    server.answering = False
    director.up()
    director.restore(service(servers=(1,)))
    over = threading.Event()
    sent = 0

    def send() -> None:
        nonlocal sent
        with open_socket(one["client"], VIP, socket.SOCK_DGRAM) as s:
            s.connect((VIP, 80))
            while not over.wait(0.0001):
                s.send(sent.to_bytes(8, "big"))
                sent += 1

    with watching((switch, "p-director")) as (seen,):
        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(6):
            director.up()
            seen.frames()
        over.set()
        sender.join()
        taken = [f.data[42:50] for f in seen.frames(VIP) if f.sent]
        given = [f.data[42:50] for f in seen.frames(VIP) if not f.sent]
    print(f"\n6 replacements: {sent} datagrams sent, {len(taken)} at the director, {len(given)} left it")
    assert sent > 1000
    assert len(taken) == sent
    assert given == taken


def test_a_renewed_program_keeps_services_connections_and_counters(one: Cluster) -> None:
    from traffic import Echo, ask

    serve(one)
    director = one["director"]
    director.up()
    director.restore(service())
    echo = Echo(one["client"])
    for _ in range(5):
        ask(one["client"])
    until("its connection and five others are counted", lambda: re.search(r"TCP.* 6 ", director.ipvsadm("-Ln --stats")))
    # The last packets may have come after that: whatever there is is counted two seconds later.
    time.sleep(2.5)
    before = [director.ipvsadm(words) for words in ("-Ln", "-Ln --stats", "-Sn")]
    connections = director.status()["connections"]
    director.up()
    assert [director.ipvsadm(words) for words in ("-Ln", "-Ln --stats", "-Sn")] == before
    assert director.status()["connections"] == connections
    assert echo.say()
    echo.close()


@pytest.mark.slow
def test_connections_still_expire_after_the_program_was_replaced(one: Cluster) -> None:
    """The clock goes on with the new program."""
    from traffic import ask_udp

    serve(one)
    director = one["director"]
    director.up()
    director.restore(service() + "; --set 0 0 1")
    director.up()
    for _ in range(5):
        ask_udp(one["client"])
    assert director.status()["connections"]["used"] == 5
    until("they are gone", lambda: director.status()["connections"]["used"] == 0, 4)
