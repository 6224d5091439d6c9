"""How full the connection table is."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.table.xdp.director import Status

_FULL, _NEAR = 0.95, 0.80
_SMALLEST = 65_536


def look(case: Case) -> Iterator[Finding]:
    """The table's share in use, and connections refused for want of room."""
    status = case.status
    if status is None:
        why = "the kernel's IPVS grows as it needs" if case.make == "ipvs" else "there is no table"
        yield skip("the connection table", why)
        return
    share = status.connections / status.max_connections
    refused = sum(count for verdict, count in status.verdicts if verdict.name == "table_full")
    looked_at = f"{status.connections:,} of {status.max_connections:,} connections ({share:.0%})"
    turned_away = f"; {refused:,} packets of new ones were dropped so far" if refused else ""
    if share >= _FULL:
        yield fail(looked_at, f"the table is full: new connections are dropped{turned_away}", [_larger(status)])
    elif share >= _NEAR:
        yield warn(looked_at, f"the table is nearly full{turned_away}", [_larger(status)])
    else:
        yield ok(looked_at, f"there is room{turned_away}")


def _larger(status: Status) -> Remedy:
    """Make the table anew, for four times as many. Connections there are now are lost by it."""
    size = max(_SMALLEST, 4 * status.max_connections)
    names = " ".join(f"--interface {known.name}" for known, _ in status.attachments)
    return Remedy(
        "services=$(directrix ipvsadm -S -n) && marks=$(directrix mark save) && directrix down && "
        f'directrix up {names} --connections {size} && echo "$marks" | directrix mark restore && '
        'echo "$services" | directrix ipvsadm -R'
    )


CHECK = Check(
    "fill",
    "room in the connection table",
    "A new connection that finds no room is dropped; the table's size is set when it is made.",
    frozenset({Role.DIRECTOR}),
    look,
)
