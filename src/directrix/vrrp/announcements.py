"""The frames that tell neighbours where an address is: gratuitous ARP (RFC 826), unsolicited neighbour advertisement.

The ARP is a request for the address, sent by the address to everybody, as keepalived sends it. The neighbour
advertisement (RFC 4861 section 4.4) goes to all nodes with the override flag, and the router flag where we forward.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs.addresses import Address
from directrix.vrrp.checksum import checksum, pseudo_header

ETH_ARP = 0x0806
ETH_IPV6 = 0x86DD
_BROADCAST = b"\xff" * 6
_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_ICMPV6 = 58
_NEIGHBOUR_ADVERTISEMENT = 136
_TARGET_LINK_ADDRESS = 2
_ROUTER, _OVERRIDE = 1 << 31, 1 << 29


def announcement(address: Address, mac: bytes, *, router: bool = False) -> bytes:
    """The Ethernet frame that says: this address is at this MAC address. `router`: we forward (IPv6)."""
    if isinstance(address, IPv4Address):
        return gratuitous_arp(address, mac)
    return neighbour_advertisement(address, mac, router=router)


def gratuitous_arp(address: IPv4Address, mac: bytes) -> bytes:
    """A broadcast ARP request, from the address for the address."""
    head = struct.pack("!6s6sH", _BROADCAST, mac, ETH_ARP)
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, address.packed, _BROADCAST, address.packed)
    return head + body


def neighbour_advertisement(address: IPv6Address, mac: bytes, *, router: bool = False) -> bytes:
    """An unsolicited neighbour advertisement to all nodes."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    option = struct.pack("!BB6s", _TARGET_LINK_ADDRESS, 1, mac)
    bare = struct.pack("!BBHI16s", _NEIGHBOUR_ADVERTISEMENT, 0, 0, flags, address.packed) + option
    total = checksum(pseudo_header(address, _ALL_NODES, len(bare), _ICMPV6) + bare)
    message = bare[:2] + total.to_bytes(2, "big") + bare[4:]
    header = struct.pack("!IHBB16s16s", 6 << 28, len(message), _ICMPV6, 255, address.packed, _ALL_NODES.packed)
    return struct.pack("!6s6sH", _ALL_NODES_MAC, mac, ETH_IPV6) + header + message
