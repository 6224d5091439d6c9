"""Telling everybody on a wire which MAC has an address now: whoever knew another one learns it.

For IPv4 that is a gratuitous ARP request (RFC 5227 section 3), to the byte as keepalived sends it; for IPv6 an
unsolicited neighbour advertisement with the override flag to all nodes (RFC 4861 section 7.2.6).
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from directrix.system.facts.fact import Command, calling

_ETH_P_ALL = 3
_BROADCAST = b"\xff" * 6
_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_ICMPV6 = 58
_ADVERTISEMENT = 136
_OVERRIDE = 0x20000000
_ROUTER = 0x80000000


def announcement(address: IPv4Address | IPv6Address, interface: str, mac: bytes) -> Command:
    """The command that announces an address at an interface with this MAC; raises OSError."""
    program = f"arping -U -c 1 -I {interface} {address}" if address.version == 4 else f"ndsend {address} {interface}"
    return calling(program, _send, interface, frame(address, mac))


def frame(address: IPv4Address | IPv6Address, mac: bytes, *, router: bool = False) -> bytes:
    """The frame that announces an address; `router`: of a host that forwards (IPv6)."""
    if isinstance(address, IPv4Address):
        own = mac + address.packed
        body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + own + _BROADCAST + address.packed
        return _BROADCAST + mac + b"\x08\x06" + body
    body = address.packed + b"\x02\x01" + mac
    flags = _OVERRIDE | (_ROUTER if router else 0)
    whole = struct.pack(">BBHI", _ADVERTISEMENT, 0, 0, flags) + body
    pseudo = address.packed + _ALL_NODES.packed + struct.pack(">II", len(whole), _ICMPV6)
    whole = struct.pack(">BBHI", _ADVERTISEMENT, 0, _checksum(pseudo + whole), flags) + body
    header = struct.pack(">IHBB", 6 << 28, len(whole), _ICMPV6, 255) + address.packed + _ALL_NODES.packed
    return _ALL_NODES_MAC + mac + b"\x86\xdd" + header + whole


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _send(interface: str, data: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, _ETH_P_ALL))
        wire.send(data)
