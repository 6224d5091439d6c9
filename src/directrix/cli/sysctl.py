"""`directrix sysctl`: IPVS's sysctls of the table, in the language of sysctl(8)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.lvs.sysctls import SysctlValue
    from directrix.table.interface import Table

HELP = "show and set IPVS's sysctls of the table, in the language of sysctl(8)"

FILE = "/etc/sysctl.conf"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix sysctl`."""
    parser.description = (
        "Show and set what IPVS calls its sysctls, for this network namespace's table. A name is given bare or as "
        "net.ipv4.vs.NAME or net/ipv4/vs/NAME. All that one call sets is set, or nothing."
    )
    parser.add_argument("words", nargs="*", metavar="NAME[=VALUE]", help="show it, or set it")
    parser.add_argument("-a", "--all", action="store_true", help="show all; those without effect here with the reason")
    parser.add_argument("-w", "--write", action="store_true", help="only set: every word must be NAME=VALUE")
    parser.add_argument(
        "-p",
        "--load",
        action="append",
        nargs="?",
        const=FILE,
        metavar="FILE",
        help=f"set what is about IPVS in this file (default {FILE}; - is standard input), leave the rest alone",
    )
    parser.add_argument("-n", "--values", action="store_true", help="show values without their names")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show what is set")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the lines of files that are left alone")
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 2 if nothing was asked for."""
    from directrix.lvs.sysctl_words import assignment, name_of, read_file
    from directrix.lvs.sysctls import SYSCTLS
    from directrix.table.opening import open_table

    values: dict[str, SysctlValue] = {}
    wanted: list[str] = []
    for source in args.load or ():
        found = read_file(sys.stdin.read() if source == "-" else Path(source).read_text(errors="replace"), source)
        values.update(found.values)
        for number, line in found.others if args.verbose else ():
            print(f"directrix sysctl: {source}({number}): left alone: {line}", file=sys.stderr)
    for word in args.words:
        if args.write or "=" in word:
            values.update([assignment(word)])
        else:
            wanted.append(name_of(word))
    if not (args.all or args.load or args.words):
        print("directrix sysctl: name a sysctl, or -a for all; see `directrix sysctl --help`", file=sys.stderr)
        return 2
    table = open_table(create=bool(values))
    try:
        if values:
            table.set_sysctls(values)
        for name in values:
            if reason := table.inert_sysctls.get(name):
                print(f"directrix sysctl: {SYSCTLS[name].full_name} has no effect here: {reason}", file=sys.stderr)
        if args.all:
            show(table, list(table.sysctls()), args, reasons=True)
        else:
            show(table, [*(values if not args.quiet else ()), *wanted], args)
    finally:
        table.close()
    return 0


def show(table: Table, names: list[str], args: argparse.Namespace, *, reasons: bool = False) -> None:
    """Print some sysctls with their values in force."""
    from directrix.lvs.sysctls import find
    from directrix.lvs.sysctls import show as text_of

    in_force = table.sysctls()
    known = [find(name) for name in dict.fromkeys(names)]
    if args.json:
        import json

        print(
            json.dumps(
                [
                    {
                        "name": sysctl.name,
                        "value": in_force[sysctl.name],
                        "default": sysctl.default,
                        "meaning": sysctl.meaning,
                        "effective": sysctl.name not in table.inert_sysctls,
                        "reason": table.inert_sysctls.get(sysctl.name, ""),
                    }
                    for sysctl in known
                ],
                indent=2,
            )
        )
        return
    for sysctl in known:
        reason = table.inert_sysctls.get(sysctl.name)
        if args.values:
            print(text_of(in_force[sysctl.name]))
            continue
        if reasons and reason:
            print(f"# {sysctl.full_name} has no effect here: {reason}")
        print(f"{sysctl.full_name} = {text_of(in_force[sysctl.name])}")
