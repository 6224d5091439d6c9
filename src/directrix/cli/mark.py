"""`directrix mark`: the rules that give packets a firewall mark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

HELP = "give packets firewall marks, for virtual services by mark"


class _Keep(argparse.Action):
    """Keeps an option with its text, in the order given: what they mean together is the language's business."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        words = namespace.words = getattr(namespace, "words", [])
        words.append((self.option_strings[-1], str(values)))


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix mark`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="mark_command", required=True)
    add = commands.add_parser("add", help="add a rule", description="Give packets to some destinations a mark.")
    _describe_rule(add)
    remove = commands.add_parser(
        "remove", help="remove a rule", description="Remove the rule for exactly these packets."
    )
    _describe_rule(remove)
    show = commands.add_parser("list", help="list the rules", description="List the rules.")
    show.add_argument("-n", "--numeric", action="store_true", help="no names of hosts and ports")
    show.add_argument("-j", "--json", action="store_true", help="as JSON, without names")
    commands.add_parser("flush", help="remove all rules", description="Remove all rules.")
    commands.add_parser("save", help="print the rules for `restore`", description="Print the rules for `restore`.")
    restore = commands.add_parser(
        "restore",
        help="have the rules of a file in place of all others",
        description="Have saved rules in place of all there are, all of them or, if one is faulty, none.",
    )
    restore.add_argument("file", nargs="?", metavar="FILE", help="the file; without one, or for -, standard input")


def _describe_rule(parser: argparse.ArgumentParser) -> None:
    from directrix.marks.words import PROTOCOLS

    keep: dict[str, Any] = {"action": _Keep, "default": argparse.SUPPRESS}
    service = "VIP[/PREFIX][:PORT[-PORT]]"
    parser.add_argument("-t", "--tcp-service", metavar=service, help="TCP to this destination", **keep)
    parser.add_argument("-u", "--udp-service", metavar=service, help="UDP to this destination", **keep)
    parser.add_argument("--sctp-service", metavar=service, help="SCTP to this destination", **keep)
    parser.add_argument("--proto", choices=tuple(PROTOCOLS), help="packets of this protocol", **keep)
    parser.add_argument("--destination", metavar="ADDRESS[/PREFIX]", help="with --proto: to this address", **keep)
    parser.add_argument("--dport", metavar="PORT[-PORT]", help="with --proto: to these ports", **keep)
    parser.add_argument("--mark", metavar="MARK", help="the firewall mark, 1 to 4294967295", **keep)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 for a refusal or a faulty file, 2 for words that make no rule."""
    from directrix.marks.restoring import FaultyRules
    from directrix.marks.words import BadWords

    commands = {"add": _add, "remove": _remove, "list": _list, "flush": _flush, "save": _save, "restore": _restore}
    try:
        commands[args.mark_command](args)
    except BadWords as bad:
        print(f"directrix mark {args.mark_command}: {bad.reason}", file=sys.stderr)
        return 2
    except FaultyRules as faulty:
        # each line begins with file:line:column, where editors look for it
        print(faulty, file=sys.stderr)
        return 1
    return 0


def _add(args: argparse.Namespace) -> None:
    from directrix.ipvsadm.names import Names
    from directrix.marks.words import read_rule
    from directrix.table.opening import open_table

    rule = read_rule(_words(args), Names())
    open_table(create=True).add_mark(rule)


def _remove(args: argparse.Namespace) -> None:
    from directrix.ipvsadm.names import Names
    from directrix.marks.words import read_mark, read_match
    from directrix.table.opening import open_table

    words = _words(args)
    match, mark = read_match(words, Names()), read_mark(words)
    open_table(create=False).remove_mark(match, mark)


def _list(args: argparse.Namespace) -> None:
    from directrix.ipvsadm.names import Names
    from directrix.marks.writing import as_json, listing
    from directrix.table.opening import open_table

    rules = open_table(create=False).marks()
    sys.stdout.write(as_json(rules) if args.json else "".join(listing(rules, None if args.numeric else Names())))


def _flush(args: argparse.Namespace) -> None:
    from directrix.table.opening import open_table

    open_table(create=False).set_marks(())


def _save(args: argparse.Namespace) -> None:
    from directrix.marks.writing import saved
    from directrix.table.opening import open_table

    sys.stdout.write("".join(saved(open_table(create=False).marks())))


def _restore(args: argparse.Namespace) -> None:
    from directrix.ipvsadm.names import Names
    from directrix.marks.restoring import read_rules
    from directrix.table.opening import open_table

    if args.file in (None, "-"):
        rules = read_rules(sys.stdin, "stdin", Names())
    else:
        with open(args.file, encoding="utf-8", errors="surrogateescape") as file:
            rules = read_rules(file, args.file, Names())
    open_table(create=True).set_marks(rules)


def _words(args: argparse.Namespace) -> list[Any]:
    from directrix.marks.words import Word

    return [Word(option, text) for option, text in getattr(args, "words", [])]
