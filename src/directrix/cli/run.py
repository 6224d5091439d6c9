"""`directrix run`: the director that a keepalived.conf describes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from directrix.keepalived import Fault

HELP = "run the director that a keepalived.conf describes: checks, failover, the table"

EXIT_FAULTY = 1
EXIT_MISUSE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix run`."""
    parser.description = (
        "Run the director that a keepalived.conf describes, in the foreground: it checks real servers, has the table "
        "follow, and speaks VRRP. SIGHUP has it read the file again, SIGTERM stops it. With --check it only reads the "
        "file with all it includes, and lists every mistake and everything that means nothing here."
    )
    parser.add_argument(
        "-t", "--check", "--config-test", action="store_true", help="check the file, and do nothing else"
    )
    describe_file(parser)
    parser.add_argument("-j", "--json", action="store_true", help="with --check: what was found as JSON")
    parser.add_argument(
        "-n",
        "--dont-fork",
        action="store_true",
        help="stay in the foreground, which it always does (keepalived's word)",
    )
    parser.add_argument(
        "-l",
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="what is written to the log, on stderr; info by default",
    )
    parser.add_argument("--log-json", action="store_true", help="the log as JSON, one object a line")
    parser.add_argument("--event-log", metavar="FILE", help="also write what happens to a file, as JSON lines")
    describe_others(parser)
    parser.add_argument(
        "--install-unit",
        nargs="?",
        const="",
        metavar="FILE",
        help="write the unit by which systemd runs the director with the other words given here, and do nothing else",
    )


def describe_others(parser: argparse.ArgumentParser) -> None:
    """Declare the word for services that are somebody else's."""
    parser.add_argument(
        "--keep-others",
        action="store_true",
        help="leave services alone that are not in the configuration and were not put into the table by its director",
    )


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
    """Exit status: 0, 1 for a faulty or unreadable file or a refusal, 2 for a misuse or a table that can't be had."""
    if args.install_unit is not None:
        return _install(args)
    if not args.check:
        return _direct(args)
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


def _direct(args: argparse.Namespace) -> int:
    from pathlib import Path

    from directrix.director import logs
    from directrix.director.options import Options
    from directrix.director.running import run as run_director
    from directrix.keepalived import USUAL_PATH

    if args.json:
        print("directrix run: --json goes with --check; for the log there is --log-json", file=sys.stderr)
        return EXIT_MISUSE
    logs.set_up(args.log_level, as_json=args.log_json)
    path = str(Path(args.use_file or USUAL_PATH).absolute())
    event_log = None if args.event_log is None else Path(args.event_log).absolute()
    return run_director(Options(path, args.config_id, keep_others=args.keep_others, event_log=event_log))


def _install(args: argparse.Namespace) -> int:
    import os
    from pathlib import Path

    from directrix.director.unit import USUAL_PATH as UNIT
    from directrix.director.unit import NotOurs, install, own_command
    from directrix.keepalived import USUAL_PATH
    from directrix.table.opening import AUTO, VARIABLE

    if args.check:
        print("directrix run: --install-unit and --check don't go together", file=sys.stderr)
        return EXIT_MISUSE
    make = os.environ.get(VARIABLE) or AUTO
    words = [*own_command(), *(["--table", make] if make != AUTO else []), "run"]
    words += ["-f", str(Path(args.use_file or USUAL_PATH).absolute())]
    words += ["-i", args.config_id] if args.config_id else []
    words += ["-l", args.log_level] if args.log_level != "info" else []
    words += ["--log-json"] if args.log_json else []
    words += ["--event-log", str(Path(args.event_log).absolute())] if args.event_log else []
    words += ["--keep-others"] if args.keep_others else []
    path = Path(args.install_unit) if args.install_unit else UNIT
    try:
        install(words, path)
    except NotOurs as error:
        print(f"directrix run: {error}", file=sys.stderr)
        return EXIT_FAULTY
    print(f"{path} is written; go on by:\n  systemctl daemon-reload\n  systemctl enable --now {path.name}")
    return 0


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
