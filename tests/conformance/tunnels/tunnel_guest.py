"""Inside the conformance machine: what the real IPVS makes of the packets of `tunnel_cases`."""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from guest import ENVIRONMENT, isolate
from guest_wire import GATEWAY, SERVER, WIRE, build, end_of_wire, frame, ipvsadm, write_checksums
from tunnel_cases import CLIENTS, KINDS, SERVERS, VIPS, Case, cases, error, error_cases, large_cases

PATIENCE = 1.0
QUIET = 0.1
ICMP = 1
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


class Wire:
    """The far end of the director's wire."""

    def __init__(self) -> None:
        build(_NETWORK)
        write_checksums("wire")
        self._socket = end_of_wire()

    def send(self, packet: bytes) -> None:
        """A packet from the gateway to the director."""
        self._socket.send(frame(packet))

    def heard(self, patience: float = PATIENCE) -> Iterator[tuple[str, bytes]]:
        """Who gets what, `server` or `client`, and the packet from its IP header on, until there is silence."""
        while select.select([self._socket], [], [], patience)[0]:
            seen, (_, _, kind, *_) = self._socket.recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and seen[6:12].hex(":") == WIRE:
                yield "server" if seen[:6].hex(":") == SERVER else "client", seen[14:]

    def answer(self, case: Case) -> str:
        """The first answer to a packet."""
        self.send(case.packet)
        for to, packet in self.heard():
            if CLIENTS[case.inner].packed in packet:
                return f"{to} {packet.hex()}"
        return "nobody"

    def pieces(self, case: Case, pmtu_disc: int) -> str:
        """All that the real server gets for a packet that is cut."""
        (Path("/proc/sys/net/ipv4/vs") / "pmtu_disc").write_text(str(pmtu_disc))
        self.send(case.packet)
        got = [packet.hex() for to, packet in self.heard(QUIET) if to == "server"]
        (Path("/proc/sys/net/ipv4/vs") / "pmtu_disc").write_text("1")
        return " ".join(got)

    def told(self, case: Case) -> str:
        """What the client is told when a router says something about the packet in the tunnel."""
        outer = bytes.fromhex(self.answer(case).partition(" ")[2])
        self.send(error(outer, case.what))
        answers = [packet.hex() for to, packet in self.heard(QUIET) if to == "client" and packet[9] == ICMP]
        subprocess.run(["ip", "route", "flush", "cache"], check=True, env=ENVIRONMENT)
        return " ".join(answers)


_served = ""


def serve(case: Case) -> None:
    """Services and a real server for a case."""
    global _served
    vip = f"[{VIPS[6]}]" if case.inner == 6 else str(VIPS[4])
    rip = f"[{SERVERS[6]}]" if case.outer == 6 else str(SERVERS[4])
    rules = f"{vip} {rip} {KINDS[case.kind]}"
    if rules != _served:
        ipvsadm("-C")
        for option, port in (("-t", 80), ("-u", 53)):
            ipvsadm(f"-A {option} {vip}:{port} -s rr")
            ipvsadm(f"-a {option} {vip}:{port} -r {rip}:{port} -i {KINDS[case.kind]}")
        _served = rules


def main(output: Path) -> None:
    isolate()
    wire = Wire()
    lines = []
    for case in cases():
        serve(case)
        lines.append(f"{case.name}: {wire.answer(case)}\n")
        (output / "transcript.txt").write_text("".join(lines))
    lines = []
    for case, pmtu_disc in large_cases():
        serve(case)
        lines.append(f"{case.name}: {wire.pieces(case, pmtu_disc)}\n")
    (output / "cut.txt").write_text("".join(lines))
    lines = []
    for case in error_cases():
        serve(case)
        lines.append(f"{case.name}: {wire.told(case)}\n")
    (output / "errors.txt").write_text("".join(lines))
