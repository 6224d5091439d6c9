"""Inside the conformance machine: what the real IPVS makes of the packets of `mtu_cases`."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path

from guest import isolate
from guest_wire import GATEWAY, SERVER, WIRE, build, end_of_wire, frame, ipvsadm
from mtu_cases import CLIENTS, MTU, SERVER_PORTS, SERVERS, TCP, UDP, VIPS, Case, cases

SILENCE = 0.4
"""After so many seconds nothing more is expected."""
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
    f"neigh add {address} lladdr {SERVER} dev {'arm' if narrow == 'device' else 'wire'}\n"
    for (narrow, _), address in SERVERS.items()
)


class Wires:
    """The far ends of the director's two wires."""

    def __init__(self) -> None:
        build(_NETWORK)
        self._sockets = [end_of_wire("far"), end_of_wire("arm-far")]

    def answer(self, case: Case) -> str:
        """Who gets what for a packet: `server` or `client`, and each packet from its IP header on."""
        self._sockets[0].send(frame(case.packet))
        said = []
        end = time.monotonic() + SILENCE
        while ready := select.select(self._sockets, [], [], max(0, end - time.monotonic()))[0]:
            seen, (_, _, kind, *_) = ready[0].recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and CLIENTS[case.version].packed in seen:
                said.append(f"{'server' if seen[:6].hex(':') == SERVER else 'client'} {seen[14:].hex()}")
        return " and ".join(said) or "nobody"


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
