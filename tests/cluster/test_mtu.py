"""A narrower segment behind the director: clients learn what fits, as from IPVS, and what they send arrives."""

from __future__ import annotations

import socket

import pytest
from hosts import VIP, VIP6, Cluster, service
from traffic import ask, open_socket, serve, upload

pytestmark = pytest.mark.root

NARROW = 1300
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_MTU = 10, 0, 2, 14


def narrow(cluster: Cluster, hook: str) -> None:
    """The real servers' segment takes packets of NARROW bytes."""
    for name in ("b-director", "b-gateway", "b-rs1", "b-rs2"):
        cluster["switch"].ip(f"link set {name} mtu {NARROW}")
    for name, device in (("director", "eth1"), ("gateway", "eth2"), ("rs1", "eth0"), ("rs2", "eth0")):
        cluster[name].ip(f"link set {device} mtu {NARROW}")
    if hook != "tc":
        for host in cluster.hosts.values():
            for device in ("eth0", "eth1", "eth2"):
                host.run("ethtool", "-K", device, "tx", "off", check=False)
    serve(cluster)
    cluster["director"].up("--hook", hook)
    cluster["director"].restore(service(net="2"))


@pytest.mark.parametrize("hook", ["tc", "xdp-generic"])
def test_uploads_arrive_whole_in_segments_that_fit(two: Cluster, hook: str) -> None:
    """The servers announce segments for 1,500 bytes: else clients would know from the start."""
    narrow(two, hook)
    for name in ("rs1", "rs2"):
        two[name].ip("route replace default via 10.0.2.254 advmss 1460")
        two[name].ip("route replace ::/0 via fd00:2::254 advmss 1440")
    for vip in (VIP, VIP6):
        assert ask(two["client"], vip) in ("rs1", "rs2")
        assert upload(two["client"], 3 << 20, vip)
    assert two["director"].verdicts()["too_big"] > 0


def test_a_datagram_without_df_is_cut(two: Cluster) -> None:
    narrow(two, "tc")
    two["client"].run("ethtool", "-K", "eth0", "tx", "off")
    with open_socket(two["client"], VIP, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        s.connect((VIP, 80))
        for size in (1, 1400):
            s.send(b"?" * size)
            assert s.recv(100) in (b"rs1", b"rs2")
        assert s.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1500


def test_a_datagram_with_df_is_refused_with_the_size_that_fits(two: Cluster) -> None:
    narrow(two, "tc")
    with open_socket(two["client"], VIP, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        s.connect((VIP, 80))
        s.send(b"?")
        assert s.recv(100) in (b"rs1", b"rs2")  # the next hop is known
        s.send(b"?" * 1400)
        with pytest.raises(OSError, match="too long"):
            s.recv(100)
        assert s.getsockopt(socket.IPPROTO_IP, IP_MTU) == NARROW
        s.send(b"?" * (NARROW - 28))
        assert s.recv(100) in (b"rs1", b"rs2")
