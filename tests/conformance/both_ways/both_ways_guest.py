"""Inside the conformance machine: what the real IPVS sends for the packets of `both_ways_cases`."""

from __future__ import annotations

import ctypes
import fcntl
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from both_ways_cases import METHODS, SERVERS, SERVICES, VIPS, Step, cases
from guest import ENVIRONMENT, isolate

SILENCE = 0.15
"""After so many seconds nothing more is expected."""
WIRE, GATEWAY, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:fe", "02:00:00:00:01:01"
_ETH_P_ALL = 3
_REDIRECT = 137
_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17
_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
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
        for name, value in _SETTINGS.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(value)
        subprocess.run(["ip", "-batch", "-"], input=_NETWORK, text=True, check=True, env=ENVIRONMENT)
        # What gets there is at its end.
        Path("/proc/sys/net/ipv6/conf/far/disable_ipv6").write_text("1")
        Path("/proc/sys/net/ipv4/conf/far/forwarding").write_text("0")
        _checksums_in_software("wire")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind(("far", _ETH_P_ALL))

    def answers(self, step: Step) -> list[str]:
        """Who gets what for a packet: `server` or `client`, and each packet from its IP header on."""
        sender = GATEWAY if step.side == "client" else SERVER
        macs = bytes.fromhex((WIRE + sender).replace(":", ""))
        self._socket.send(macs + {4: b"\x08\x00", 6: b"\x86\xdd"}[step.packet[0] >> 4] + step.packet)
        said = []
        end = time.monotonic() + SILENCE
        while select.select([self._socket], [], [], max(0, end - time.monotonic()))[0]:
            seen, (_, _, kind, *_) = self._socket.recvfrom(4000)
            if kind != socket.PACKET_OUTGOING and seen[12:14] in (b"\x08\x00", b"\x86\xdd") and not _host_only(seen):
                who = "server" if seen[:6].hex(":") == SERVER else "client"
                said.append(f"{who} {seen[14:].hex()}")
        return said


def _checksums_in_software(device: str) -> None:
    """Let packets leave with their checksums filled in, instead of leaving that to a network card."""
    off = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", device.encode(), ctypes.addressof(off)))


def _host_only(frame: bytes) -> bool:
    """Neighbour discovery, redirects and the like, and what is for nobody in particular."""
    return bool(frame[0] & 1) or (frame[12:14] == b"\x86\xdd" and frame[20] == 58 and 133 <= frame[54] <= _REDIRECT)


def ipvsadm(words: str) -> None:
    subprocess.run(["ipvsadm", *words.split()], check=True, env=ENVIRONMENT)


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
