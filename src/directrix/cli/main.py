"""The `directrix` command: finds the subcommand and runs it.

Start-up is what a shell script that calls `directrix ipvsadm` a hundred times pays a hundred
times, so nothing is imported here before it is needed: each subcommand is a module of its own,
and ipvsadm's words never meet argparse.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from directrix import __version__

if TYPE_CHECKING:
    import argparse

EXIT_REFUSED = 1
EXIT_MISUSE = 2
EXIT_UNAVAILABLE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141

GROUPS = {
    "the table": ("ipvsadm", "sysctl", "mark", "budget", "drain", "admit", "up", "down", "status", "health", "top"),
    "why": ("explain", "trace"),
    "a cluster": ("run", "show", "plan", "apply", "config"),
    "hosts of a cluster": ("realserver", "director", "doctor"),
    "whole clusters": ("lab",),
    "the shell": ("install-names", "completion"),
}
"""The subcommands, in the order in which help shows them. Each is the module of that name here, `_` for `-`."""

NAMES = tuple(name for names in GROUPS.values() for name in names)

OF_OUR_TABLE = ("up", "down", "trace")
"""Subcommands about what the kernel's IPVS does not have: programs at interfaces."""

USAGE = "directrix [--table auto|xdp|ipvs] COMMAND [WORDS…]"
DESCRIPTION = "A Linux Virtual Server: layer-4 load balancing in the kernel, by XDP and tc."


class Subcommand(Protocol):
    """What every module of a subcommand has."""

    HELP: str
    """One line on what it does."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare its words."""

    def run(self, args: argparse.Namespace) -> int:
        """Do what was asked; returns the exit status."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0 is success, 1 a refusal, 2 a misuse or a table that can't be reached; `ipvsadm` has its own.
    """
    provide_streams()
    given = sys.argv[1:] if words is None else list(words)
    return guarded(lambda: dispatch(given))


def dispatch(words: list[str]) -> int:
    """Run the subcommand the first word names, or answer what needs none."""
    first = words[0] if words else ""
    if first == "--table" or first.startswith("--table="):
        return dispatch_on_table(words)
    if first == "ipvsadm":
        from directrix.cli.ipvsadm import run_words

        return run_words(words[1:])
    if first in NAMES:
        return run_subcommand(first, words[1:])
    if first == "--version":
        print(f"directrix {__version__}")
        return 0
    if first in ("-h", "--help", "help"):
        print(help_text(), end="")
        return 0
    if first:
        print(f"directrix: there is no command {first!r}; see `directrix --help`", file=sys.stderr)
    else:
        print(help_text(), end="", file=sys.stderr)
    return EXIT_MISUSE


def dispatch_on_table(words: list[str]) -> int:
    """The same after `--table`, which chooses the table for this run and for whatever it runs."""
    from directrix.table.opening import MAKES, VARIABLE

    first, equals, make = words[0].partition("=")
    rest = words[1:]
    if not equals:
        make, rest = (rest[0] if rest else ""), rest[1:]
    if make not in MAKES:
        print(f"directrix: there is no table {make!r}; {first} takes {', '.join(MAKES)}", file=sys.stderr)
        return EXIT_MISUSE
    os.environ[VARIABLE] = make
    return dispatch(rest)


def subcommand(name: str) -> Subcommand:
    """The module of a subcommand."""
    from importlib import import_module

    module: Subcommand = import_module(f"directrix.cli.{name.replace('-', '_')}")
    return module


def run_subcommand(name: str, words: list[str]) -> int:
    """Read a subcommand's words by argparse and run it."""
    import argparse

    module = subcommand(name)
    description = f"{module.HELP[:1].upper()}{module.HELP[1:]}."
    parser = argparse.ArgumentParser(prog=f"directrix {name}", description=description)
    module.configure(parser)
    args = parser.parse_args(words)
    if name in OF_OUR_TABLE:
        from directrix.table.opening import IPVS, chosen_make

        if chosen_make() == IPVS:
            print(f"directrix {name}: the table chosen is the kernel's IPVS, which attaches nothing", file=sys.stderr)
            return EXIT_MISUSE
    return module.run(args)


def help_text() -> str:
    """The help that lists all subcommands."""
    width = max(map(len, NAMES)) + 2
    lines = [f"usage: {USAGE}", "", DESCRIPTION]
    for title, names in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<{width}}{subcommand(name).HELP}" for name in names]
    lines += [
        "",
        "--table chooses whose table: directrix's own (xdp), the kernel's IPVS (ipvs), or directrix's own wherever",
        "this machine can carry it (auto, the default); the environment variable DIRECTRIX_TABLE does too.",
    ]
    lines += ["", "`directrix COMMAND --help` tells more. `directrix --version` prints the version."]
    return "\n".join(lines) + "\n"


def guarded(run: Callable[[], int]) -> int:
    """Run, and turn what goes wrong by nature into one line and an exit status."""
    from directrix.lvs.errors import TableError, TableUnavailable

    try:
        status = run()
        sys.stdout.flush()
        return status
    except TableUnavailable as error:
        print(f"directrix: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except TableError as error:
        print(f"directrix: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return EXIT_PIPE_CLOSED
    except OSError as error:
        print(f"directrix: {in_words(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            discard_output()
        return EXIT_REFUSED


def in_words(error: OSError) -> str:
    """An error of the system without Python's number before it and quotes behind it."""
    if not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def discard_output() -> None:
    """Nobody takes our output any more; without this Python would complain once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def provide_streams() -> None:
    """A shell may have closed any of the standard streams (`>&-`); then they are empty."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
