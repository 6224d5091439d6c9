"""`directrix apply`: have the table as a keepalived.conf says, once, without a director."""

from __future__ import annotations

import argparse

from directrix.cli.plan import read, tell_reasons
from directrix.cli.run import describe_file, describe_others

HELP = "change the table so that it is as a keepalived.conf says, once"

EXIT_REFUSED = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix apply`."""
    parser.description = (
        "Have the table as a keepalived.conf wants it, once, and without running a check: do what `directrix plan` "
        "shows, and print it. Nothing of VRRP is done. While a director runs, it is the one to be asked: change its "
        "file and send it SIGHUP."
    )
    describe_file(parser)
    parser.add_argument("-j", "--json", action="store_true", help="print what was changed as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing if all went well")
    describe_others(parser)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 if the table is as wanted, 1 if it is refused."""
    from contextlib import closing

    from directrix.director import places
    from directrix.director.plan import as_objects, as_text, carry_out
    from directrix.director.planning import plan
    from directrix.director.refusal import Refused
    from directrix.table.opening import open_table

    setup = read("apply", args)
    if setup is None:
        return EXIT_REFUSED
    try:
        claim = places.Claim()
    except places.AlreadyRunning as running:
        tell_reasons("apply", running)
        return EXIT_REFUSED
    try:
        with closing(open_table(create=True)) as table:
            changes = plan(setup, table, keep_others=args.keep_others)
            carry_out(table, changes)
    except Refused as refused:
        tell_reasons("apply", refused)
        return EXIT_REFUSED
    finally:
        claim.release()
    if args.json:
        import json

        print(json.dumps(as_objects(changes), indent=2))
    elif not args.quiet:
        print(as_text(changes), end="")
    return 0
