"""Which addresses are this host's own."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address


def is_here(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of this network namespace's own; where ip_nonlocal_bind is set, all seem so."""
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
