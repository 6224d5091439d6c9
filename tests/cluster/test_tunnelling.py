"""Real TCP and UDP through tunnels to real servers on another network, where nothing but the tunnel leads."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hosts import VIP, VIP6, Cluster, two_armed
from traffic import ask, ask_udp, download, serve, upload

pytestmark = pytest.mark.root
SOURCE = Path(__file__).with_name("decapsulate.bpf.c")
KINDS = {
    "ipip": "--tun-type ipip",
    "gre": "--tun-type gre --tun-csum",
    "gue": "--tun-type gue --tun-port 6080 --tun-csum",
}
REAL = {4: "10.0.2.1{}", 6: "[fd00:2::1{}]"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What takes packets out of their tunnels, compiled."""
    target = tmp_path_factory.mktemp("decapsulate") / "decapsulate.o"
    words = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-I/usr/include/{os.uname().machine}-linux-gnu"]
    subprocess.run([*words, "-c", str(SOURCE), "-o", str(target)], check=True)
    return target


@pytest.fixture
def tunnelled(cluster: Cluster, program: Path) -> Cluster:
    """The two-armed cluster, with real servers that take packets out of tunnels."""
    two_armed(cluster)
    for name in ("rs1", "rs2"):
        host = cluster[name]
        host.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
        host.run(*f"tc filter add dev eth0 ingress bpf direct-action object-file {program} section tc".split())
    return cluster


@pytest.mark.parametrize("outer", REAL)
@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_carry_all_families(tunnelled: Cluster, kind: str, outer: int) -> None:
    client, director = tunnelled["client"], tunnelled["director"]
    serve(tunnelled)
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
