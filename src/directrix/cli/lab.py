"""`directrix lab`: whole clusters on one machine, in network namespaces."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from directrix.lab.errors import LabError

HELP = "build a whole cluster on this machine, in network namespaces"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix lab`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="lab_command", required=True)

    up = commands.add_parser("up", help="build a lab", description="Build a lab, by default the one-segment cluster.")
    up.add_argument("lab", nargs="?", metavar="NAME|FILE", help="a ready-made lab, or a lab file (with / or .toml)")
    up.add_argument("--name", help="call it so (default: the name of the ready-made lab or of the file)")

    down = commands.add_parser("down", help="take a lab down", description="Take a lab down; nothing of it is left.")
    which = down.add_mutually_exclusive_group()
    which.add_argument("name", nargs="?", metavar="NAME", help="which lab; not needed if there is but one")
    which.add_argument("--all", action="store_true", help="take all labs down")

    status = commands.add_parser("status", help="show the labs there are", description="Show the labs there are.")
    status.add_argument("--json", action="store_true", help="as JSON")

    commands.add_parser("list", help="list the ready-made labs", description="List the labs that come with directrix.")

    show = commands.add_parser(
        "show",
        help="print a ready-made lab's file",
        description="Print a lab file, to learn from or to begin one's own.",
    )
    show.add_argument("lab", metavar="NAME", help="a ready-made lab")

    execute = commands.add_parser(
        "exec",
        help="run a command in a host of a lab",
        description="Run a command in a host of a lab; without one, a shell. The host `switch` holds the bridges.",
    )
    execute.add_argument("--lab", metavar="NAME", help="which lab; not needed if there is but one")
    execute.add_argument("host", metavar="HOST")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND…")

    breaking = commands.add_parser(
        "break",
        help="break something in a lab on purpose",
        description="Break something in a lab on purpose, to see what `directrix doctor` says; without a name, list "
        "what can be broken.",
    )
    breaking.add_argument("what", nargs="?", metavar="BREAK", help="what to break")
    breaking.add_argument("--lab", metavar="NAME", help="which lab; not needed if there is but one")
    breaking.add_argument("--host", metavar="HOST", help="on this host; otherwise on the first one of the right role")

    healing = commands.add_parser(
        "heal", help="undo what was broken", description="Undo what was broken: what is named, or everything."
    )
    healing.add_argument("what", nargs="*", metavar="BREAK", help="what to undo")
    healing.add_argument("--lab", metavar="NAME", help="which lab; not needed if there is but one")

    demo = commands.add_parser(
        "demo",
        help="see a cluster at work, in a minute",
        description="Build a cluster, show what it does, check that it did, and take it down: how it balances, or "
        "with `failover` how servers and directors die and come back, with times and counted requests.",
    )
    demo.add_argument("what", nargs="?", choices=("balancing", "failover"), default="balancing", help="what to show")
    demo.add_argument("--json", action="store_true", help="of failover: the figures as JSON, and the rest on stderr")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; gives the exit status."""
    from directrix.lab.reading import FaultyFile
    from directrix.system.signals import Terminated, ending_in_order

    commands = {
        "up": _up,
        "down": _down,
        "status": _status,
        "list": _list,
        "show": _show,
        "exec": _exec,
        "break": _break,
        "heal": _heal,
        "demo": _demo,
    }
    try:
        with ending_in_order():
            return commands[args.lab_command](args)
    except FaultyFile as error:
        # Each line begins with file:line:column, where editors look for it.
        print(error, file=sys.stderr)
        return 1
    except LabError as error:
        _complain(str(error))
        return 1
    except Terminated as signal:
        return signal.status


def _up(args: argparse.Namespace) -> int:
    from directrix.lab.builder import build
    from directrix.lab.language import read_lab
    from directrix.lab.ready_made import DEFAULT, check_name, find

    path = find(args.lab or DEFAULT)
    lab = read_lab(path)
    name = check_name(args.name or path.stem)
    with _Progress() as progress:
        made = build(lab, name, str(path), progress)
    if sys.stderr.isatty():
        hosts = " ".join(host.name for host in made.hosts)
        print(f"lab {name!r} is up; its hosts: {hosts}\nlook inside: directrix lab exec HOST COMMAND", file=sys.stderr)
    return 0


def _down(args: argparse.Namespace) -> int:
    from directrix.lab.choosing import the_only_lab
    from directrix.lab.teardown import take_down, take_down_all

    if args.all:
        take_down_all()
    else:
        take_down(args.name or the_only_lab())
    return 0


def _status(args: argparse.Namespace) -> int:
    from directrix.lab.overview import overview

    labs = overview()
    if args.json:
        json.dump([asdict(lab) for lab in labs], sys.stdout, indent=2)
        print()
        return 0
    for lab in labs:
        print(f"{lab.name}: {lab.state}" + (f"; {lab.title}" if lab.title else ""))
        for each in lab.broken:
            print(f"  BROKEN: {each}")
        if lab.vips:
            print(f"  VIPs: {' '.join(lab.vips)}")
        for host in lab.hosts:
            life = f"{len(host.processes)} processes" if host.present else "not there"
            print(f"  {host.name:<14} {host.role:<11} {life:<13} {' '.join(host.addresses)}".rstrip())
    return 0


def _list(args: argparse.Namespace) -> int:
    from directrix.lab.language import read_lab
    from directrix.lab.ready_made import ready_made

    for path in ready_made():
        print(f"{path.stem:<14} {read_lab(path).title}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from directrix.lab.reading import load
    from directrix.lab.ready_made import find

    print(load(find(args.lab)), end="")
    return 0


def _exec(args: argparse.Namespace) -> int:
    from directrix.lab.choosing import choose_host, choose_lab
    from directrix.lab.inside import NOT_EXECUTABLE, NOT_FOUND, execute

    host = choose_host(choose_lab(args.lab), args.host)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    command = command or [os.environ.get("SHELL", "/bin/sh")]
    try:
        execute(host, command)
    except FileNotFoundError:
        _complain(f"{command[0]}: no such command")
        return NOT_FOUND
    except OSError as error:
        _complain(f"{command[0]}: {error.strerror}")
        return NOT_EXECUTABLE


def _break(args: argparse.Namespace) -> int:
    from directrix.lab.breaking import break_lab
    from directrix.lab.breaks import BREAKS, find_break
    from directrix.lab.choosing import choose_lab

    if args.what is None:
        width = max(map(len, BREAKS)) + 2
        for known in BREAKS.values():
            print(f"{known.name:<{width}}{known.help}: {known.seen}")
        return 0
    kind = find_break(args.what)
    made = break_lab(choose_lab(args.lab), kind, args.host)
    if sys.stderr.isatty():
        print(f"on {made.host}: {kind.help}; {kind.seen}\nundo it: directrix lab heal {made.name}", file=sys.stderr)
    return 0


def _heal(args: argparse.Namespace) -> int:
    from directrix.lab.breaking import heal_lab
    from directrix.lab.breaks import find_break
    from directrix.lab.choosing import choose_lab

    for healed in heal_lab(choose_lab(args.lab), tuple(find_break(name).name for name in args.what)):
        if sys.stderr.isatty():
            print(f"undone: {healed.name} on {healed.host}", file=sys.stderr)
    return 0


def _demo(args: argparse.Namespace) -> int:
    from directrix.lab.stage import standard_stage

    if args.what == "balancing":
        from directrix.lab.demo import demo

        if args.json:
            raise LabError("of balancing there are no figures", "--json goes with `directrix lab demo failover`")
        return 0 if demo(standard_stage(sys.stdout)) else 1
    from directrix.lab import failover_demo

    as_shown, figures = failover_demo.demo(standard_stage(sys.stderr if args.json else sys.stdout))
    if args.json:
        print(json.dumps({"as_shown": as_shown, "figures": [each.as_object() for each in figures]}, indent=2))
    return 0 if as_shown else 1


def _complain(message: str) -> None:
    print(f"directrix lab: {message}", file=sys.stderr)


class _Progress:
    """One line on the terminal that says what is being done, gone when all is done."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, what: str) -> None:
        if self.shown:
            print(f"\r\x1b[K{what} …", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
