"""Real TCP and UDP through tunnels to real servers on another network, where nothing but the tunnel leads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hosts import VIP, VIP6, Cluster, two_armed
from test_hooks import ready_for_xdp, xdp_pass  # noqa: F401
from traffic import ask, ask_udp, download, serve, upload

pytestmark = pytest.mark.root
KINDS = {
    "ipip": "--tun-type ipip",
    "gre": "--tun-type gre --tun-csum",
    "gue": "--tun-type gue --tun-port 6080 --tun-csum",
}
ONE_KIND = [kind if kind == "gue" else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
"""The one with the most in it; the others where there is time."""
REAL = {4: "10.0.2.1{}", 6: "[fd00:2::1{}]"}


@pytest.fixture
def routed(cluster: Cluster) -> Cluster:
    """The two-armed cluster; its real servers have no VIP yet."""
    two_armed(cluster)
    for name in ("rs1", "rs2"):
        cluster[name].ip(f"addr del {VIP}/32 dev lo; addr del {VIP6}/128 dev lo")
    return cluster


def be_real_servers(cluster: Cluster) -> None:
    """Real servers that take packets out of all kinds of tunnels."""
    tunnels = ("--tunnel", "ipip", "--tunnel", "gre", "--tunnel", "gue:6080")
    for name in ("rs1", "rs2"):
        cluster[name].directrix("realserver", "start", "--vip", VIP, VIP6, "--method", "tunnel", *tunnels)


@pytest.mark.parametrize("outer", [4, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_carry_all_families(routed: Cluster, kind: str, outer: int) -> None:
    client, director = routed["client"], routed["director"]
    be_real_servers(routed)
    serve(routed)
    director.up()
    rules = []
    for vip in (VIP, f"[{VIP6}]"):
        for option in ("-t", "-u"):
            rules.append(f"-A {option} {vip}:80 -s rr")
            rules += [f"-a {option} {vip}:80 -r {REAL[outer].format(n)}:80 -i {KINDS[kind]}" for n in (1, 2)]
    director.restore("; ".join(rules))
    for vip in (VIP, VIP6):
        for question in (ask, ask_udp):
            assert len(Counter(question(client, vip) for _ in range(4))) == 2
        # The sender's packets are large and without checksums yet: both are the kernel's work, behind the tunnel.
        # Single ones are too big until the sender has believed the director's errors.
        assert upload(client, 2 << 20, vip)
        assert download(client, 1 << 20, vip)
    assert not {"malformed", "no_route", "busy"} & set(director.verdicts())


def test_large_datagrams_are_cut_for_the_tunnel_and_answered(routed: Cluster) -> None:
    client, director = routed["client"], routed["director"]
    be_real_servers(routed)
    serve(routed)
    director.up()
    director.restore(f"-A -u {VIP}:80 -s rr; -a -u {VIP}:80 -r 10.0.2.11:80 -i; -a -u {VIP}:80 -r 10.0.2.12:80 -i")
    assert {ask_udp(client) for _ in range(2)} == {"rs1", "rs2"}  # of the first large one a piece would wait in vain
    assert {ask_udp(client, size=4000) for _ in range(4)} == {"rs1", "rs2"}
    assert "too_big" not in director.verdicts()


def test_segments_that_are_clamped_fit_at_once(routed: Cluster) -> None:
    client, director = routed["client"], routed["director"]
    for name in ("rs1", "rs2"):
        routed[name].directrix("realserver", "start", "--vip", VIP, VIP6, "--clamp-mss")
    serve(routed)
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.2.11:80 -i; -a -t {VIP}:80 -r 10.0.2.12:80 -i")
    for _ in range(2):
        assert upload(client, 1 << 20)
    assert "too_big" not in director.verdicts()


@pytest.mark.parametrize("kind", ONE_KIND)
def test_a_client_hears_of_a_narrow_way_inside_the_tunnel(routed: Cluster, kind: str) -> None:
    client, director, gateway = routed["client"], routed["director"], routed["gateway"]
    be_real_servers(routed)
    serve(routed)
    director.ip("route add 10.0.2.11 via 10.0.0.254")
    gateway.ip("route add 10.0.2.11 dev eth2 mtu lock 1300")
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.2.11:80 -i {KINDS[kind]}")
    assert upload(client, 1 << 20)
    assert director.verdicts().get("tunnel_error")


@pytest.mark.parametrize("kind", ONE_KIND)
def test_in_the_driver_most_packets_go_the_quick_way(routed: Cluster, xdp_pass: Path, kind: str) -> None:  # noqa: F811
    client, director, switch = routed["client"], routed["director"], routed["switch"]
    be_real_servers(routed)
    serve(routed)
    ready_for_xdp(routed, xdp_pass, [(switch, "p-director")])
    director.ip("route add 10.0.2.11 via 10.0.0.254")
    director.up("--hook", "xdp")
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.2.11:80 -i {KINDS[kind]}")
    assert ask(client) == "rs1"
    before = director.verdicts()
    assert upload(client, 1 << 20)
    after = director.verdicts()
    assert after["forwarded"] - before["forwarded"] > 10 * (after["handed_up"] - before.get("handed_up", 0))
