"""What the data plane is told of masqueraded real servers."""

from __future__ import annotations

from directrix.lvs import ForwardingMethod, RealServer, ServiceKey
from directrix.lvs.errors import NotSupportedYet
from directrix.system.local_address import is_here
from directrix.table.xdp import layout
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.numbers import IN_USE


def flags(server: RealServer) -> int:
    """The flags of its way in struct hop that come from the forwarding method."""
    return layout.SERVER_MASQUERADE if server.method is ForwardingMethod.MASQUERADE else 0


def any_there(maps: Maps) -> bool:
    """Whether a service has such a real server. Quick, for it is asked at each removal."""
    size, top = layout.SERVER.size, layout.FRONT.get(maps.front.bytes, 0, "server_top")
    columns = (
        bytes(maps.servers.bytes[layout.SERVER.offsets[name] : top * size : size]) for name in ("in_use", "method")
    )
    return any(used == IN_USE and method == ForwardingMethod.MASQUERADE for used, method in zip(*columns, strict=True))


def check(key: ServiceKey, server: RealServer) -> None:
    """Refuse to masquerade to this host's own address and another port.

    Packets for a real server that is the director itself go to its own stack as they came, and its answers, which
    leave without coming by the data plane, bear the port that they were sent from.

    Raises:
        NotSupportedYet: that is asked for.
    """
    if server.method is ForwardingMethod.MASQUERADE and server.port not in (0, key.port) and is_here(server.address):
        raise NotSupportedYet(f"masquerading to another port of this host itself ({server.address} port {server.port})")
