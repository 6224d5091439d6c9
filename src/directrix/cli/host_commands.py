"""What the commands that set hosts up have in common: how they show what they do, and what goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from directrix.system.commands import CommandFailed
    from directrix.system.facts.fact import FactStatus
    from directrix.system.facts.keeping import Done
    from directrix.system.host_error import HostError

_SHORT = 43
"""Characters of a state that is shown beside its fact: an address with its prefix."""

_NOT_FOUND = 127
_PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "arptables": "arptables",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "modprobe": "kmod",
    "tc": "iproute2",
}
"""The packages that have the programs we run."""

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def declare(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], role: str, methods: Sequence[str], method_help: str
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """Declare start, stop and status with the words they share; gives the three, for what is one command's alone.

    `role` is what the host is made, with its preposition: `a real server for`.
    """
    start = commands.add_parser(
        "start",
        help=f"make this host {role} VIPs",
        description=f"Make this host {role} VIPs. Done again it mends what is missing.",
    )
    stop = commands.add_parser(
        "stop",
        help="put back what was there before",
        description="Put back exactly what was there before; without --vip, for every VIP that was started. The words "
        "of the start may come along: if a VIP was started otherwise that is told, and none is stopped.",
    )
    status = commands.add_parser(
        "status",
        help="show what is as it must be and what is missing",
        description=f"Hold this host against what {role} VIPs must be; without --vip, for every VIP started.",
    )
    for command in (start, stop, status):
        add_vips(command, required=command is start)
    for command in (start, stop, status):
        command.add_argument("-m", "--method", choices=tuple(methods), default="", help=method_help)
    for command in (start, stop):
        command.add_argument("-n", "--dry-run", action="store_true", help="print the commands, and change nothing")
    status.add_argument("-j", "--json", action="store_true", help="as JSON")
    return start, stop, status


def add_vips(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare the option that names VIPs."""
    command.add_argument(
        "-v",
        "--vip",
        action="extend",
        nargs="+",
        metavar="VIP",
        default=[],
        required=required,
        help="the virtual addresses, IPv4 or IPv6",
    )


def guarded(name: str, run: Callable[[], int]) -> int:
    """Run; what this host can't do is one line and exit status 1. A signal ends it in good order."""
    from directrix.system.commands import CommandFailed
    from directrix.system.host_error import HostError
    from directrix.system.signals import Terminated, ending_in_order

    try:
        with ending_in_order():
            return run()
    except (HostError, CommandFailed) as error:
        print(f"directrix {name}: {error}{package_advised(error)}", file=sys.stderr)
        return 1
    except Terminated as signal:
        return signal.status


def package_advised(error: HostError | CommandFailed) -> str:
    """What to add to an error: the package to be installed, if a program we run isn't there."""
    program = getattr(error, "command", "").partition(" ")[0]
    if getattr(error, "status", 0) != _NOT_FOUND or program not in _PACKAGES:
        return ""
    return f"; install the package {_PACKAGES[program]}"


def require_root(what: str) -> None:
    """Take care that we are root.

    Raises:
        HostError: we are not.
    """
    from directrix.system.host_error import HostError

    if os.geteuid() != 0:
        raise HostError(f"`{what}` changes addresses and kernel parameters, and that needs root", "try again with sudo")


def show_done(done: Done, *, rehearsed: bool) -> None:
    """The commands of a rehearsal on stdout; what was left alone on stderr."""
    if rehearsed:
        print("".join(f"{command}\n" for command in done.commands), end="")
    for text in done.left:
        print(f"left alone, because somebody else changed it meanwhile: {text}", file=sys.stderr)
    for holder in done.unknown:
        print(f"there is nothing to stop: `{holder}` was not started here", file=sys.stderr)


def fact_as_json(fact: FactStatus) -> dict[str, object]:
    """A fact held against the host, as plain data."""
    return {"fact": fact.text, "holds": fact.holds, "now": fact.now, "mend": list(fact.mend)}


def fact_lines(facts: Sequence[FactStatus]) -> Iterator[str]:
    """Facts held against the host, for people; in colour on a terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for fact in facts:
        word, colour = ("ok", _GREEN) if fact.holds else ("missing", _RED)
        shown = f"{colour}{word:<8}{_PLAIN}" if coloured else f"{word:<8}"
        is_short = fact.now is not None and len(fact.now) <= _SHORT and fact.now.isprintable()
        yield f"  {shown} {fact.text}" + (f" (is {fact.now})" if is_short and not fact.holds else "")
        for command in fact.mend:
            yield from (f"           {line}" for line in command.splitlines())
