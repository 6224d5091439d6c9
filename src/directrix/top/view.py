"""From a model and a sample to lines of text: pure, for any width and height."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from directrix.health.rule import By, Standing
from directrix.lvs import Rates, endpoint
from directrix.lvs.handshakes import Handshakes, together
from directrix.top.model import HELP, Asking, Model, Row, Sort, shown
from directrix.top.routers import line
from directrix.top.sample import History, Sample, ServerRow, ServiceRow
from directrix.top.text import duration, fit, percent, short, sparkline


class Style(enum.Enum):
    """How a line is shown where the terminal can."""

    PLAIN = enum.auto()
    TITLE = enum.auto()
    HEAD = enum.auto()
    SERVICE = enum.auto()
    SELECTED = enum.auto()
    BAD = enum.auto()
    DIM = enum.auto()


@dataclass(frozen=True, slots=True)
class Line:
    """A line, not longer than the view is wide."""

    text: str
    style: Style = Style.PLAIN


_COLUMNS: Final = (
    ("STATE", 6),
    ("WGT", 6),
    ("ACTIV", 6),
    ("INACT", 6),
    ("CON/S", 6),
    ("PKT/S", 6),
    ("BYT/S", 6),
    ("DONE", 5),
    ("TIME", 6),
)
_CHECKED: Final = (_COLUMNS[0], ("CHECK", 8), *_COLUMNS[1:])
"""With a column for what checks found, where a director looks after the table."""
_RESULTS: Final = {True: "+", False: "-", None: "."}
_SORTED: Final = {
    Sort.ACTIVE: "ACTIV",
    Sort.CONNECTIONS: "CON/S",
    Sort.PACKETS: "PKT/S",
    Sort.BYTES: "BYT/S",
    Sort.SHARE: "DONE",
}
_LEAST_NAME, _LEAST_SPARK = 14, 5

_KEYS = "q quit  h help  / filter  enter open  tacpbd sort  z quiesce  w back"


def state_word(row: ServerRow) -> str:
    """How a real server stands, in five letters or less."""
    if row.checked is not None and not row.checked.alive:
        return "out" if row.checked.passive else "DOWN"
    if row.checked is not None and row.checked.ordered == "drain":
        return "drain"
    if not row.in_table:
        return "away"
    if row.state.server.weight == 0:
        return "out" if row.absence and row.absence.by is By.RULE and not row.absence.trial else "quiet"
    if row.standing in (Standing.POOR, Standing.SPARED):
        return "POOR"
    if row.standing is Standing.TRIAL:
        return "trial"
    growing = row.checked is not None and (row.checked.growing or row.checked.ordered == "admit")
    return "grow" if growing else "ok"


def frame(
    model: Model,
    sample: Sample,
    history: History,
    columns: int,
    height: int | None = None,
    *,
    unicode: bool = True,
    interval: float | None = None,
) -> list[Line]:
    """The whole view in so many columns and lines; without a height all rows, and no last line for keys."""
    found = shown(model, sample)
    lines = [*_summary(model, sample, history, columns, unicode=unicode, interval=interval), *_routers(sample)]
    if model.help:
        lines += [Line(text) for text in HELP]
        if height is not None:
            lines = [*_filled(lines, height - 1), Line("any key goes back", Style.DIM)]
        return _cut(lines, columns)
    cells = _CHECKED if sample.checked else _COLUMNS
    fixed = sum(width for _, width in cells)
    # Beside what checks found, names are worth more than bars.
    width = _name_width(_longest_name(sample), columns - fixed - (1 if sample.checked else 1 + _LEAST_SPARK))
    spark = max(columns - fixed - width - 1, 0)
    lines.append(Line(_heads(model, width, spark, cells), Style.HEAD))
    at = found.place(model.selected)
    first, last = _window(len(found.rows), at, None if height is None else max(height - 1 - len(lines), 1))
    for place in range(first, last):
        key, row = found.rows[place]
        text = _row_text(row, width, model, cells) + " " + sparkline(history.of(key), spark, unicode=unicode)
        selected = height is not None and place == at
        lines.append(Line(text, Style.SELECTED if selected else _row_style(row)))
    if not found.rows:
        lines.append(Line("  nothing fits the filter" if sample.services else "  no virtual services", Style.DIM))
    if height is not None:
        lines = [*_filled(lines, height - 1), _last(model, len(found.rows), last)]
    return _cut(lines, columns)


def _cut(lines: Sequence[Line], columns: int) -> list[Line]:
    return [Line(line.text[:columns].rstrip(), line.style) for line in lines]


def _filled(lines: list[Line], height: int) -> list[Line]:
    """Exactly so many lines."""
    return [*lines[:height], *[Line("")] * (height - len(lines))]


def _window(count: int, at: int, room: int | None) -> tuple[int, int]:
    """Which rows are shown so that the selected one is among them."""
    if room is None or count <= room:
        return 0, count
    first = min(max(at - room // 2, 0), count - room)
    return first, first + room


def _summary(
    model: Model, sample: Sample, history: History, columns: int, *, unicode: bool, interval: float | None
) -> list[Line]:
    figures_of_all = _together(sample)
    title = f"directrix top  {sample.clock}  {len(sample.services)} services, {figures_of_all.servers} real servers"
    if interval is not None:
        title += f"  every {interval:g} s"
    if sample.flood:
        unfinished = sum(max(row.flood.unentered_rate - row.flood.admitted_rate, 0) for row in sample.services)
        title += f"  UNDER FLOOD: {short(unfinished)}/s"
    if model.filter:
        title += f"  filter: {model.filter}"
    rates = sample.totals[1]
    figures = [
        f"active {short(figures_of_all.active)}",
        f"inactive {short(figures_of_all.inactive)}",
        f"conn/s {short(rates.connections)}",
        f"pkt/s {short(rates.in_packets)}",
        f"bytes/s {short(rates.in_bytes)}",
        f"done {percent(figures_of_all.share)}",
    ]
    text = "  ".join(figures) + " "
    return [
        Line(title[:columns].ljust(columns) if columns else "", Style.BAD if sample.flood else Style.TITLE),
        Line(text + sparkline(history.of(None), max(columns - len(text), 0), unicode=unicode)),
    ]


@dataclass(frozen=True, slots=True)
class _Together:
    """Figures of all real servers of a sample; `share` of their recent handshakes."""

    servers: int
    active: int
    inactive: int
    share: float | None


@lru_cache(maxsize=1)
def _together(sample: Sample) -> _Together:
    servers = [row for service in sample.services for row in service.servers]
    seen = [row.handshakes for row in servers if row.handshakes is not None and row.handshakes.recent_begun]
    active, inactive = (sum(getattr(row.state, name) for row in servers) for name in ("active", "inactive"))
    return _Together(len(servers), active, inactive, together(seen).recent_share)


def _routers(sample: Sample) -> list[Line]:
    bad = any(router.is_bad for router in sample.routers)
    return [Line(line(sample.routers), Style.BAD if bad else Style.PLAIN)] if sample.routers else []


def _name(row: Row) -> str:
    return str(row.state.service.key) if isinstance(row, ServiceRow) else endpoint(*row.state.server.key)


@lru_cache(maxsize=1)
def _longest_name(sample: Sample) -> int:
    servers = (len(_name(row)) for service in sample.services for row in service.servers)
    return max(chain((len(_name(service)) for service in sample.services), servers), default=0)


def _name_width(longest: int, most: int) -> int:
    return max(min(longest + 2, most), _LEAST_NAME)


def _fit_service(name: str, width: int) -> str:
    """A service's name in so many columns; of its protocol at least the first letter stays: `T~0.0.0.1:80`."""
    return fit(name, width) if len(name) <= width or width < _LEAST_NAME - 2 else name[0] + fit(name[1:], width - 1)


def _heads(model: Model, width: int, spark: int, cells: Sequence[tuple[str, int]]) -> str:
    marked = _SORTED.get(model.sort)
    heads = "".join((f">{head}" if head == marked else head).rjust(columns) for head, columns in cells)
    over_sparks = "PKT/S".rjust(spark) if spark >= _LEAST_SPARK else ""
    return f"{fit('SERVER', width)}{heads} {over_sparks}"


def _row_text(row: Row, width: int, model: Model, columns_of: Sequence[tuple[str, int]]) -> str:
    if isinstance(row, ServiceRow):
        mark = "+" if row.state.service.key in model.collapsed else "-"
        name = f"{mark} " + _fit_service(_name(row), width - 2)
        active = sum(one.state.active for one in row.servers)
        inactive = sum(one.state.inactive for one in row.servers)
        state, weight = "FLOOD" if row.flood.flooded else row.state.service.scheduler[:5], ""
    else:
        name = "  " + fit(_name(row), width - 2)
        active, inactive = row.state.active, row.state.inactive
        state, weight = state_word(row), short(row.state.server.weight)
    cells = [state, weight, short(active), short(inactive), *_figures(row.state.rates, row.handshakes)]
    if columns_of is _CHECKED:
        cells.insert(1, _results(row))
    return name + "".join(cell.rjust(columns) for cell, (_, columns) in zip(cells, columns_of, strict=True))


def _results(row: Row) -> str:
    """The last results of a check, the newest on the right."""
    if isinstance(row, ServiceRow) or row.checked is None:
        return ""
    return "".join(_RESULTS[result] for result in row.checked.recent[-7:])


def _figures(rates: Rates, handshakes: Handshakes | None) -> list[str]:
    seen = handshakes or Handshakes()
    counts = [short(rates.connections), short(rates.in_packets), short(rates.in_bytes)]
    return [*counts, percent(seen.recent_share), duration(seen.quantile(0.5))]


def _row_style(row: Row) -> Style:
    if isinstance(row, ServiceRow):
        return Style.BAD if row.flood.flooded else Style.SERVICE
    word = state_word(row)
    return Style.BAD if word in ("POOR", "out", "DOWN") else Style.DIM if word in _CALM else Style.PLAIN


_CALM: Final = ("quiet", "drain", "away")


def _last(model: Model, count: int, last: int) -> Line:
    if model.asking is Asking.FILTER:
        return Line(f"filter: {model.typed}_", Style.HEAD)
    if model.selected is not None and model.selected[1] is not None and model.asking is not Asking.NOTHING:
        name = endpoint(*model.selected[1])
        if model.asking is Asking.QUIESCE:
            return Line(f"quiesce {name}: no new connections, weight 0? (y/n)", Style.HEAD)
        return Line(f"bring {name} back with the weight it had? (y/n)", Style.HEAD)
    if model.message:
        return Line(model.message, Style.HEAD)
    more = f"  {count - last} more below" if last < count else ""
    return Line(_KEYS + more, Style.DIM)
