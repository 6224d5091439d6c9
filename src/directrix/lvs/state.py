"""What a table says of itself: counters, rates, counts of connections, timeouts."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.server import RealServer
from directrix.lvs.service import VirtualService


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since creation or the last zeroing. Bytes are IP packet lengths, without layer 2.

    Outgoing counts stay 0 in direct routing and tunnelling: answers do not pass the director.
    """

    connections: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """Smoothed rates a second, by IPVS's 2-second estimator. Byte rates are bytes, not bits."""

    connections: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ServerState:
    """A real server and what goes on at it.

    `active`, `inactive` and `persistent` count live connection entries (IPVS: templates count as
    persistent only).
    """

    server: RealServer
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    counters: Counters = Counters()
    rates: Rates = Rates()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service, its real servers (newest first, as IPVS keeps them) and its counters."""

    service: VirtualService
    servers: tuple[ServerState, ...] = ()
    counters: Counters = Counters()
    rates: Rates = Rates()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The three timeouts `ipvsadm --set` knows, in seconds: established TCP, TCP after FIN, UDP."""

    tcp: int = 900
    tcp_fin: int = 120
    udp: int = 300
