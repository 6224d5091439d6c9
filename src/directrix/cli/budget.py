"""`directrix budget`: how many new connections a service may get, and each source of it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from directrix.cli.server_words import describe_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from directrix.lvs import ServiceKey
    from directrix.lvs.budget import BudgetState, Rate

HELP = "set how many new connections a service may get, and each source of it"

MISUSE = 2
_OPTIONS = ("rate", "burst", "source_rate", "source_burst", "source_prefix", "source_prefix6")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix budget`."""
    parser.description = (
        "Give a service a budget of new connections, and each of its sources one. A packet that would make a "
        "connection more is dropped; connections that are there are not touched. A budget goes with its service."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="budget_command", required=True)
    put = commands.add_parser(
        "set", help="set a service's budget", description="Set the budget of a service, as a whole."
    )
    describe_service(put)
    put.add_argument("--rate", metavar="COUNT[/s|/m|/h]", help="new connections of the service in that time")
    put.add_argument("--burst", metavar="COUNT", help="that may come at once (default: a second's, and at least 5)")
    put.add_argument("--source-rate", metavar="COUNT[/s|/m|/h]", help="new connections of each source in that time")
    put.add_argument("--source-burst", metavar="COUNT", help="that may come at once from it (default likewise)")
    put.add_argument("--source-prefix", metavar="BITS", help="an IPv4 source is a network of this prefix (default 32)")
    put.add_argument("--source-prefix6", metavar="BITS", help="the same of IPv6 (default 64)")
    remove = commands.add_parser("remove", help="remove a service's budget", description="Remove a service's budget.")
    describe_service(remove)
    show = commands.add_parser(
        "list", help="list the budgets", description="List the budgets, what is left of them and what was refused."
    )
    show.add_argument("-j", "--json", action="store_true", help="as JSON")
    commands.add_parser("flush", help="remove all budgets", description="Remove all budgets.")
    commands.add_parser("save", help="print the budgets for `restore`", description="Print the budgets for `restore`.")
    restore = commands.add_parser(
        "restore",
        help="have the budgets of a file in place of all others",
        description="Have saved budgets in place of all there are, all of them or, if one is faulty, none.",
    )
    restore.add_argument("file", nargs="?", metavar="FILE", help="the file; without one, or for -, standard input")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 for a refusal or a faulty file, 2 for words that name no service."""
    from contextlib import closing

    from directrix.cli.server_words import BadServer, read_service
    from directrix.lvs.budget_words import FaultyBudgets, read_budget, saved
    from directrix.table.opening import open_table

    command = args.budget_command
    try:
        if command == "restore":
            return _restore(args)
        key = read_service(getattr(args, "words", ())) if command in ("set", "remove") else None
        given = {f"--{name.replace('_', '-')}": getattr(args, name, None) for name in _OPTIONS}
        budget = (
            read_budget({option: text for option, text in given.items() if text is not None})
            if command == "set"
            else None
        )
        with closing(open_table(create=False)) as table:
            if key is not None:
                table.set_budget(key, budget)
                _warn_of_configuration(command, key)
            elif command == "flush":
                table.set_budgets({})
            elif command == "save":
                sys.stdout.writelines(saved(table.budgets()))
            else:
                _list(table.budgets(), as_json=args.json)
    except BadServer as bad:
        print(f"directrix budget {command}: {bad}", file=sys.stderr)
        return MISUSE
    except FaultyBudgets as faulty:
        # each line begins with file:line, where editors look for it
        print(faulty, file=sys.stderr)
        return 1
    return 0


def _warn_of_configuration(command: str, key: ServiceKey) -> None:
    """Say so where a running director has a budget of its own for the service."""
    from directrix.director.client import NoDirector
    from directrix.director.remote import has_budget
    from directrix.table.opening import make_in_force

    try:
        configured = has_budget(key, make_in_force())
    except NoDirector:
        return  # it is done, and nobody can say more of it
    if configured:
        print(
            f"directrix budget {command}: the configuration of the director gives {key} a budget; that one is back "
            "at the next reload",
            file=sys.stderr,
        )


def _restore(args: argparse.Namespace) -> int:
    from contextlib import closing

    from directrix.lvs.budget_words import read_budgets
    from directrix.lvs.errors import NoSuchService
    from directrix.table.opening import open_table

    if args.file in (None, "-"):
        name, lines = "stdin", sys.stdin.readlines()
    else:
        with open(args.file, encoding="utf-8", errors="surrogateescape") as file:
            name, lines = args.file, file.readlines()
    with closing(open_table(create=False)) as table:
        there = {state.service.key for state in table.each_service()}

        def service(words: Sequence[str]) -> ServiceKey:
            key = _service(words)
            if key not in there:
                raise NoSuchService(key)
            return key

        table.set_budgets(read_budgets(lines, name, service))
    return 0


def _service(words: Sequence[str]) -> ServiceKey:
    from directrix.cli.server_words import BadServer, read_service
    from directrix.lvs.errors import InvalidRequest

    try:
        return read_service(words)
    except BadServer as bad:
        raise InvalidRequest(str(bad)) from None


def _list(budgets: Mapping[ServiceKey, BudgetState], *, as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({"budgets": [as_object(key, state) for key, state in budgets.items()]}, indent=2))
        return
    for key, state in budgets.items():
        print(key)
        budget = state.budget
        if budget.service is not None:
            print(f"  service  {_rate(budget.service)}: {state.left:,} left, {state.over:,} refused")
        if budget.source is not None:
            which = f"of a /{budget.prefix4}" if key.family.name == "INET" else f"of a /{budget.prefix6}"
            print(f"  source   {_rate(budget.source)}, {which}: {state.source_over:,} refused")


def _rate(rate: Rate) -> str:
    return f"{rate.text}, burst {rate.burst}"


def as_object(key: ServiceKey, state: BudgetState) -> dict[str, object]:
    """A service's budget as plain data; rates are a second's."""
    from directrix.lvs.objects import budget_object, key_object

    found = budget_object(state.budget)
    if found["budget"] is not None:
        found["budget"] |= {"left": state.left, "refused": state.over}
    if found["source_budget"] is not None:
        found["source_budget"] |= {"refused": state.source_over}
    return {**key_object(key), **found}
