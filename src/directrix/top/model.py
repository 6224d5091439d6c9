"""What the user has chosen to see, and how keys change it: pure.

A key answers with the next model and, seldom, with an action for whoever holds the table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from directrix.lvs import Rates, ServiceKey, endpoint
from directrix.top.sample import RowKey, Sample, ServerRow, ServiceRow


class Sort(enum.StrEnum):
    """What rows are sorted by; TABLE is the table's own order."""

    TABLE = "table"
    ACTIVE = "active"
    CONNECTIONS = "conn/s"
    PACKETS = "pkt/s"
    BYTES = "bytes/s"
    SHARE = "done"


class Asking(enum.Enum):
    """What the last line asks for."""

    NOTHING = enum.auto()
    FILTER = enum.auto()
    QUIESCE = enum.auto()
    BRING_BACK = enum.auto()


class Do(enum.Enum):
    """What is to be done with a real server, or with ourselves."""

    QUIT = enum.auto()
    QUIESCE = enum.auto()
    BRING_BACK = enum.auto()
    REFRESH = enum.auto()


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do; `row` names the real server."""

    do: Do
    row: RowKey | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """The state of the view. `message` is shown until the next key."""

    selected: RowKey | None = None
    sort: Sort = Sort.TABLE
    filter: str = ""
    collapsed: frozenset[ServiceKey] = frozenset()
    help: bool = False
    asking: Asking = Asking.NOTHING
    typed: str = ""
    message: str = ""


Row = ServiceRow | ServerRow


def _rates(row: Row) -> Rates:
    return row.state.rates


def _active(row: Row) -> int:
    return row.state.active if isinstance(row, ServerRow) else sum(one.state.active for one in row.servers)


def _missing(row: Row) -> float:
    """How much is missing from its share: the worst come first."""
    share = row.handshakes.recent_share if row.handshakes else None
    return -1.0 if share is None else 1.0 - share


_ORDER: Mapping[Sort, Callable[[Row], float]] = {
    Sort.TABLE: lambda row: 0,
    Sort.ACTIVE: _active,
    Sort.CONNECTIONS: lambda row: _rates(row).connections,
    Sort.PACKETS: lambda row: _rates(row).in_packets,
    Sort.BYTES: lambda row: _rates(row).in_bytes,
    Sort.SHARE: _missing,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows to be shown, in their order.

    Attributes:
        rows: each with its key.
        places: where each key is among them.
    """

    rows: tuple[tuple[RowKey, Row], ...]
    places: Mapping[RowKey, int]

    def place(self, selected: RowKey | None) -> int:
        """Where the selection is; a row that went leaves it at its service, or at the top."""
        if selected is None:
            return 0
        return self.places.get(selected, self.places.get((selected[0], None), 0))


def shown(model: Model, sample: Sample) -> Shown:
    """The rows to be shown: services and, where not collapsed, their servers; sorted, most first, and filtered.

    A filter keeps services and servers whose name holds it, servers of a service that does, and the service of a
    server that does.
    """
    return _shown(model.sort, model.filter.lower(), model.collapsed, sample)


@lru_cache(maxsize=1)  # most keys change nothing of it
def _shown(sort: Sort, wanted: str, collapsed: frozenset[ServiceKey], sample: Sample) -> Shown:
    order = _ORDER[sort]
    rows: list[tuple[RowKey, Row]] = []
    for service in sorted(sample.services, key=order, reverse=True):
        key = service.state.service.key
        whole = not wanted or wanted in str(key).lower()
        servers = [row for row in service.servers if whole or wanted in endpoint(*row.state.server.key)]
        if not whole and not servers:
            continue
        rows.append(((key, None), service))
        if key not in collapsed:
            rows += [((key, row.state.server.key), row) for row in sorted(servers, key=order, reverse=True)]
    return Shown(tuple(rows), {row_key: place for place, (row_key, _) in enumerate(rows)})


_SORT_KEYS = {"t": Sort.TABLE, "a": Sort.ACTIVE, "c": Sort.CONNECTIONS, "p": Sort.PACKETS, "b": Sort.BYTES}
_SORT_KEYS["d"] = Sort.SHARE
_MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "home": -(10**9), "end": 10**9}

HELP = (
    "up down  k j     move             enter space  open or close a service",
    "+ -              open, close all  /            filter by a part of a name",
    "t a c p b d      sort: table's order, active, conn/s, pkt/s, bytes/s, done",
    "z                quiesce the real server: weight 0, connections go on",
    "w                bring it back with the weight it had",
    "r                draw again       h ?          this help          q  quit",
    "",
    "STATE  ok; quiet: weight 0 by hand; out, trial: taken out by passive health, and",
    "       back on trial; POOR: its share is far below its peers'; by the director:",
    "       DOWN: its checks fail; drain; grow: its weight is on its way up; away: the",
    "       sorry server serves instead; FLOOD: a service whose handshakes",
    "       mostly come to nothing while the table is under flood",
    "CHECK  results of its checks: + success, - failure, . could not be made",
    "DONE   share of recent connections that completed     TIME  median, SYN to ACK",
)


def press(model: Model, key: str, sample: Sample) -> tuple[Model, Action | None]:
    """What a key does. Keys are characters, or names such as `up` and `enter`."""
    model = replace(model, message="")
    if model.asking is Asking.FILTER:
        return _type(model, key), None
    if model.asking is not Asking.NOTHING:
        return _answer(model, key)
    if model.help:
        return replace(model, help=False), (Action(Do.QUIT) if key in ("q", "ctrl-c") else None)
    rows = shown(model, sample).rows
    at = shown(model, sample).place(model.selected)
    here = rows[at][0] if rows else None
    if key in _MOVES and rows:
        return replace(model, selected=rows[min(max(at + _MOVES[key], 0), len(rows) - 1)][0]), None
    if key in _SORT_KEYS:
        return replace(model, sort=_SORT_KEYS[key]), None
    if key in ("enter", " ") and here:
        return replace(model, collapsed=model.collapsed ^ {here[0]}, selected=(here[0], None)), None
    if key == "-":
        return replace(model, collapsed=frozenset(row.state.service.key for row in sample.services)), None
    if key == "+":
        return replace(model, collapsed=frozenset()), None
    if key == "/":
        return replace(model, asking=Asking.FILTER, typed=model.filter), None
    if key in ("z", "w"):
        return _ask(model, here, sample, quiesce=key == "z"), None
    if key in ("h", "?"):
        return replace(model, help=True), None
    if key == "escape":
        return replace(model, filter=""), None
    if key in ("q", "ctrl-c"):
        return model, Action(Do.QUIT)
    return model, Action(Do.REFRESH) if key in ("r", "ctrl-l") else None


def _type(model: Model, key: str) -> Model:
    if key == "enter":
        return replace(model, asking=Asking.NOTHING, filter=model.typed)
    if key in ("escape", "ctrl-c"):
        return replace(model, asking=Asking.NOTHING)
    if key == "backspace":
        return replace(model, typed=model.typed[:-1])
    return replace(model, typed=model.typed + key) if len(key) == 1 and key.isprintable() else model


def _answer(model: Model, key: str) -> tuple[Model, Action | None]:
    do = Do.QUIESCE if model.asking is Asking.QUIESCE else Do.BRING_BACK
    calm = replace(model, asking=Asking.NOTHING)
    if key in ("y", "Y"):
        return calm, Action(do, model.selected)
    return replace(calm, message="nothing changed"), None


def _ask(model: Model, here: RowKey | None, sample: Sample, *, quiesce: bool) -> Model:
    found = shown(model, sample)
    row = found.rows[found.places[here]][1] if here is not None else None
    if not isinstance(row, ServerRow):
        return replace(model, message="choose a real server first: move with the arrow keys")
    weight = row.state.server.weight
    if row.checked is not None and row.checked.failing and (quiesce or not row.checked.passive):
        return replace(model, message=f"its checks have taken it out: {row.checked.failing}")
    if quiesce and not weight:
        return replace(model, message="it has weight 0 already")
    if not quiesce and weight:
        return replace(model, message=f"it is in service, with weight {weight}")
    return replace(model, selected=here, asking=Asking.QUIESCE if quiesce else Asking.BRING_BACK)
