"""The synchronisation daemons of a director, which tell another one of its connections."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.lvs.addresses import Address


class DaemonRole(enum.IntEnum):
    """What a daemon does with connections, with IPVS's numbers: send them, or take them in."""

    MASTER = 1
    BACKUP = 2


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """A synchronisation daemon; a director has at most one of each role.

    Attributes:
        role: master or backup.
        interface: name of the interface it sends or listens on.
        sync_id: 0 to 255, what its messages are marked with. A backup with 0 takes all.
        max_length: bytes of UDP payload in one message; 0 asks for what fits the interface.
        group: multicast group; None asks for IPVS's own, 224.0.0.81.
        port: UDP port; 0 asks for IPVS's own, 8848.
        ttl: time to live of what it sends; 0 asks for IPVS's own, 1.
    """

    role: DaemonRole
    interface: str
    sync_id: int = 0
    max_length: int = 0
    group: Address | None = None
    port: int = 0
    ttl: int = 0
