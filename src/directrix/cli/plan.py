"""`directrix plan`: what would have to change in the table so that it is as a keepalived.conf says."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from directrix.cli.run import describe_file, describe_others, tell, unreadable

if TYPE_CHECKING:
    from directrix.director.setup import Setup

HELP = "show what would change in the table if it followed a keepalived.conf"

EXIT_SAME = 0
EXIT_DIFFERS = 1
EXIT_TROUBLE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix plan`."""
    parser.description = (
        "Show the difference between the table and what a keepalived.conf wants of it, without changing anything and "
        "without running a check: real servers count as alive, but for those that wait for a check in alpha mode. "
        "Exit status 0 if there is none, 1 if there is one, 2 for trouble, as diff(1)."
    )
    describe_file(parser)
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")
    describe_others(parser)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 if nothing would change, 1 if something would, 2 if it can't be told."""
    from contextlib import closing

    from directrix.director import places
    from directrix.director.plan import as_objects, as_text
    from directrix.director.planning import plan
    from directrix.director.refusal import Refused
    from directrix.table.opening import open_table

    setup = read("plan", args)
    if setup is None:
        return EXIT_TROUBLE
    with closing(open_table(create=False)) as table:
        try:
            changes = plan(setup, table, keep_others=args.keep_others, drains=places.is_running())
        except Refused as refused:
            tell_reasons("plan", refused)
            return EXIT_TROUBLE
    if args.json:
        import json

        print(json.dumps(as_objects(changes), indent=2))
    else:
        print(as_text(changes), end="")
    return EXIT_DIFFERS if changes else EXIT_SAME


def read(command: str, args: argparse.Namespace) -> Setup | None:
    """The configuration that was named, made ready; None if it is refused, which has been told then."""
    from directrix.director.refusal import Refused
    from directrix.director.setup import prepare
    from directrix.keepalived import USUAL_PATH, FaultyConfiguration, load
    from directrix.system import namespaces

    path = args.use_file or USUAL_PATH
    try:
        loaded = load(path, args.config_id)
    except FaultyConfiguration as faulty:
        tell(faulty.faults)
        return None
    except OSError as error:
        unreadable(command, path, error)
        return None
    tell(loaded.warnings)
    try:
        setup = prepare(loaded.configuration)
    except Refused as refused:
        tell_reasons(command, refused)
        return None
    if setup.configuration.globals.net_namespace:
        namespaces.enter(setup.configuration.globals.net_namespace)
    return setup


def tell_reasons(command: str, refused: BaseException) -> None:
    """Print why it is refused, one reason a line."""
    for reason in str(refused).splitlines():
        print(f"directrix {command}: {reason}", file=sys.stderr)
