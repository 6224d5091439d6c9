"""Inside the conformance machine: what the real IPVS makes of the packets of `tunnel_cases`."""

from __future__ import annotations

import select
import socket
import subprocess
from pathlib import Path

from guest import ENVIRONMENT, isolate
from tunnel_cases import CLIENTS, KINDS, SERVERS, VIPS, Case, cases

PATIENCE = 1.0
WIRE, GATEWAY, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:fe", "02:00:00:00:01:01"
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
link set wire up
link set far up
addr add 10.0.0.2/24 dev wire
addr add fd00::2/64 dev wire nodad
route add local 10.0.0.1 dev lo
neigh add 10.0.0.50 lladdr {GATEWAY} dev wire
neigh add fd00::50 lladdr {GATEWAY} dev wire
neigh add 10.0.0.11 lladdr {SERVER} dev wire
neigh add fd00::11 lladdr {SERVER} dev wire
addr add fd00::1/128 dev lo preferred_lft 0
route add 192.0.2.0/24 via 10.0.0.50
route add 2001:db8::/32 via fd00::50
"""


def ipvsadm(words: str) -> None:
    subprocess.run(["ipvsadm", *words.split()], check=True, env=ENVIRONMENT)


class Wire:
    """The far end of the director's wire."""

    def __init__(self) -> None:
        for name, value in _SETTINGS.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(value)
        subprocess.run(["ip", "-batch", "-"], input=_NETWORK, text=True, check=True, env=ENVIRONMENT)
        # A device without offloads gets checksums that are whole.
        subprocess.run(["ethtool", "-K", "wire", "tx", "off"], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind(("far", _ETH_P_ALL))

    def answer(self, case: Case) -> str:
        """Who gets what for a packet: `server` or `client`, and the packet from its IP header on."""
        macs = bytes.fromhex((WIRE + GATEWAY).replace(":", ""))
        self._socket.send(macs + {4: b"\x08\x00", 6: b"\x86\xdd"}[case.inner] + case.packet)
        while select.select([self._socket], [], [], PATIENCE)[0]:
            seen, (_, _, kind, *_) = self._socket.recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and CLIENTS[case.inner].packed in seen:
                return f"{'server' if seen[:6].hex(':') == SERVER else 'client'} {seen[14:].hex()}"
        return "nobody"


def main(output: Path) -> None:
    isolate()
    wire, before = Wire(), ""
    lines = []
    for case in cases():
        vip = f"[{VIPS[6]}]" if case.inner == 6 else str(VIPS[4])
        rip = f"[{SERVERS[6]}]" if case.outer == 6 else str(SERVERS[4])
        rules = f"{vip} {rip} {KINDS[case.kind]}"
        if rules != before:
            ipvsadm("-C")
            for option, port in (("-t", 80), ("-u", 53)):
                ipvsadm(f"-A {option} {vip}:{port} -s rr")
                ipvsadm(f"-a {option} {vip}:{port} -r {rip}:{port} -i {KINDS[case.kind]}")
            before = rules
        lines.append(f"{case.name}: {wire.answer(case)}\n")
        (output / "transcript.txt").write_text("".join(lines))
