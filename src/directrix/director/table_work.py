"""What is done at the table beside the event loop (`at_table.py`): functions of a table and of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from directrix.checks.actions import ServerKey
from directrix.draining.connections import ConnectionsOf
from directrix.draining.course import Seen, together
from directrix.draining.looking import look
from directrix.lvs import Protocol, ServiceKey, endpoint
from directrix.lvs.handshakes import Handshakes
from directrix.table.interface import Table

Place = tuple[ServiceKey, ServerKey]
"""A real server in one service of the table."""


def counts(table: Table) -> dict[str, tuple[int, int]]:
    """Active and inactive connections of all that stands in the table, by `counted`."""
    return {
        counted(state.service.key, entry.server.key): (entry.active, entry.inactive)
        for state in table.services()
        for entry in state.servers
    }


def counted(key: ServiceKey, server: ServerKey) -> str:
    """The name of an entry in `counts`: texts are handed over quicker than values."""
    return f"{key} {endpoint(*server)}"


def lags_behind_host(table: Table) -> bool:
    """As `Table.lags_behind_host`."""
    return table.lags_behind_host()


def follow_host(table: Table) -> bool:
    """Have the table follow what became of this host's devices and addresses; answers whether anything had to be done.

    Raises:
        TableError: as `Table.follow_host`.
    """
    return table.follow_host()


def see(table: Table, places: Sequence[Place], release: bool) -> Seen:
    """What is left of a real server, after its clients were released if they are to be."""
    found = []
    for key, server in places:
        if release:
            ConnectionsOf(table, key, *server).release_stragglers()
        found.append(look(table, key, *server))
    return together(found)


def check_ending(table: Table, places: Iterable[Place]) -> None:
    """Refuse to end connections where that can't be done.

    Raises:
        TableError: as `ConnectionsOf.check_ending`.
    """
    for key, server in places:
        ConnectionsOf(table, key, *server).check_ending()


def end(table: Table, places: Iterable[Place], protocol: Protocol | None = None) -> int:
    """End the connections of a real server, of a protocol or all; answers how many.

    Raises:
        TableError: as `ConnectionsOf.end`.
    """
    return sum(ConnectionsOf(table, key, *server).end(protocol) for key, server in places)


def handshakes(table: Table, keys: Sequence[ServiceKey]) -> dict[ServiceKey, dict[ServerKey, Handshakes]] | None:
    """What clients' handshakes tell of the real servers of some services; None: this table does not watch them."""
    seen = table.handshakes()
    return None if seen is None else {key: dict(seen.get(key, {})) for key in keys}
