"""`directrix down`: take the table of this network namespace away."""

from __future__ import annotations

import argparse
import sys

HELP = "detach the data plane and give up the table"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix down`."""
    parser.description = (
        "Detach from every interface, set changed kernel settings back and give up the table of this network "
        "namespace with its services and connections. Packets then meet the host's own stack."
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing if all went well")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 also where there was nothing to take down."""
    from directrix.table.xdp import director

    taken = director.take_down()
    if not args.quiet:
        print("the table is gone" if taken else "there is no table in this network namespace", file=sys.stderr)
    return 0
