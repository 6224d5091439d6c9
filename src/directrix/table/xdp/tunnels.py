"""What the data plane is told of a tunnel: its kind, and where its packets come from."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from socket import htons, ntohs

from directrix.lvs import Address, ForwardingMethod, RealServer, Tunnel, TunnelFlags, TunnelType
from directrix.table.xdp import layout
from directrix.table.xdp.keys import address_bytes

_ANY_PORT = 9


def fields(server: RealServer) -> dict[str, int | bytes]:
    """The fields of a struct server that say how it is tunnelled to."""
    tunnel = server.tunnel
    return {"tunnel_type": int(tunnel.type), "tunnel_flags": int(tunnel.flags), "tunnel_port": htons(tunnel.port)}


def tunnel_from(raw: tuple[int, ...], places: Mapping[str, int]) -> Tunnel:
    """The tunnel in the fields of a struct server."""
    return _tunnel(raw[places["tunnel_type"]], raw[places["tunnel_flags"]], raw[places["tunnel_port"]])


@lru_cache(maxsize=64)
def _tunnel(kind: int, flags: int, port: int) -> Tunnel:
    return Tunnel(TunnelType(kind), ntohs(port), TunnelFlags(flags))


def flags(server: RealServer) -> int:
    """The flags of its way in struct hop that come from the forwarding method."""
    if server.method is not ForwardingMethod.TUNNEL:
        return 0
    plain = server.tunnel.type is TunnelType.IPIP and server.address.version == 4
    return layout.SERVER_TUNNEL | (layout.SERVER_IPIP4 if plain else 0)


def outer_addresses(address: Address) -> bytes:
    """The addresses in struct hop of a tunnel to a real server: over IPv4 source and target, over IPv6 the source."""
    source = _source(address)
    return (source[:4] + address.packed).ljust(16, b"\0") if address.version == 4 else source


def _source(address: Address) -> bytes:
    """The address that this host's packets to another one come from, as the route says; zeros if there is no route.

    Where the kernel's bpf_fib_lookup() tells sources, which came with Linux 6.7 and Debian's 6.1, the data plane
    follows the route by itself; elsewhere this is all it knows.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect((str(address), _ANY_PORT))  # sends nothing
            name = probe.getsockname()[0]
        except OSError:
            return bytes(16)
    return address_bytes(ip_address(name.partition("%")[0]))
