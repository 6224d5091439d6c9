"""`directrix top`: the table as a live view."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.top.model import Action
    from directrix.top.routers import RouterRow
    from directrix.top.sample import Checked, Sample

HELP = "watch services, real servers, rates and handshakes live, and quiesce servers"

_LEAST_INTERVAL = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix top`."""
    parser.description = (
        "Watch the table: services and real servers, connections, rates with sparklines, the share of connections that "
        "complete and the time it takes them. Keys sort, filter, open and close services, quiesce real servers and "
        "bring them back; `h` shows them all. Without a terminal, frames are written as plain text."
    )
    parser.add_argument(
        "-d", "--interval", type=float, default=2.0, metavar="SECONDS", help="between frames (default 2)"
    )
    parser.add_argument("-n", "--rounds", type=int, metavar="NUMBER", help="end after so many frames")
    parser.add_argument("-b", "--batch", action="store_true", help="write frames as plain text, without end or -n")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0; 2 for an interval or a number that makes no sense."""
    if not _LEAST_INTERVAL <= args.interval <= 86400:
        print(f"directrix top: -d takes {_LEAST_INTERVAL} to 86400 seconds, not {args.interval:g}", file=sys.stderr)
        return 2
    if args.rounds is not None and args.rounds < 1:
        print(f"directrix top: -n takes 1 or more, not {args.rounds}", file=sys.stderr)
        return 2
    if args.batch or not (sys.stdin.isatty() and sys.stdout.isatty()):
        from shutil import get_terminal_size

        from directrix.top.running import batch

        batch(_sample, _write, get_terminal_size((80, 24)).columns, args.interval, args.rounds)
        return 0
    import gc

    from directrix.top.running import live
    from directrix.top.terminal import screen

    # A sample of a large table is some hundred thousand values, none of them in a circle: to look for circles
    # among them took longer than to read the table.
    gc.disable()
    with screen() as ours:
        live(ours, _sample, _act, args.interval, args.rounds)
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _sample() -> Sample:
    """The table as it is now: opened each time, so that one which comes, goes or is made anew is seen."""
    import time
    from contextlib import closing
    from dataclasses import replace

    from directrix.health import memory
    from directrix.table import absences
    from directrix.table.opening import open_table
    from directrix.top.sample import take

    remembered = memory.read(absences.directory_here())
    with closing(open_table(create=False)) as table:
        taken = take(table, remembered, absences.clock(), time.strftime("%H:%M:%S"), checked=_checked())
    return replace(taken, routers=_routers())


def _routers() -> tuple[RouterRow, ...]:
    """Those of the director that runs here; none if none does, or it is just being started or stopped."""
    from directrix.director.client import NoDirector, Refused, ask
    from directrix.top.routers import read

    try:
        return read(ask("/v1/vrrp"))
    except (NoDirector, Refused):
        return ()


def _checked() -> dict[tuple[str, str], Checked]:
    """What the director says; nothing if there is none, or it doesn't answer."""
    from directrix.director import remote
    from directrix.director.client import NoDirector
    from directrix.table.opening import make_in_force
    from directrix.top.sample import Checked

    try:
        found = remote.checked(make_in_force())
    except NoDirector:
        return {}
    return {
        name: Checked(
            one.alive,
            one.ordered,
            f"{one.failing.name}: {one.failing.detail}" if one.failing else "",
            (one.failing or one.checks[0]).recent if one.checks else (),
            one.growing is not None,
        )
        for name, one in found.items()
    }


def _act(action: Action) -> None:
    from contextlib import closing

    from directrix.director.remote import find
    from directrix.table import absences
    from directrix.table.opening import make_in_force, open_table
    from directrix.top.model import Do

    if action.row is None or action.row[1] is None:
        return
    key, server = action.row[0], action.row[1]
    remote = find(key, *server, make_in_force())
    if remote is not None:
        remote.quiesce() if action.do is Do.QUIESCE else remote.enable()
        return
    directory = absences.directory_here()
    with closing(open_table(create=False)) as table:
        if action.do is Do.QUIESCE:
            absences.take_out(table, directory, key, server, absences.clock())
        elif action.do is Do.BRING_BACK:
            absences.bring_back(table, directory, key, [server])
