"""Inside the conformance machine: what the real IPVS sends for the packets of `both_ways_cases`."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path

from both_ways_cases import METHODS, SERVERS, SERVICES, VIPS, Step, cases
from guest import isolate
from guest_wire import GATEWAY, SERVER, SETTINGS, WIRE, build, end_of_wire, frame, ipvsadm, write_checksums

SILENCE = 0.15
"""After so many seconds nothing more is expected."""
_REDIRECT = 137
_ROUTING = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
}
_NETWORK = f"""\
link add wire address {WIRE} type veth peer name far address {GATEWAY}
link set wire up
link set far up
addr add 10.0.0.2/24 dev wire
addr add fd00::2/64 dev wire nodad
route add local {VIPS[4]} dev lo
addr add {VIPS[6]}/128 dev lo preferred_lft 0
neigh add 10.0.0.50 lladdr {GATEWAY} dev wire
neigh add fd00::50 lladdr {GATEWAY} dev wire
route add default via 10.0.0.50
route add 2000::/3 via fd00::50
neigh add {SERVERS[4]} lladdr {SERVER} dev wire
neigh add {SERVERS[6]} lladdr {SERVER} dev wire
"""


class Wire:
    """The far end of the director's wire, at which clients and real servers are."""

    def __init__(self) -> None:
        build(_NETWORK, _ROUTING | SETTINGS)
        # What gets there is at its end.
        Path("/proc/sys/net/ipv6/conf/far/disable_ipv6").write_text("1")
        Path("/proc/sys/net/ipv4/conf/far/forwarding").write_text("0")
        write_checksums("wire")
        self._socket = end_of_wire()

    def answers(self, step: Step) -> list[str]:
        """Who gets what for a packet: `server` or `client`, and each packet from its IP header on."""
        self._socket.send(frame(step.packet, GATEWAY if step.side == "client" else SERVER))
        said = []
        end = time.monotonic() + SILENCE
        while select.select([self._socket], [], [], max(0, end - time.monotonic()))[0]:
            seen, (_, _, kind, *_) = self._socket.recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and seen[12:14] in (b"\x08\x00", b"\x86\xdd") and not _host_only(seen):
                who = "server" if seen[:6].hex(":") == SERVER else "client"
                said.append(f"{who} {seen[14:].hex()}")
        return said


def _host_only(frame: bytes) -> bool:
    """Neighbour discovery, redirects and the like, and what is for nobody in particular."""
    return bool(frame[0] & 1) or (frame[12:14] == b"\x86\xdd" and frame[20] == 58 and 133 <= frame[54] <= _REDIRECT)


def serve(method: str, version: int) -> None:
    """The services with their one real server."""
    ipvsadm("-C")
    vip, rip = (f"[{VIPS[6]}]", f"[{SERVERS[6]}]") if version == 6 else (VIPS[4], SERVERS[4])
    for option, port, other in SERVICES.values():
        ipvsadm(f"-A {option} {vip}:{port} -s rr")
        ipvsadm(f"-a {option} {vip}:{port} -r {rip}:{other if method == 'masquerade' else port} {METHODS[method]}")


def main(output: Path) -> None:
    isolate()
    wire, before = Wire(), None
    lines = []
    for case in cases():
        if (case.method, case.version) != before:
            before = case.method, case.version
            serve(*before)
        for number, step in enumerate(case.steps, 1):
            lines.append(f"{case.name}, {number}: {' and '.join(wire.answers(step)) or 'nobody'}\n")
        (output / "transcript.txt").write_text("".join(lines))
