"""Inside the conformance machine: what the real IPVS makes of the packets of `mtu_cases`."""

from __future__ import annotations

import select
import socket
import subprocess
import time
from pathlib import Path

from guest import ENVIRONMENT, isolate
from mtu_cases import CLIENTS, MTU, SERVER_PORTS, SERVERS, TCP, UDP, VIPS, Case, cases

SILENCE = 0.4
"""After so many seconds nothing more is expected."""
WIRE, GATEWAY = "02:00:00:00:00:01", "02:00:00:00:00:fe"
_ETH_P_ALL = 3
_SETTINGS = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv6/icmp/ratelimit": "0",
}
_NETWORK = f"""\
link add wire address {WIRE} type veth peer name far address {GATEWAY}
link add arm address 02:00:00:00:00:02 type veth peer name arm-far
link set wire up
link set far up
link set arm up mtu {MTU}
link set arm-far up mtu {MTU}
addr add 10.0.0.2/24 dev wire
addr add fd00::2/64 dev wire nodad
addr add 10.0.1.2/24 dev arm
addr add fd00:0:0:1::2/64 dev arm nodad
route add local {VIPS[4]} dev lo
addr add {VIPS[6]}/128 dev lo preferred_lft 0
neigh add 10.0.0.50 lladdr {GATEWAY} dev wire
neigh add fd00::50 lladdr {GATEWAY} dev wire
route add 192.0.2.0/24 via 10.0.0.50
route add 2001:db8::/32 via fd00::50
route add 10.0.0.12/32 dev wire mtu lock {MTU}
route add fd00::12/128 dev wire mtu lock {MTU}
""" + "".join(
    f"neigh add {address} lladdr 02:00:00:00:01:01 dev {'arm' if narrow == 'device' else 'wire'}\n"
    for (narrow, _), address in SERVERS.items()
)


class Wires:
    """The far ends of the director's two wires."""

    def __init__(self) -> None:
        for name, value in _SETTINGS.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(value)
        subprocess.run(["ip", "-batch", "-"], input=_NETWORK, text=True, check=True, env=ENVIRONMENT)
        self._sockets = []
        for device in ("far", "arm-far"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            s.bind((device, _ETH_P_ALL))
            self._sockets.append(s)

    def answer(self, case: Case) -> str:
        """Who gets what for a packet: `server` or `client`, and each packet from its IP header on."""
        macs = bytes.fromhex((WIRE + GATEWAY).replace(":", ""))
        self._sockets[0].send(macs + {4: b"\x08\x00", 6: b"\x86\xdd"}[case.version] + case.packet)
        said = []
        end = time.monotonic() + SILENCE
        while ready := select.select(self._sockets, [], [], max(0, end - time.monotonic()))[0]:
            seen, (_, _, kind, *_) = ready[0].recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and CLIENTS[case.version].packed in seen:
                said.append(f"{'server' if seen[:6].hex() == '020000000101' else 'client'} {seen[14:].hex()}")
        return " and ".join(said) or "nobody"


def ipvsadm(words: str) -> None:
    subprocess.run(["ipvsadm", *words.split()], check=True, env=ENVIRONMENT)


def main(output: Path) -> None:
    isolate()
    wires, before = Wires(), None
    lines = []
    for case in cases():
        rip = SERVERS[case.narrow, case.version]
        if (case.method, rip) != before:
            before = case.method, rip
            ipvsadm("-C")
            letter = "-m" if case.masqueraded else "-g"
            where = f"[{VIPS[6]}]" if case.version == 6 else str(VIPS[4])
            for option, port, behind in (
                ("-t", 80, SERVER_PORTS[case.method, TCP]),
                ("-u", 53, SERVER_PORTS[case.method, UDP]),
            ):
                ipvsadm(f"-A {option} {where}:{port} -s rr")
                ipvsadm(f"-a {option} {where}:{port} -r {f'[{rip}]' if rip.version == 6 else rip}:{behind} {letter}")
        lines.append(f"{case.name}: {wires.answer(case)}\n")
        (output / "transcript.txt").write_text("".join(lines))
