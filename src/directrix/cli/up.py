"""`directrix up`: make the table, attach to interfaces, or renew what is attached."""

from __future__ import annotations

import argparse
import sys

HELP = "load the data plane and attach it to interfaces"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix up`."""
    parser.description = (
        "Make the table of this network namespace and attach the data plane. Nobody has to: the first service does "
        "it too. Over a running table it puts this version's programs in place of those attached, and no connection "
        "or packet is lost by it."
    )
    parser.add_argument(
        "-i",
        "--interface",
        action="append",
        metavar="IF",
        help="attach to this interface (may be given again); otherwise to every one that can carry virtual services",
    )
    parser.add_argument(
        "--hook",
        choices=("auto", "xdp", "xdp-generic", "tc"),
        default="auto",
        help="where packets are caught; auto takes native XDP for hardware and tc for virtual devices",
    )
    parser.add_argument(
        "-c",
        "--connections",
        type=int,
        metavar="N",
        help="how many connections the table can hold, set when it is made (default 1,000,000)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing if all went well")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 if at least one interface is attached."""
    from directrix.table.xdp import director

    done, skipped = director.bring_up(args.interface, args.hook, args.connections)
    for attachment in done:
        if not args.quiet:
            print(f"{attachment.name}: {attachment.hook}", file=sys.stderr)
    if args.hook == "xdp":
        from directrix.system import links

        virtual = {link.index for link in links.links() if not link.wired}
        for attachment in done:
            if attachment.ifindex in virtual:
                print(
                    f"{attachment.name} is a virtual device: packets that were never on a wire lose their checksums "
                    "in XDP there, and receivers drop them; `--hook auto` takes tc",
                    file=sys.stderr,
                )
    for other in skipped:
        print(f"{other.name}: left alone, {other.reason}", file=sys.stderr)
    if not done:
        print("directrix: there is no interface that can carry virtual services", file=sys.stderr)
        return 1
    return 0
