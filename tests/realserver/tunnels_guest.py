"""Inside the conformance machine, whose Linux 6.1 has all tunnel devices: are packets taken out of tunnels?

First its modules can't be found, so that the BPF program has to do it, then they can. Every line of what this writes is
one question and its answer.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
from pathlib import Path

from guest import ENVIRONMENT, isolate, load
from tunnel_frames import HERE, KINDS, VIPS, inner, wrapped

MAC, FAR = "02:00:00:00:00:11", "02:00:00:00:00:01"
PATIENCE = 5.0
TUNNELS = ("--tunnel", "ipip", "--tunnel", "gre", "--tunnel", "gue:6080")
WITH_CHECKSUM = "gre with checksum"
_NETWORK = f"""\
link add eth0 address {MAC} type veth peer name far address {FAR}
link set eth0 up
link set far up
addr add {HERE[4]}/24 dev eth0
addr add {HERE[6]}/64 dev eth0 nodad
route add default via 10.3.0.1
route add default via fd03::1
"""
_STATE = ("ip -details address show", "ip fou show", "ip -6 fou show", "tc qdisc show dev eth0", "nft list ruleset")


def ip(*lines: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, env=ENVIRONMENT)


def directrix(*words: str, modules: bool) -> str:
    """Run our command; what it prints."""
    environment = {**ENVIRONMENT, "PYTHONPATH": os.environ["SOURCE"], "TMPDIR": "/run"}
    if modules:
        environment["MODPROBE_OPTIONS"] = "-d /run/root"
    command = [os.environ["PYTHON"], "-B", "-m", "directrix", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stdout}{done.stderr}"


def state() -> str:
    """What must be the same after a stop. Devices that came with their modules stay, down."""
    said = ""
    for words in _STATE:
        done = subprocess.run(words.split(), env=ENVIRONMENT, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines(True) if "valid_lft" not in line]
        said += "".join(lines).replace(" tentative", "")
    for setting in sorted(Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter")):
        said += f"{setting.parent.name} {setting.read_text()}"
    return said


def arrives(kind: str, outer: int, version: int, mac: bytes) -> bool:
    """Whether a datagram for a VIP gets to a socket of this host."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as far,
        socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as server,
    ):
        server.bind((str(VIPS[version]), 53))
        far.bind(("far", 0))
        far.send(mac + wrapped(kind, outer, inner(version, data=b"?"))[6:])
        return bool(select.select([server], [], [], PATIENCE)[0]) and server.recv(10) == b"?"


def main(output: Path) -> None:
    load("sch_ingress", "cls_bpf", "nf_tables")
    isolate()
    ip(*_NETWORK.splitlines())
    for setting in ("all", "default", "eth0"):
        Path(f"/proc/sys/net/ipv4/conf/{setting}/rp_filter").write_text("1")
    vips = [str(vip) for vip in VIPS.values()]
    mac = bytes.fromhex(MAC.replace(":", ""))
    lines = []

    def note(line: str) -> None:
        lines.append(line + "\n")
        (output / "tunnels.txt").write_text("".join(lines))

    for modules in (False, True):
        by = "by the kernel" if modules else "by BPF"
        if modules:
            # Modules bring their devices, which stay.
            directrix("realserver", "start", "--vip", *vips, "--method", "tunnel", *TUNNELS, modules=True)
            directrix("realserver", "stop", modules=True)
        before = state()
        said = directrix("realserver", "start", "--vip", *vips, "--method", "tunnel", *TUNNELS, modules=modules)
        note(f"{by} start: {said.strip()}")
        note(f"{by} devices: {'tunl0' in directrix('realserver', 'status', modules=modules)}")
        note(f"{by} status: {directrix('realserver', 'status', modules=modules).split()[0]}")
        for version in VIPS:
            for outer in HERE:
                for kind in KINDS:
                    if modules and kind == WITH_CHECKSUM:
                        continue
                    note(f"{by} {kind} {version}-in-{outer}: {arrives(kind, outer, version, mac)}")
        note(f"{by} stop: {directrix('realserver', 'stop', modules=modules).strip()}")
        after = state()
        note(f"{by} as before: {after == before}")
        if after != before:
            note(before + "-----\n" + after)
