"""A device without Ethernet headers, tun, where masqueraded traffic comes in or goes out."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import VIP, VIP6, Cluster, Host
from traffic import Server, ask, ask_udp, download, upload

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs tun"),
]

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SIZE = 3 << 20


def tun(host: Host, number: int) -> int:
    """A device `tun0` of a host, with its address in 10.9.0.0/24 and fd09::/64; the descriptor that is its wire."""
    with host.entered():
        wire = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(wire, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    host.ip(f"link set tun0 up; addr add 10.9.0.{number}/24 dev tun0; addr add fd09::{number}/64 dev tun0 nodad")
    return wire


def joined(one: int, other: int, stop: int) -> None:
    """Carry packets between two devices until `stop` can be read."""
    while True:
        ready, _, _ = select.select([one, other, stop], [], [])
        if stop in ready:
            return
        for wire in ready:
            os.write(other if wire is one else one, os.read(wire, 65536))


@pytest.fixture(params=["clients", "real servers"])
def behind_tun(request: pytest.FixtureRequest, one: Cluster) -> Iterator[Cluster]:
    """Clients, or the real server, are reached by tun; a service on port 80 of a real server's 8080."""
    director, client, server = one["director"], one["client"], one["rs1"]
    far = client if request.param == "clients" else server
    wires = tun(director, 1), tun(far, 2)
    ended, end = os.pipe()
    carrying = threading.Thread(target=joined, args=(*wires, ended), daemon=True)
    carrying.start()
    try:
        if far is client:
            client.ip(f"route add {VIP} via 10.9.0.1 src 10.9.0.2; route add {VIP6} via fd09::1 src fd09::2")
            server.ip("route add 10.9.0.0/24 via 10.0.0.1; route add fd09::/64 via fd00::1")
            addresses = "10.0.0.11", "fd00::11"
        else:
            server.ip("route add 10.0.0.50 via 10.9.0.1 src 10.9.0.2; route add fd00::50 via fd09::1 src fd09::2")
            addresses = "10.9.0.2", "fd09::2"
        Server(one, server, port=8080, addresses=addresses)
        director.up("--interface", "eth0", "--interface", "tun0")
        for kind in ("-t", "-u"):
            director.restore(f"-A {kind} {VIP}:80 -s rr; -a {kind} {VIP}:80 -r {addresses[0]}:8080 -m")
            director.restore(f"-A {kind} [{VIP6}]:80 -s rr; -a {kind} [{VIP6}]:80 -r [{addresses[1]}]:8080 -m")
        yield one
    finally:
        os.write(end, b"!")
        carrying.join()
        for descriptor in (*wires, ended, end):
            os.close(descriptor)


def test_connections_and_datagrams_go_both_ways(behind_tun: Cluster) -> None:
    client = behind_tun["client"]
    for address in (VIP, VIP6):
        assert [ask(client, address) for _ in range(2)] == ["rs1"] * 2
        assert upload(client, SIZE, address)
        assert download(client, SIZE, address)
        assert ask_udp(client, address) == "rs1"
        assert ask_udp(client, address, size=4000) == "rs1"
    verdicts = behind_tun["director"].verdicts()
    assert verdicts["replied"] > 0
    assert not {"malformed", "no_route", "busy"} & set(verdicts)
