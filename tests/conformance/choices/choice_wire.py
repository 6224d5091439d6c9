"""The wire before the real director: one end sends as the clients, and sees what the real servers get.

Every real server is a neighbour with a hardware address of our choosing that names it, so a
packet's new destination tells whom IPVS chose. A refused connection is answered with port
unreachable.
"""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from choice_frames import frame, hardware, served
from choice_steps import REFUSED, SYN, Segment
from guest import ENVIRONMENT

from directrix.lvs import Address, parse_address

PATIENCE, OTHERWISE = 5.0, 1.0
"""Seconds to wait for what becomes of a SYN; of another segment, which may go nowhere."""

DIRECTOR, CLIENTS = bytes.fromhex("02000000d0d0"), bytes.fromhex("02000000c0c0")
_ETH_P_ALL = 3
_ETHERNET = 14
_SO_MARK = 36

ADDRESSES = """\
link set lo up
link add d0 address 02:00:00:00:d0:d0 type veth peer name c0 address 02:00:00:00:c0:c0
link set d0 up
link set c0 up
addr add 10.0.0.254/24 dev d0
addr add fd00::254/64 dev d0 nodad
route add local 10.0.0.96/27 dev lo
route add local fd00::60/124 dev lo
route add 10.2.0.0/16 dev d0
neigh add 10.0.0.50 lladdr 02:00:00:00:c0:c0 dev d0
neigh add fd00::50 lladdr 02:00:00:00:c0:c0 dev d0
route add 10.1.0.0/16 via 10.0.0.50
route add fd01::/64 via fd00::50
"""
"""Virtual addresses are 10.0.0.96 to 127 and fd00::60 to 6f, clients 10.1.0.0/16 and fd01::/64."""

SETTINGS = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv6/icmp/ratelimit": "0",
}


def _ip(commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input=commands, text=True, check=True, env=ENVIRONMENT)


class Wire:
    """In a network namespace of its own, where IPVS is."""

    def __init__(self) -> None:
        for name, value in SETTINGS.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(value)
        _ip(ADDRESSES)
        self.introduce([parse_address("10.0.0.10") + number for number in range(1, 9)])
        self.introduce([parse_address("fd00::10") + number for number in range(1, 5)])
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind(("c0", _ETH_P_ALL))
        self._socket.setblocking(False)

    def introduce(self, servers: list[Address]) -> None:
        """Make real servers known as neighbours."""
        lines = (f"neigh add {server} lladdr {hardware(server).hex(':')} dev d0\n" for server in servers)
        _ip("".join(lines))

    def choose(self, sent: Iterable[Segment]) -> Iterator[str]:
        """Send segments, one after the other, and say who got each."""
        for segment in sent:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, segment.mark)
            sent_frame = frame(segment, DIRECTOR, CLIENTS)
            self._socket.send(sent_frame)
            yield self._seen(segment, sent_frame[_ETHERNET:])

    def _seen(self, segment: Segment, packet: bytes) -> str:
        # Addresses and ports stand in both the forwarded packet and the error that quotes it.
        marks = packet[12:24] if segment.client.version == 4 else packet[8:44]
        patience = PATIENCE if segment.flags == SYN else OTHERWISE
        while select.select([self._socket], [], [], patience)[0]:
            seen, (_, _, kind, *_) = self._socket.recvfrom(2000)
            if kind == socket.PACKET_OUTGOING or marks not in seen:
                continue
            if server := served(seen, segment):
                return server
            if seen[:6] == CLIENTS:
                return REFUSED
        if segment.flags == SYN:
            raise RuntimeError(f"nothing became of {segment}")
        return REFUSED
