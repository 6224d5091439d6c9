"""`directrix run`: the director that a keepalived.conf describes. So far it checks the file."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from directrix.keepalived import Fault

HELP = "run what a keepalived.conf describes; so far only --check, which checks it"

EXIT_FAULTY = 1
EXIT_MISUSE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix run`."""
    parser.description = (
        "Run the director that a keepalived.conf describes. The daemon is not there yet: only --check works, which "
        "reads the file with all it includes, and lists every mistake and everything that means nothing here."
    )
    parser.add_argument(
        "-t", "--check", "--config-test", action="store_true", help="check the file, and do nothing else"
    )
    describe_file(parser)
    parser.add_argument("-j", "--json", action="store_true", help="with --check: what was found as JSON")


def describe_file(parser: argparse.ArgumentParser) -> None:
    """Declare the words that name a configuration, with keepalived's spellings."""
    parser.add_argument(
        "-f", "--use-file", metavar="FILE", help="the configuration; /etc/keepalived/keepalived.conf by default"
    )
    parser.add_argument(
        "-i",
        "--config-id",
        metavar="ID",
        help="what @ID and @^ID in it are compared with; the host's name up to its first dot by default",
    )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 for a faulty or unreadable file, 2 for a misuse."""
    if not args.check:
        print("directrix run: the daemon is not there yet; --check checks a configuration", file=sys.stderr)
        return EXIT_MISUSE
    from directrix.keepalived import USUAL_PATH, FaultyConfiguration, load

    path = args.use_file or USUAL_PATH
    status = 0
    try:
        found: Sequence[Fault] = load(path, args.config_id).warnings
    except FaultyConfiguration as faulty:
        found, status = faulty.faults, EXIT_FAULTY
    except OSError as error:
        return unreadable("run", path, error)
    if args.json:
        import json

        print(json.dumps({"file": path, "valid": status == 0, "faults": [as_json(fault) for fault in found]}, indent=2))
    else:
        tell(found)
    return status


def unreadable(command: str, path: str, error: OSError) -> int:
    """Say that the configuration can't be read; gives the exit status."""
    print(f"directrix {command}: {path} can't be read: {error.strerror or error}", file=sys.stderr)
    return EXIT_FAULTY


def tell(faults: Sequence[Fault]) -> None:
    """Print faults, one a line, each after its file:line:column, where editors look for it."""
    for fault in faults:
        print(shown(str(fault)), file=sys.stderr)


def shown(text: str) -> str:
    """Text that any terminal and any pipe takes: bytes that are no UTF-8 come as `\\xNN`, controls escaped."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in plain)


def as_json(fault: Fault) -> dict[str, object]:
    """A fault as JSON has it."""
    return {
        "file": shown(fault.place.file),
        "line": fault.place.line,
        "column": fault.place.column,
        "severity": fault.severity.value,
        "reason": shown(fault.reason),
        "trail": shown(fault.place.trail[2:]),
    }
