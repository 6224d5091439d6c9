"""What is not for a virtual service is none of ours: it arrives as if we were not there, once."""

from __future__ import annotations

import socket
import time
from collections import Counter

import pytest
from hosts import VIP, VIP6, Cluster, one_armed, service, until
from traffic import Echo, Load, Server, ask, ask_udp, download, open_socket, serve, upload
from wire import watching

pytestmark = pytest.mark.root
DIP, DIP6 = "10.0.0.1", "fd00::1"
HOOKS = pytest.mark.parametrize("hook", ["tc", "xdp-generic"])


@pytest.fixture
def busy(cluster: Cluster) -> Cluster:
    """A one-armed cluster with a stranger in it, and services in force."""
    one_armed(cluster, extra=("stranger",))
    serve(cluster)
    return cluster


def echo_request(identity: int, number: int) -> bytes:
    body = identity.to_bytes(2, "big") + number.to_bytes(2, "big") + b"directrix"
    head = b"\x08\x00\x00\x00"
    total = sum(int.from_bytes((head + body + b"\0")[i : i + 2], "big") for i in range(0, len(head + body), 2))
    total = (total & 0xFFFF) + (total >> 16)
    return b"\x08\x00" + (0xFFFF - ((total & 0xFFFF) + (total >> 16))).to_bytes(2, "big") + body


@HOOKS
def test_the_directors_own_traffic_is_untouched_while_it_forwards(busy: Cluster, hook: str) -> None:
    client, director = busy["client"], busy["director"]
    for host in busy.hosts.values():
        host.run("ethtool", "-K", "eth0", "tx", "off", check=False) if hook != "tc" else None
    director.up("--hook", hook)
    director.restore(service())
    Server(busy, director, port=22, addresses=(DIP, DIP6, VIP, VIP6))
    load = Load(client).start() if hook == "tc" else None
    session = Echo(client, DIP, 22)  # as SSH to the DIP
    for address in (DIP, DIP6, VIP, VIP6):
        assert ask(client, address, 22) == "director"
        assert ask_udp(client, address, 22) == "director"
        assert session.say(address)
    for address in (DIP, VIP6):
        assert upload(client, 2 << 20, address, 22)
        assert download(client, 2 << 20, address, 22)
    # and outwards, as a client
    Server(busy, busy["stranger"], port=99, addresses=("10.0.0.200", "fd00::200"))
    for address in ("10.0.0.200", "fd00::200"):
        assert ask(director, address, 99) == "stranger"
    for address in (VIP, VIP6):  # a port nobody has, neither service nor server
        with pytest.raises(ConnectionRefusedError):
            ask(client, address, 81)
    if load:
        assert load.stop().mishaps == []
    session.close()


@HOOKS
def test_icmp_to_the_addresses_is_the_hosts(busy: Cluster, hook: str) -> None:
    busy["director"].up("--hook", hook)
    busy["director"].restore(service())
    for address in (DIP, VIP):
        with busy["client"].entered():
            ping = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        with ping:
            ping.settimeout(2)
            ping.connect((address, 0))
            for number in range(3):
                ping.send(echo_request(7, number))
                assert ping.recv(1500)[20:22] == b"\0\0"


@HOOKS
def test_broadcast_and_multicast_arrive_once_and_are_not_sent_on(busy: Cluster, hook: str) -> None:
    director, switch = busy["director"], busy["switch"]
    director.up("--hook", hook)
    director.restore(service())
    with open_socket(director, DIP, socket.SOCK_DGRAM) as listener:
        listener.bind(("", 67))
        group = socket.inet_aton("239.1.2.3") + socket.inet_aton(DIP)
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        with watching((switch, "p-director")) as (seen,), open_socket(busy["client"], DIP, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.bind(("10.0.0.50", 0))
            for number in range(10):
                for address in ("10.0.0.255", "255.255.255.255", "239.1.2.3"):
                    s.sendto(f"{address} {number}".encode(), (address, 67))
            got = Counter(listener.recv(100).decode() for _ in range(30))
            back = [f for f in seen.frames() if not f.sent and f.protocol == 17]
    assert set(got.values()) == {1}
    assert len(got) == 30
    assert back == []


@HOOKS
def test_frames_for_other_hosts_that_a_switch_floods_are_not_forwarded_again(busy: Cluster, hook: str) -> None:
    """A hub: every port sees every frame. Those for the VIP with another host's MAC are not the director's."""
    director, switch, client = busy["director"], busy["switch"], busy["client"]
    director.ip("link set eth0 promisc on")
    switch.ip("link set br0 type bridge ageing_time 0")
    for port in ("client", "director", "rs1", "rs2", "stranger"):
        switch.ip(f"link set p-{port} type bridge_slave learning off")
    director.up("--hook", hook)
    director.restore(service())
    frame = bytes.fromhex(busy["stranger"].mac().replace(":", "") + client.mac().replace(":", "") + "0800")
    header = bytearray(bytes.fromhex("4500001d00010000401100000a0000320a000064"))
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, 20, 2))
    header[10:12] = (0xFFFF - ((total & 0xFFFF) + (total >> 16))).to_bytes(2, "big")
    frame += bytes(header) + bytes.fromhex("1388005000090000") + b"!"
    with client.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        with watching((switch, "p-director")) as (seen,):
            for _ in range(50):
                raw.send(frame)
            until("all were flooded", lambda: len([f for f in seen.frames(VIP) if f.sent]) == 50)
            time.sleep(0.05)
            assert [f for f in seen.frames(VIP) if not f.sent] == []
    assert director.verdicts()["other_host"] >= 50


def test_each_packet_for_the_service_leaves_exactly_once(busy: Cluster) -> None:
    director, switch = busy["director"], busy["switch"]
    director.up()
    director.restore(service(servers=(1,)))
    for vip in (VIP, VIP6):
        ask_udp(busy["client"], vip)
        with watching((switch, "p-director"), (switch, "p-rs1"), (switch, "p-stranger")) as (seen, server, stranger):
            with open_socket(busy["client"], vip, socket.SOCK_DGRAM) as s:
                s.connect((vip, 80))
                for number in range(300):
                    s.send(f"{number}".encode())
                    s.recv(100)
            asked = [f for f in seen.frames(vip) if f.sent]
            given = [f.rest for f in seen.frames(vip) if not f.sent]
            arrived = [f.rest for f in server.frames(vip) if f.sent]
            assert len(asked) == 300
            assert [f.routed for f in asked] == given == arrived
            assert stranger.frames(vip) == []


def test_arp_and_neighbour_discovery_are_the_hosts(busy: Cluster) -> None:
    director, client = busy["director"], busy["client"]
    director.up()
    director.restore(service())
    client.ip("neigh flush dev eth0")
    with watching((busy["switch"], "p-rs1")) as (seen,):
        for address in (VIP, VIP6):
            ask(client, address)
        answers = [f for f in seen.frames() if not f.sent and f.data[12:14] == b"\x08\x06" and f.data[21] == 2]
    told = client.run("ip", "neigh", "show", "dev", "eth0").stdout
    mac = director.mac()
    assert f"{VIP} lladdr {mac}" in told
    assert f"{VIP6} lladdr {mac}" in told
    assert [f for f in answers if f.data[28:32] == socket.inet_aton(VIP)] == []
