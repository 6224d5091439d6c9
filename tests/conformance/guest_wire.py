"""For guests that are the clients and real servers themselves: a director whose wires end in packet sockets."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from guest import ENVIRONMENT

WIRE, GATEWAY, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:fe", "02:00:00:00:01:01"
_ETH_P_ALL = 3
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
SETTINGS = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv6/icmp/ratelimit": "0",
}
"""It takes every packet, and answers as many as it likes."""


def build(network: str, settings: Mapping[str, str] = SETTINGS) -> None:
    """Make the director: its kernel parameters, and its devices by lines for `ip -batch`."""
    for name, value in settings.items():
        path = Path("/proc/sys") / name
        if path.exists():
            path.write_text(value)
    subprocess.run(["ip", "-batch", "-"], input=network, text=True, check=True, env=ENVIRONMENT)


def write_checksums(device: str) -> None:
    """Have packets leave with their checksums filled in, instead of leaving that to a network card."""
    subprocess.run(["ethtool", "-K", device, "tx", "off"], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def end_of_wire(device: str = "far") -> socket.socket:
    """Where all that arrives at a device is heard."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    end.bind((device, _ETH_P_ALL))
    return end


def frame(packet: bytes, sender: str = GATEWAY) -> bytes:
    """A packet, from its IP header on, as it comes to the director."""
    return bytes.fromhex((WIRE + sender).replace(":", "")) + _ETHERTYPES[packet[0] >> 4] + packet


def ipvsadm(words: str) -> None:
    """Run it."""
    subprocess.run(["ipvsadm", *words.split()], check=True, env=ENVIRONMENT)
