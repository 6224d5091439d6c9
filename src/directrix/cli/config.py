"""`directrix config`: what a keepalived.conf means here, and which keywords there are."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from directrix.cli.run import EXIT_FAULTY, describe_file, tell, unreadable

HELP = "show what is understood of a keepalived.conf, and which keywords there are"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix config`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="config_command", required=True)
    show = commands.add_parser(
        "show",
        help="print what is understood of a configuration",
        description="Print what is understood of a keepalived.conf and all it includes: as keepalived.conf, with "
        "parameters, conditions and repetitions worked out, or as JSON, with every default and inheritance worked out.",
    )
    describe_file(show)
    show.add_argument("-j", "--json", action="store_true", help="as JSON")
    keywords = commands.add_parser(
        "keywords",
        help="list the keywords",
        description="List every keyword of keepalived.conf by the block it stands in, and what it means here.",
    )
    keywords.add_argument("-j", "--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 1 for a faulty or unreadable file."""
    return _show(args) if args.config_command == "show" else _keywords(args)


def _show(args: argparse.Namespace) -> int:
    from directrix.keepalived import USUAL_PATH, FaultyConfiguration, load, written

    path = args.use_file or USUAL_PATH
    try:
        loaded = load(path, args.config_id)
    except FaultyConfiguration as faulty:
        tell(faulty.faults)
        return EXIT_FAULTY
    except OSError as error:
        return unreadable("config show", path, error)
    tell(loaded.warnings)
    if args.json:
        from directrix.keepalived.as_json import as_json

        _print_json(as_json(loaded.configuration))
    else:
        # bytes of the file that are no UTF-8 come out as they went in
        sys.stdout.flush()
        text = written(loaded.configuration).encode("utf-8", "surrogateescape")
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(text)
        else:
            print(text.decode("utf-8", "replace"), end="")
    return 0


def _keywords(args: argparse.Namespace) -> int:
    from directrix.keepalived.manual import State, rows

    found = list(rows())
    if args.json:
        _print_json(
            [
                {
                    "block": row.block,
                    "keyword": row.keyword.name,
                    "spellings": list(row.keyword.spellings),
                    "syntax": row.keyword.kind.syntax,
                    "state": row.state.value,
                    "meaning": row.meaning,
                }
                for row in found
            ]
        )
        return 0
    block = None
    for row in found:
        if row.block != block:
            print(("\n" if block is not None else "") + (f"{row.block}:" if row.block else "outside of blocks:"))
            block = row.block
        note = "" if row.state is State.UNDERSTOOD else f" [{row.state.value}]"
        print(f"  {row.keyword.name}{note}: {row.meaning}")
    return 0


def _print_json(value: Any) -> None:
    import json

    # text that was no UTF-8 has surrogates, which only escapes carry
    print(json.dumps(value, indent=2))
