"""Seeing in a table what is left of a real server."""

from __future__ import annotations

from directrix.draining.course import Seen
from directrix.lvs import Address, Protocol, ServerState, ServiceKey
from directrix.lvs.addresses import at_other_ports, endpoint
from directrix.lvs.errors import NoSuchServer, NoSuchService, UnknownToIpvs
from directrix.table.interface import Table


def state_of(table: Table, key: ServiceKey, address: Address, port: int) -> ServerState:
    """A real server and what goes on at it.

    Raises:
        NoSuchService, NoSuchServer: it is not there.
    """
    servers = table.service(key).servers
    for state in servers:
        if state.server.key == (address, port):
            return state
    there = [endpoint(*state.server.key) for state in servers]
    raise NoSuchServer(endpoint(address, port) + at_other_ports(endpoint(address, port), there))


def look(table: Table, key: ServiceKey, address: Address, port: int) -> Seen:
    """What is left of it now; its weight is None if it, or its service, is gone.

    Raises:
        TableError: the table can't be read.
    """
    try:
        state = state_of(table, key, address, port)
        counts = _by_protocol(table, key, state)
    except (NoSuchService, NoSuchServer):
        return Seen(0, 0, {}, 0, None)
    return Seen(state.active, state.inactive, counts, state.persistent, state.server.weight)


def _by_protocol(table: Table, key: ServiceKey, state: ServerState) -> dict[str, int]:
    left = state.active + state.inactive
    if key.protocol is not None:
        counts = {key.protocol: left}
    elif not left:
        counts = {}
    else:
        try:
            counts = {one: table.count_connections(key, *state.server.key, one) for one in Protocol}
        except UnknownToIpvs:
            counts = {}
    return {protocol.name.lower(): count for protocol, count in counts.items() if count}
