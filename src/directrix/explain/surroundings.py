"""What surrounds the table: where packets come in, and where frames for a real server or a client would go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from directrix.lvs import Address, RealServer, ServiceKey


@dataclass(frozen=True, slots=True)
class Way:
    """Where frames for a real server, or for a client, go.

    Attributes:
        says: the same in words.
        verdict: what that makes of a packet: forwarded, no_neighbour, no_route or local.
        interface, mac, state: the device, the next hop's MAC and the kernel's state of it; empty if unknown.
    """

    says: str
    verdict: str
    interface: str = ""
    mac: str = ""
    state: str = ""


def _no_way(service: ServiceKey, server: RealServer) -> Way | None:
    return None


def _no_way_back(client: Address) -> Way | None:
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the host.

    Attributes:
        arrival: what is to be said of the interface that the packet comes in by; None for nothing.
        seen: whether the director sees what comes in there.
        way: tells where frames for a service's real server go; None if that is not asked.
        back: likewise where those for a client go.
    """

    arrival: str | None = None
    seen: bool = True
    way: Callable[[ServiceKey, RealServer], Way | None] = _no_way
    back: Callable[[Address], Way | None] = _no_way_back
