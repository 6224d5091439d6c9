"""UDP as a director sees it: one state for every flow, inactive and refreshed by each datagram."""

from __future__ import annotations

import enum

from directrix.lvs.state import Timeouts


class UdpState(enum.IntEnum):
    """State of a UDP flow. Listings print the name."""

    UDP = 0

    @property
    def active(self) -> bool:
        """Never: IPVS counts UDP as inactive."""
        return False


def timeout(timeouts: Timeouts) -> int:
    """Seconds until a flow without datagrams expires: 300 before any `--set`."""
    return timeouts.udp
