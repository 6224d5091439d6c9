"""Direct routing as it is seen on the wires: who gets what, and which bytes of it changed."""

from __future__ import annotations

import subprocess
from collections import Counter

import pytest
from hosts import DIRECTRIX, VIP, VIP6, Cluster, service, until
from traffic import ask, ask_udp, download, serve, upload
from wire import watching

pytestmark = pytest.mark.root
FAMILIES = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])


def test_the_first_service_needs_no_set_up_and_servers_take_turns(one: Cluster) -> None:
    serve(one)
    one["director"].restore(service())
    for vip in (VIP, VIP6):
        for question in (ask, ask_udp):
            answers = [question(one["client"], vip) for _ in range(6)]
            assert answers == ["rs2", "rs1"] * 3


def test_both_ways_into_a_namespace_see_one_table(one: Cluster) -> None:
    director = one["director"]
    director.up()
    director.ipvsadm(f"-A -t {VIP}:80 -s wlc")

    def by_ip(words: str) -> str:
        command = ["ip", "netns", "exec", director.namespace, *DIRECTRIX, *words.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    by_ip(f"ipvsadm -a -t {VIP}:80 -r 10.0.0.11:80 -g -w 3")
    by_ip(f"ipvsadm -A -u {VIP}:53 -s rr")
    for saved in (by_ip("ipvsadm -Sn"), director.ipvsadm("-Sn")):
        assert saved.splitlines() == [
            f"-A -t {VIP}:80 -s wlc",
            f"-a -t {VIP}:80 -r 10.0.0.11:80 -g -w 3",
            f"-A -u {VIP}:53 -s rr",
        ]
    by_ip("down -q")
    assert director.directrix("status", check=False).returncode == 3
    by_ip("up -q -c 1000")
    assert director.status()["connections"]["size"] == 1000


@FAMILIES
def test_one_armed_only_the_macs_and_the_ttl_change(one: Cluster, vip: str) -> None:
    switch, director = one["switch"], one["director"]
    serve(one)
    director.up()
    director.restore(service(servers=(1,)))
    ask(one["client"], vip)  # neighbours get known
    mac = {name: one[name].mac() for name in ("client", "director", "rs1")}
    places = [(switch, "p-client"), (switch, "p-director"), (switch, "p-rs1")]
    with watching(*places) as (at_client, at_director, at_server):
        ask(one["client"], vip)
        ask_udp(one["client"], vip, size=1000)
        until("all has arrived", lambda: len(at_server.frames(vip)) == len(at_client.frames(vip)) >= 6)
        asked = [frame for frame in at_client.frames(vip) if not frame.sent]
        taken = [frame for frame in at_director.frames(vip) if frame.sent]
        given = [frame for frame in at_director.frames(vip) if not frame.sent]
        arrived = at_server.frames(vip)
        answers = [frame for frame in at_director.frames() if frame.source_address == vip]
    assert len(asked) >= 6
    assert [frame.rest for frame in asked] == [frame.rest for frame in taken]
    assert [frame.routed for frame in taken] == [frame.rest for frame in given]
    assert [frame.data for frame in given] == [frame.data for frame in arrived]
    assert {(frame.source, frame.to) for frame in taken} == {(mac["client"], mac["director"])}
    assert {(frame.source, frame.to) for frame in given} == {(mac["director"], mac["rs1"])}
    assert {frame.ttl for frame in arrived} == {63}
    assert answers == []


@FAMILIES
def test_two_armed_only_the_macs_and_the_ttl_change_and_answers_go_through_the_gateway(two: Cluster, vip: str) -> None:
    switch, director = two["switch"], two["director"]
    serve(two)
    director.up()
    director.restore(service(servers=(1,), net="2"))
    ask(two["client"], vip)
    places = [(switch, "p-director"), (switch, "b-director"), (switch, "b-rs1"), (switch, "b-gateway")]
    with watching(*places) as (front, back, server, gateway):
        ask(two["client"], vip)
        ask_udp(two["client"], vip, size=1000)
        until("all has arrived", lambda: len(server.frames(vip)) == len(front.frames(vip)) >= 6)
        taken, given = front.frames(vip), back.frames(vip)
        arrived, answers = server.frames(vip), [f for f in gateway.frames() if f.source_address == vip]
        past = [f for watch in (front, back) for f in watch.frames() if f.source_address == vip]
    assert len(taken) >= 6
    assert all(frame.sent for frame in taken)
    assert [frame.routed for frame in taken] == [frame.rest for frame in given]
    assert [frame.data for frame in given] == [frame.data for frame in arrived]
    assert {(f.source, f.to) for f in taken} == {(two["gateway"].mac("eth1"), director.mac("eth0"))}
    assert {(f.source, f.to) for f in given} == {(director.mac("eth1"), two["rs1"].mac())}
    assert {frame.ttl for frame in arrived} == {62}
    assert answers
    assert past == []


def test_two_armed_servers_take_turns_and_large_transfers_are_whole(two: Cluster) -> None:
    serve(two)
    two["director"].up()
    two["director"].restore(service(net="2"))
    for vip in (VIP, VIP6):
        assert Counter(ask(two["client"], vip) for _ in range(10)) == {"rs1": 5, "rs2": 5}
        assert Counter(ask_udp(two["client"], vip) for _ in range(10)) == {"rs1": 5, "rs2": 5}
        assert upload(two["client"], 10 << 20, vip)
        assert download(two["client"], 10 << 20, vip)


def test_a_client_beside_the_real_servers_is_served_by_the_back_interface(two: Cluster) -> None:
    """The same VIP, asked for through either interface of the director."""
    serve(two)
    director = two["director"]
    director.up()
    director.restore(service(net="2"))
    client = two.host("beside")
    two.wire(client, "eth0", two["switch"], "b-beside")
    two["switch"].ip("link set b-beside master back")
    client.ip(
        "addr add 10.0.2.60/24 dev eth0; addr add fd00:2::60/64 dev eth0 nodad; route add 10.0.0.100 via 10.0.2.1"
    )
    client.run("ip", "-6", "route", "add", VIP6, "via", "fd00:2::1")
    for vip in (VIP, VIP6):
        assert Counter(ask(client, vip) for _ in range(6)) == {"rs1": 3, "rs2": 3}


def test_a_real_server_behind_a_router_gets_its_frames_by_the_router(two: Cluster) -> None:
    """Direct routing to a RIP on no segment of the director: the frame is for the next hop, as Linux's IPVS has it."""
    director, router = two["director"], two.host("router")
    two.wire(router, "eth0", two["switch"], "b-router")
    two["switch"].ip("link set b-router master back")
    router.ip("addr add 10.0.2.253/24 dev eth0")
    director.up()
    director.ip("route add 10.77.0.0/16 via 10.0.2.253")
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.77.0.1:80 -g")
    with watching((two["switch"], "b-router")) as (seen,):
        with pytest.raises(TimeoutError):
            ask(two["client"], VIP, patience=1.0)
        until("it is seen", lambda: seen.frames(VIP))
        assert {frame.to for frame in seen.frames(VIP)} == {router.mac()}
    until("the next hop is known", lambda: director.hops()["10.77.0.1"]["state"] == "resolved")
