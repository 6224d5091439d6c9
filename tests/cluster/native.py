"""What veth needs to carry native XDP: a program at the far ends, and whole checksums from local stacks."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hosts import Cluster, Host

_PASS = """
#define SEC(name) __attribute__((section(name), used))
SEC("xdp.frags") int pass(void *ctx) { return 2; }
char _license[] SEC("license") = "GPL";
"""


def xdp_pass(directory: Path) -> Path:
    """Make an XDP program that lets everything pass: a veth whose peer sends by XDP needs one."""
    (directory / "pass.c").write_text(_PASS)
    made = directory / "pass.o"
    subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-c", directory / "pass.c", "-o", made], check=True)
    return made


def ready_for_xdp(cluster: Cluster, program: Path, ports: list[tuple[Host, str]]) -> None:
    """Make a cluster ready; `ports` are the far ends of the devices that get native XDP, and get `program`."""
    for host in cluster.hosts.values():
        for device in ("eth0", "eth1", "eth2"):
            host.run("ethtool", "-K", device, "tx", "off", check=False)
    for host, port in ports:
        host.run("ip", "link", "set", "dev", port, "xdpdrv", "obj", str(program), "sec", "xdp.frags")
