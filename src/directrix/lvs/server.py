"""Real servers: where connections go."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.lvs.addresses import Address


class ForwardingMethod(enum.IntEnum):
    """How a packet gets to its real server, with IPVS's numbers."""

    MASQUERADE = 0
    LOCAL = 1
    TUNNEL = 2
    DIRECT = 3
    BYPASS = 4

    @property
    def label(self) -> str:
        """The word ipvsadm's listings use."""
        return _LABELS[self]


_LABELS = {
    ForwardingMethod.MASQUERADE: "Masq",
    ForwardingMethod.LOCAL: "Local",
    ForwardingMethod.TUNNEL: "Tunnel",
    ForwardingMethod.DIRECT: "Route",
    ForwardingMethod.BYPASS: "Bypass",
}


class TunnelType(enum.IntEnum):
    """Encapsulation used by the tunnel method, with IPVS's numbers."""

    IPIP = 0
    GUE = 1
    GRE = 2


class TunnelFlags(enum.IntFlag):
    """Checksum choice of GUE and GRE tunnels, with IPVS's numbers."""

    NOCSUM = 0
    CSUM = 1
    REMCSUM = 2


@dataclass(frozen=True, slots=True)
class Tunnel:
    """How the tunnel method encapsulates. `port` is used by GUE alone."""

    type: TunnelType = TunnelType.IPIP
    port: int = 0
    flags: TunnelFlags = TunnelFlags.NOCSUM

    @property
    def checksum(self) -> TunnelFlags:
        """The one choice ipvsadm tells of; other writers of a table may have set both bits."""
        if self.flags & TunnelFlags.CSUM:
            return TunnelFlags.CSUM
        return self.flags & TunnelFlags.REMCSUM


@dataclass(frozen=True, slots=True)
class RealServer:
    """A real server of one service, as the operator defined it.

    `address` and `port` identify it inside its service. `weight` 0 quiesces it: it gets no new
    connections. Thresholds count connections; 0 means none: at `upper_threshold` it stops being
    chosen until it falls below `lower_threshold` (three quarters of `upper_threshold` if 0).
    """

    address: Address
    port: int
    method: ForwardingMethod = ForwardingMethod.DIRECT
    weight: int = 1
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel: Tunnel = Tunnel()

    @property
    def key(self) -> tuple[Address, int]:
        """What identifies it inside its service."""
        return (self.address, self.port)
