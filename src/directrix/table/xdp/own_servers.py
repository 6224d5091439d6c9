"""Which real servers are this host itself: BPF can't tell an address of the host's own from one without a route."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from directrix.lvs import Address
from directrix.system.local_address import is_here
from directrix.table.xdp import layout
from directrix.table.xdp.maps import Maps


def misjudged(maps: Maps) -> list[tuple[int, int]]:
    """Real servers, by number, that have become this host itself or are it no more, with the flags they should have."""
    top = layout.FRONT.get(maps.front.bytes, 0, "server_top")
    words, servers = maps.hops.words, maps.servers.bytes
    known: dict[Address, bool] = {}
    found = []
    for number in range(top):
        flags = words[number * layout.HOP.size // 4]
        if not flags & layout.SERVER_AVAILABLE:
            continue
        address = _address(servers, number)
        if address not in known:
            known[address] = is_here(address)
        wanted = flags | layout.SERVER_LOCAL if known[address] else flags & ~layout.SERVER_LOCAL
        if wanted != flags:
            found.append((number, wanted))
    return found


def _address(servers: memoryview, number: int) -> Address:
    start = number * layout.SERVER.size + layout.SERVER.offsets["address"]
    if layout.SERVER.get(servers, number * layout.SERVER.size, "family") == 4:
        return IPv4Address(bytes(servers[start : start + 4]))
    return IPv6Address(bytes(servers[start : start + 16]))
