"""How full the connection table is, and whether a flood fills it."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn
from directrix.table.xdp.director import Status

_FULL, _NEAR = 0.95, 0.80
_ALWAYS = 3
_SMALLEST = 65_536


def look(case: Case) -> Iterator[Finding]:
    """The table's share in use, connections refused for want of room, and the defence against floods."""
    status = case.status
    if status is None:
        why = "the kernel's IPVS grows as it needs" if case.make == "ipvs" else "there is no table"
        yield skip("the connection table", why)
        return
    share = status.connections / status.max_connections
    refused = sum(count for verdict, count in status.verdicts if verdict.name == "table_full")
    looked_at = f"{status.connections:,} of {status.max_connections:,} connections ({share:.0%})"
    turned_away = f"; {refused:,} packets of new ones were dropped so far" if refused else ""
    if status.flood.on and status.flood.mode != _ALWAYS:
        yield _under_flood(status, looked_at)
    elif share >= _FULL:
        yield fail(looked_at, f"the table is full: new connections are dropped{turned_away}", [_larger(status)])
    elif share >= _NEAR:
        yield warn(looked_at, f"the table is nearly full{turned_away}", [_larger(status)])
    else:
        yield ok(looked_at, f"there is room{turned_away}")
    if status.flood.mode == 0 and share >= _NEAR:
        yield warn(
            "flood_defence = 0",
            "a flood of SYNs could take what is left of the table",
            [Remedy("directrix sysctl flood_defence=1")],
        )


def _under_flood(status: Status, looked_at: str) -> Finding:
    """Established connections go on and real clients get in: what is left to do is to keep the flood away."""
    worst = sorted(status.flood.services.items(), key=lambda item: -item[1].unentered_rate)[:3]
    rates = ", ".join(f"{key} {counts.unentered_rate:,} a second" for key, counts in worst if counts.unentered_rate)
    return warn(
        f"{looked_at}, under flood for {status.flood.lasted or 0:,.0f} s",
        f"SYNs get no entry until their clients answer{': ' + rates if rates else ''}; real clients get in. "
        "`directrix budget` bounds what a service or a source may open; a network's own filter keeps it off the wire",
    )


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
