"""Real servers whose link address changes, comes late or moves; no process of ours runs meanwhile."""

from __future__ import annotations

import socket
import time

import pytest
from hosts import VIP, VIP6, Cluster, Host, be_real_server, one_armed, service, until
from traffic import Server, ask, ask_udp, open_socket
from wire import Watch, watching

pytestmark = pytest.mark.root
FAMILIES = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
SYN = 2
SOON = 3.0
"""Seconds within which a change must have been followed; about one or two is the promise, the rest is CI's."""


def rip(vip: str, number: int = 1) -> str:
    return f"fd00::{10 + number}" if ":" in vip else f"10.0.0.{10 + number}"


def send_until(cluster: Cluster, vip: str, server: Server, seconds: float = 8.0) -> tuple[float, int]:
    """A datagram each 10 ms until one arrives: how long that took, and how many were sent."""
    start, count, before = time.monotonic(), 0, len(server.datagrams)
    with open_socket(cluster["client"], vip, socket.SOCK_DGRAM) as s:
        s.connect((vip, 80))
        while len(server.datagrams) == before:
            assert time.monotonic() - start < seconds, f"nothing arrived in {seconds} s: {cluster['director'].hops()}"
            s.send(b"hello?")
            count += 1
            time.sleep(0.01)
    return time.monotonic() - start, count


@pytest.fixture
def quiet(cluster: Cluster) -> Cluster:
    """One real server, and a stranger listening on the wire. The server never says a word by itself."""
    one_armed(cluster, servers=1, extra=("stranger",))
    cluster["director"].up()
    cluster["director"].restore(service(servers=(1,)))
    return cluster


def silent(cluster: Cluster, host: Host) -> Server:
    server = Server(cluster, host)
    server.answering = False
    return server


@FAMILIES
@pytest.mark.parametrize("pause", [0.0, 3.0], ids=["under traffic", "after silence"])
def test_a_changed_mac_is_followed(quiet: Cluster, vip: str, pause: float) -> None:
    host, server = quiet["rs1"], silent(quiet, quiet["rs1"])
    send_until(quiet, vip, server)
    time.sleep(1.2 - pause / 3)
    send_until(quiet, vip, server)
    new = "02:00:00:00:77:01"
    with watching((quiet["switch"], "p-rs1")) as (seen,):
        host.ip(f"link set dev eth0 address {new}")
        time.sleep(pause)
        taken, count = send_until(quiet, vip, server)
        to_new = [f for f in seen.frames(vip) if f.to == new]
        by_itself = [f for f in seen.frames() if not f.sent and f.data[12:14] == b"\x08\x06" and f.data[21] == 1]
    assert to_new
    print(
        f"\nMAC changed, {'silence before' if pause else 'under traffic'}, {vip}: followed in {taken:.2f} s, ", end=""
    )
    print(f"{count - 1} datagrams lost or late, {len(by_itself)} ARP questions of the server's own")
    assert taken < SOON


@FAMILIES
def test_nothing_goes_to_a_wrong_host_while_a_mac_changes(quiet: Cluster, vip: str) -> None:
    host, server = quiet["rs1"], silent(quiet, quiet["rs1"])
    send_until(quiet, vip, server)
    old, stranger = host.mac(), quiet["stranger"].mac()
    with watching((quiet["switch"], "p-stranger"), (quiet["switch"], "p-director")) as (seen, given):
        host.ip("link set dev eth0 address 02:00:00:00:77:02")
        send_until(quiet, vip, server)
        time.sleep(0.1)
        assert [f for f in seen.frames(vip) if f.to in (stranger, "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00")] == []
        assert {f.to for f in given.frames(vip) if not f.sent} <= {old, "02:00:00:00:77:02"}


@FAMILIES
def test_a_server_slow_to_answer_gets_its_first_packets_and_nobody_else_does(cluster: Cluster, vip: str) -> None:
    one_armed(cluster, servers=1, extra=("stranger",))
    host, director = cluster["rs1"], cluster["director"]
    deaf(host)
    director.up()
    director.restore(service(servers=(1,)))
    server = silent(cluster, host)
    with watching((cluster["switch"], "p-director"), (cluster["switch"], "p-stranger")) as (given, stranger):
        with open_socket(cluster["client"], vip, socket.SOCK_DGRAM) as s:
            s.connect((vip, 80))
            for _ in range(100):
                s.send(b"early")
                time.sleep(0.01)
            assert [f for f in given.frames(vip) if not f.sent] == []
            assert stranger.frames(vip) == []
            hop = director.hops()[rip(vip)]
            assert hop["state"] == "no neighbour yet"
            assert hop["mac"] == ""
            assert director.verdicts()["no_neighbour"] >= 90
            assert server.datagrams == []
            hears(host)
        taken, _ = send_until(cluster, vip, server)
    print(f"\n{vip}: a second deaf, then served within {taken:.2f} s")
    assert taken < SOON
    assert director.hops()[rip(vip)] | {"service": ""} == {
        "service": "",
        "server": f"[{rip(vip)}]:80" if ":" in vip else f"{rip(vip)}:80",
        "state": "resolved",
        "interface": "eth0",
        "mac": host.mac(),
    }


def deaf(host: Host) -> None:
    """It does not hear who asks for its address."""
    host.run(
        "nft",
        "add table netdev deaf; add chain netdev deaf in { type filter hook ingress device eth0 priority 0; };"
        "add rule netdev deaf in ether type arp drop; add rule netdev deaf in icmpv6 type nd-neighbor-solicit drop",
    )


def hears(host: Host) -> None:
    host.run("nft", "delete", "table", "netdev", "deaf")


@pytest.mark.slow
@FAMILIES
def test_a_server_deaf_for_five_seconds_is_found_again(quiet: Cluster, vip: str) -> None:
    """Known before, then deaf to ARP under traffic: what is known stays in use, and nothing is lost to others."""
    host, server = quiet["rs1"], silent(quiet, quiet["rs1"])
    send_until(quiet, vip, server)
    deaf(host)
    with open_socket(quiet["client"], vip, socket.SOCK_DGRAM) as s:
        s.connect((vip, 80))
        before = len(server.datagrams)
        for _ in range(100):
            s.send(b"x")
            time.sleep(0.05)
        arrived = len(server.datagrams) - before
    hears(host)
    taken, _ = send_until(quiet, vip, server)
    print(f"\n{vip}: deaf for 5 s, {arrived} of 100 datagrams arrived meanwhile; again within {taken:.2f} s")
    assert taken < SOON


@FAMILIES
def test_the_first_packets_to_a_new_server_wait_for_its_address_and_arrive(quiet: Cluster, vip: str) -> None:
    Server(quiet, quiet["rs1"])
    quiet["director"].ip("neigh flush dev eth0")
    assert ask_udp(quiet["client"], vip) == "rs1"
    with watching((quiet["client"], "eth0")) as (seen,):
        assert ask(quiet["client"], vip) == "rs1"
        flags = [frame.data[47 if vip == VIP else 67] for frame in seen.frames(vip) if frame.sent]
    assert flags.count(SYN) == 1, "one that is lost is sent again"


@FAMILIES
def test_a_host_that_takes_over_the_address_gets_the_packets(quiet: Cluster, vip: str) -> None:
    first, heir = quiet["rs1"], quiet["stranger"]
    server = silent(quiet, first)
    send_until(quiet, vip, server)
    be_real_server(heir, VIP, VIP6)
    next_server = silent(quiet, heir)
    first.ip("link set eth0 down")
    length = 64 if ":" in vip else 24
    heir.run("ip", "addr", "add", f"{rip(vip)}/{length}", "dev", "eth0", *(["nodad"] if ":" in vip else []))
    taken, count = send_until(quiet, vip, next_server)
    print(f"\n{vip}: another host has the address: followed in {taken:.2f} s, {count - 1} datagrams before")
    assert taken < SOON
    assert quiet["director"].hops()[rip(vip)]["mac"] == heir.mac()


@pytest.mark.parametrize("vip", [VIP, pytest.param(VIP6, marks=pytest.mark.slow)], ids=["IPv4", "IPv6"])
def test_a_server_that_vanished_becomes_visible_as_such(quiet: Cluster, vip: str) -> None:
    server = silent(quiet, quiet["rs1"])
    send_until(quiet, vip, server)
    quiet["rs1"].ip("link set eth0 down")
    with open_socket(quiet["client"], vip, socket.SOCK_DGRAM) as s:
        s.connect((vip, 80))

        def gone() -> bool:
            s.send(b"anybody?")
            return quiet["director"].hops()[rip(vip)]["state"] == "no neighbour yet"

        taken = until("the next hop is unresolved", gone, 15)
    print(f"\n{vip}: a dead server shows after {taken:.1f} s")


def test_a_changed_route_to_a_real_server_is_followed(quiet: Cluster) -> None:
    """A real server behind a router; then its route leads to another."""
    director = quiet["director"]
    director.ip("route add 10.88.0.1/32 via 10.0.0.11")
    director.restore(f"-A -u {VIP}:99 -s rr; -a -u {VIP}:99 -r 10.88.0.1:99 -g")
    places = (quiet["switch"], "p-rs1"), (quiet["switch"], "p-stranger")
    with watching(*places) as (before, after), open_socket(quiet["client"], VIP, socket.SOCK_DGRAM) as s:
        s.bind(("10.0.0.50", 5000))

        def arrives(watch: Watch, mac: str) -> bool:
            s.sendto(b"x", (VIP, 99))
            return any(f.to == mac for f in watch.frames(VIP))

        until("the first router has it", lambda: arrives(before, quiet["rs1"].mac()), 5)
        director.ip("route replace 10.88.0.1/32 via 10.0.0.200")
        mac = quiet["stranger"].mac()
        taken = until("the second router has it", lambda: arrives(after, mac), 5)
    print(f"\na changed route: followed in {taken:.2f} s")
    assert taken < 1.5
