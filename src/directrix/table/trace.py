"""What a trace asks a data plane for, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs import Address, ServiceKey
from directrix.lvs.mark import Network
from directrix.lvs.tcp import TcpFlags

DEFAULT_RATE = 1000
"""Packets shown a second unless somebody asks for more."""
MOST_RATE = 100_000
MOST_SNAP = 1024
"""Bytes of a frame that can be shown."""
MOST_NETWORKS = 4

HOST_TRAFFIC = frozenset({"not_ours", "other_host"})
"""Verdicts of packets that are none of the director's business."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which packets to show: those that all of this fits.

    Attributes:
        protocol: their IP protocol number; 0 for any.
        networks: source or destination lies in each of these, at most MOST_NETWORKS.
        port: source or destination port; 0 for any.
        service: the service they are for; without a protocol and a mark, that of any protocol.
        server: address and port (0: any) of the real server they are for.
        verdicts: names of what became of them; None for the usual ones.
        only_new: only those that started a connection.
    """

    protocol: int = 0
    networks: tuple[Network, ...] = ()
    port: int = 0
    service: ServiceKey | None = None
    server: tuple[Address, int] | None = None
    verdicts: frozenset[str] | None = None
    only_new: bool = False

    def wants(self, verdict: str) -> bool:
        """Whether packets of a verdict are shown.

        Those handed up come to a verdict of their own afterwards; host traffic is shown where addresses or ports
        say which.
        """
        if self.verdicts is not None:
            return verdict in self.verdicts
        return verdict != "handed_up" and (verdict not in HOST_TRAFFIC or bool(self.networks or self.port))


@dataclass(frozen=True, slots=True)
class Traced:
    """A packet, and what became of it.

    Attributes:
        time: when, in ns since 1970.
        verdict: what became of it, by its name.
        hook: program that saw it: `xdp`, `tc`, `tc behind xdp` or `tc ip`.
        interface: name of the device it came in by.
        protocol: IP protocol number; 0 if it is no IP.
        source, source_port, target, target_port: None and 0 where it has none.
        tcp_flags: of a TCP header.
        length: bytes of the IP packet.
        service, server: whose it is, if anybody's; a real server by address and port.
        before, after: state of its connection, empty if it had or has none.
        expires: seconds its connection has left.
        new: it started a connection.
        by_template: its connection was made by persistence.
        out: name of the device it left by, empty if it did not.
        frame, frame_length: its first bytes as it came, and how many it had. `raw`: without Ethernet header.
    """

    time: int
    verdict: str
    hook: str
    interface: str
    protocol: int
    source: Address | None
    source_port: int
    target: Address | None
    target_port: int
    tcp_flags: TcpFlags
    length: int
    service: ServiceKey | None = None
    server: tuple[Address, int] | None = None
    before: str = ""
    after: str = ""
    expires: float = 0.0
    new: bool = False
    by_template: bool = False
    out: str = ""
    frame: bytes = b""
    frame_length: int = 0
    raw: bool = False
