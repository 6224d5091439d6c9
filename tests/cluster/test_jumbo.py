"""Frames of 9,000 bytes: more than one buffer for XDP, and through tc."""

from __future__ import annotations

from pathlib import Path

import native
import pytest
from hosts import VIP, VIP6, Cluster, service, until
from traffic import ask, ask_udp, serve, upload

pytestmark = pytest.mark.root

MTU = 9000
MEGABYTES = 20


@pytest.mark.parametrize("hook", ["xdp", pytest.param("xdp-generic", marks=pytest.mark.slow), "tc"])
def test_jumbo_frames_come_through(one: Cluster, hook: str, tmp_path: Path) -> None:
    director, switch, client = one["director"], one["switch"], one["client"]
    for name in ("client", "director", "rs1", "rs2"):
        one[name].ip(f"link set eth0 mtu {MTU}")
        switch.ip(f"link set p-{name} mtu {MTU}")
    switch.ip(f"link set br0 mtu {MTU}")
    if hook != "tc":
        ports = [(switch, "p-director")] if hook == "xdp" else []
        native.ready_for_xdp(one, native.xdp_pass(tmp_path), ports)
        client.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off")
    serve(one)
    director.up("--hook", hook)
    director.restore(service())
    for vip in (VIP, VIP6):
        assert ask(client, vip) in ("rs1", "rs2")
        assert ask_udp(client, vip, size=MTU - 60) in ("rs1", "rs2")
        assert upload(client, MEGABYTES << 20, vip)
    listing: list[str] = []

    def counted() -> bool:
        lines = director.ipvsadm(f"-Ln -t {VIP}:80 --stats --exact").splitlines()
        listing[:] = next(line for line in lines if line.startswith("TCP")).split()
        return int(listing[5]) > MEGABYTES << 20

    until("the estimator has taken it down", counted)
    packets, octets = int(listing[3]), int(listing[5])
    assert octets / packets > 6000
    if hook != "tc":
        verdicts = director.verdicts()
        assert verdicts["forwarded"] > 20 * verdicts["handed_up"]
