"""Connection entries, as listings show them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.lvs.addresses import Address


class ConnectionFlags(enum.IntFlag):
    """Flags of a connection entry, with IPVS's bits (forwarding method is kept apart)."""

    NONE = 0
    SYNC = 0x20
    NO_OUTPUT = 0x80
    INACTIVE = 0x100
    NO_CLIENT_PORT = 0x800
    TEMPLATE = 0x1000
    ONE_PACKET = 0x2000


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of the connection table.

    Attributes:
        protocol: IP protocol number; 0 for the template of a firewall-mark service.
        client, client_port: where it comes from (CIP). A template has port 0 and the network.
        virtual, virtual_port: what it asked for (VIP).
        server, server_port: the real server that has it (RIP).
        state: name of its state as `ipvsadm -Lc` prints it, e.g. `ESTABLISHED`.
        expires: seconds until it is removed if no packet comes, rounded down.
        flags: see ConnectionFlags.
        engine, engine_data: persistence engine and its data, empty for none.
    """

    protocol: int
    client: Address
    client_port: int
    virtual: Address
    virtual_port: int
    server: Address
    server_port: int
    state: str
    expires: int
    flags: ConnectionFlags = ConnectionFlags.NONE
    engine: str = ""
    engine_data: str = ""
