"""Packets for a director whose way to a real server takes smaller ones than the way in.

Knows neither IPVS nor the data plane.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from guest import HERE

sys.path.insert(0, str(HERE / "tunnels"))
from tunnel_cases import CLIENTS, TCP, UDP, VIPS, packet

from directrix.lvs import Address

__all__ = ["CLIENTS", "MTU", "SERVERS", "SERVER_PORTS", "TCP", "UDP", "VIPS", "Case", "cases"]

MTU = 1400
"""Of the way to each of SERVERS; all else takes 1500 bytes."""

SERVERS: dict[tuple[str, int], Address] = {
    ("device", 4): ip_address("10.0.1.20"),
    ("device", 6): ip_address("fd00:0:0:1::20"),
    ("route", 4): ip_address("10.0.0.12"),
    ("route", 6): ip_address("fd00::12"),
}
"""By what is narrow, the device or the route alone, and family. The route's is locked (docs/interfaces.md)."""


SERVER_PORTS = {("direct", TCP): 80, ("direct", UDP): 53, ("masquerade", TCP): 8080, ("masquerade", UDP): 5353}
"""By the method that the real server is reached by, and protocol. The services are on ports 80 and 53."""


@dataclass(frozen=True, slots=True)
class Case:
    """A packet, and the real server it is for.

    Attributes:
        method: how that is reached: "direct" or "masquerade".
        narrow: what takes smaller packets only: `device` or `route`.
        version: 4 or 6.
        what: what is special about the packet.
        protocol: TCP or UDP.
        packet: from its IP header on.
    """

    method: str
    narrow: str
    version: int
    what: str
    protocol: int
    packet: bytes

    @property
    def name(self) -> str:
        """Names it in the transcript."""
        return f"IPv{self.version} {self.what}, a narrow {self.narrow}{', masqueraded' * self.masqueraded}"

    @property
    def masqueraded(self) -> bool:
        """Whether the real server is masqueraded."""
        return self.method == "masquerade"

    @property
    def server_port(self) -> int:
        """The real server's port."""
        return SERVER_PORTS[self.method, self.protocol]


def cases() -> Iterator[Case]:
    """All there are. Every server has a client's port of its own, for IPVS's connections outlive its services."""
    ways = [(method, *way) for method in ("direct", "masquerade") for way in SERVERS]
    for port, (method, narrow, version) in enumerate(ways, 1024):
        for what, protocol, values in (
            ("fits", TCP, {"size": MTU}),
            ("too big", TCP, {"size": MTU + 1}),
            ("full size", TCP, {"size": 1500}),
            ("datagram too big", UDP, {"size": 1500}),
            ("datagram too big without df", UDP, {"size": 1500, "df": False}),
            ("small", UDP, {"size": 100}),
        ):
            if version == 4 or "df" not in values:
                yield Case(method, narrow, version, what, protocol, packet(version, protocol, port, **values))  # type: ignore[arg-type]
