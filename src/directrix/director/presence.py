"""Whether an address is this machine's own, now."""

from __future__ import annotations

import errno
import socket

from directrix.lvs import Address
from directrix.lvs.addresses import family_of


def is_here(address: Address) -> bool:
    """Whether a socket can be bound to it. With `ip_nonlocal_bind` set, every address seems to be here."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
        return True
