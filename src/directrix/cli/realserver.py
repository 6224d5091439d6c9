"""`directrix realserver`: make this host a real server, or undo it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.realserver.preparing import VipStatus
    from directrix.system.whereabouts import Vip

HELP = "make this host a real server: the VIP, and silence about it"

NOT_STARTED = 3
"""Exit status of `status` where nothing was started, as `systemctl status` has it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix realserver`."""
    from directrix.cli.host_commands import declare
    from directrix.realserver.methods import METHODS
    from directrix.realserver.persistence import DEFAULT, MANAGERS

    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="realserver_command", required=True)
    start, stop, status = declare(
        commands, "a real server for", tuple(METHODS), "how the host takes packets for the VIP"
    )
    for command in (start, stop, status):
        command.add_argument(
            "--host",
            action="append",
            metavar="HOST",
            default=[],
            help="do it on this host, over ssh, with its words for a host (user@name, a name of ssh_config)",
        )
        command.add_argument(
            "-i",
            "--interface",
            action="append",
            metavar="IF",
            default=[],
            help="at which packets for the VIP arrive; otherwise the one in its network, or of the default route",
        )
    for command in (start, status):
        command.add_argument(
            "-t",
            "--tunnel",
            action="append",
            metavar="KIND",
            default=[],
            help="with the method tunnel: in what packets come, ipip (the default), gre or gue:PORT; may be repeated",
        )
        command.add_argument(
            "--clamp-mss",
            nargs="?",
            const="auto",
            default="",
            metavar="MSS",
            help="with the method tunnel: let clients send TCP segments that fit in, or of at most MSS bytes; or off",
        )
    start.add_argument(
        "--persist",
        nargs="?",
        const=DEFAULT,
        default="",
        choices=tuple(MANAGERS),
        help=f"keep it over boots, by files of {DEFAULT} or of what the host sets its network up with",
    )
    stop.add_argument("--persist", action="store_true", help="take away what would start it at the next boot, too")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 if something is refused or missing; 3 if `status` finds nothing started."""
    from directrix.cli.host_commands import guarded

    return guarded("realserver", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from directrix.cli.host_commands import require_root, show_done
    from directrix.realserver import preparing
    from directrix.system.whereabouts import read_vip

    vips = [read_vip(word) for word in dict.fromkeys(args.vip)]
    if args.host:
        from directrix.realserver.remote import ask_all, run_on

        if args.realserver_command == "status":
            return ask_all(args.host, _words_without_hosts(args), as_json=args.json)
        return run_on(args.host, _words_without_hosts(args))
    if args.realserver_command == "status":
        return _status(vips, args)
    if not args.dry_run:
        require_root(f"realserver {args.realserver_command}")
    if args.realserver_command == "start":
        wish = preparing.Wish(args.method, tuple(args.interface), tuple(args.tunnel), args.clamp_mss)
        done = preparing.start(vips, wish, args.persist, rehearse=args.dry_run)
    else:
        wish = preparing.Wish(args.method, tuple(args.interface))
        done = preparing.stop(vips, wish, persist=args.persist, rehearse=args.dry_run)
    show_done(done, rehearsed=args.dry_run)
    return 0


def _words_without_hosts(args: argparse.Namespace) -> list[str]:
    """The same command for the other side."""
    words = ["realserver", args.realserver_command]
    for vip in args.vip:
        words += ["--vip", vip]
    for interface in getattr(args, "interface", ()):
        words += ["--interface", interface]
    for tunnel in getattr(args, "tunnel", ()):
        words += ["--tunnel", tunnel]
    if getattr(args, "clamp_mss", ""):
        words.append(f"--clamp-mss={args.clamp_mss}")
    if getattr(args, "method", ""):
        words += ["--method", args.method]
    persist = getattr(args, "persist", "")
    if persist:
        words.append("--persist" if persist is True else f"--persist={persist}")
    words += [f"--{name}" for name in ("dry-run", "json") if getattr(args, name.replace("-", "_"), False)]
    return words


def _status(vips: list[Vip], args: argparse.Namespace) -> int:
    from directrix.realserver import preparing

    wish = preparing.Wish(args.method, tuple(args.interface), tuple(args.tunnel), args.clamp_mss)
    found = preparing.status(vips, wish)
    if args.json:
        import json

        print(json.dumps([as_json(status) for status in found], indent=2))
    elif not found:
        print("this host was made a real server for no VIP", file=sys.stderr)
    else:
        print("\n".join(line for status in found for line in lines(status)))
    if not found:
        return NOT_STARTED
    return 1 if any(status.missing for status in found) else 0


def as_json(status: VipStatus) -> dict[str, object]:
    """A status as plain data."""
    from directrix.cli.host_commands import fact_as_json

    return {
        "vip": str(status.vip),
        "method": status.method,
        "interfaces": list(status.interfaces),
        "tunnels": list(status.tunnels),
        "started": status.started,
        "persist": status.persist or None,
        "healthy": not status.missing,
        "facts": [fact_as_json(fact) for fact in status.facts],
    }


def lines(status: VipStatus) -> list[str]:
    """A status for people."""
    from directrix.cli.host_commands import fact_lines

    method = " ".join([status.method, *status.tunnels])
    words = [f"method {method}" + (f", at {', '.join(status.interfaces)}" if status.interfaces else "")]
    words.append("started" if status.started else "not started")
    words += [f"kept over boots by {status.persist}"] if status.persist else []
    return [f"{status.vip}: {'; '.join(words)}", *fact_lines(status.facts)]
