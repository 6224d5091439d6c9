"""`directrix director`: give this host a director's VIPs by hand, or take them away."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.system.netfilter.obstacles import Obstacle
    from directrix.system.whereabouts import Vip
    from directrix.vips.preparing import VipStatus

HELP = "give this host a director's VIPs by hand"

NOT_STARTED = 3
"""Exit status of `status` where nothing was started, as `systemctl status` has it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix director`."""
    from directrix.cli.host_commands import add_vips, declare
    from directrix.vips.preparing import METHODS

    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="director_command", required=True)
    start, stop, status = declare(commands, "the director of", METHODS, "how its services forward (default: direct)")
    start.add_argument(
        "--take-over", action="store_true", help="have the VIP even if another host on the wire answers for it"
    )
    announce = commands.add_parser(
        "announce",
        help="tell all neighbours that the VIPs are here",
        description="Tell all neighbours that VIPs are here, for those who know them at another host: without --vip, "
        "every VIP that was started.",
    )
    add_vips(announce)
    announce.add_argument("-n", "--dry-run", action="store_true", help="print the commands, and send nothing")
    for command in (start, stop, status):
        command.add_argument(
            "-i",
            "--interface",
            metavar="IF",
            default="",
            help="which carries the VIP; otherwise the one in its network, or of the default route",
        )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 if something is refused or missing; 3 if `status` finds nothing started."""
    from directrix.cli.host_commands import guarded

    return guarded("director", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from directrix.cli.host_commands import require_root, show_done
    from directrix.system.netfilter.obstacles import obstacles
    from directrix.system.whereabouts import read_vip
    from directrix.vips import preparing

    vips = [read_vip(word) for word in dict.fromkeys(args.vip)]
    if args.director_command == "status":
        return _status(vips, args)
    if not args.dry_run:
        require_root(f"director {args.director_command}")
    if args.director_command == "start":
        wish = preparing.Wish(args.method, args.interface)
        done = preparing.start(vips, wish, take_over=args.take_over, rehearse=args.dry_run)
        for status in preparing.status(vips, wish):
            for obstacle in obstacles(status.vip, status.interface):
                print(f"in the way of {status.vip}: {obstacle.text}", file=sys.stderr)
    elif args.director_command == "announce":
        done = preparing.announce(vips, rehearse=args.dry_run)
    else:
        done = preparing.stop(vips, preparing.Wish(args.method, args.interface), rehearse=args.dry_run)
    show_done(done, rehearsed=args.dry_run)
    return 0


def _status(vips: list[Vip], args: argparse.Namespace) -> int:
    from directrix.system.netfilter.obstacles import obstacles
    from directrix.vips import preparing

    found = [
        (status, obstacles(status.vip, status.interface))
        for status in preparing.status(vips, preparing.Wish(args.method, args.interface))
    ]
    if args.json:
        import json

        print(json.dumps([as_json(*known) for known in found], indent=2))
    elif not found:
        print("this host was made the director of no VIP", file=sys.stderr)
    else:
        print("\n".join(line for known in found for line in lines(*known)))
    if not found:
        return NOT_STARTED
    return 1 if any(status.missing for status, _ in found) else 0


def as_json(status: VipStatus, in_the_way: list[Obstacle]) -> dict[str, object]:
    """A status as plain data."""
    from directrix.cli.host_commands import fact_as_json

    return {
        "vip": str(status.vip),
        "method": status.method,
        "interface": status.interface,
        "started": status.started,
        "healthy": not status.missing,
        "facts": [fact_as_json(fact) for fact in status.facts],
        "firewall": [{"where": obstacle.where, "rule": obstacle.rule} for obstacle in in_the_way],
    }


def lines(status: VipStatus, in_the_way: list[Obstacle]) -> list[str]:
    """A status for people."""
    from directrix.cli.host_commands import fact_lines

    started = "started" if status.started else "not started"
    return [
        f"{status.vip}: method {status.method}, on {status.interface}; {started}",
        *fact_lines(status.facts),
        *(f"  in the way: {obstacle.text}" for obstacle in in_the_way),
    ]
