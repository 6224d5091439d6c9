"""`directrix completion`: the script that teaches a shell to complete the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.cli.grammar import Command

HELP = "print a shell's completion script"

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix completion`."""
    parser.add_argument("shell", choices=SHELLS, help="whose script")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from directrix.cli.shells import SCRIPTS

    print(SCRIPTS[args.shell](command_line()), end="")
    return 0


def command_line() -> Command:
    """All words of `directrix`, read from its subcommands."""
    from directrix.cli.grammar import Argument, Command, Kind, Option, from_parser, ipvsadm_command
    from directrix.cli.main import NAMES, subcommand
    from directrix.doctor.registry import CHECKS
    from directrix.lab.breaks import BREAKS
    from directrix.lab.ready_made import ready_made
    from directrix.table.opening import MAKES
    from directrix.trace.words import WORDS as FILTER_WORDS

    breaks = Argument(Kind.WORD, tuple(BREAKS))
    labs = tuple(path.stem for path in ready_made())
    known: dict[tuple[str, ...], Argument] = {
        ("directrix", "lab", "up", "lab"): Argument(Kind.FILE, labs),
        ("directrix", "lab", "show", "lab"): Argument(Kind.WORD, labs),
        ("directrix", "lab", "break", "what"): breaks,
        ("directrix", "lab", "heal", "what"): breaks,
        ("directrix", "doctor", "only"): Argument(Kind.WORD, tuple(CHECKS)),
        ("directrix", "trace", "filter"): Argument(Kind.WORD, FILTER_WORDS),
    }
    commands = []
    for name in NAMES:
        path, module = ("directrix", name), subcommand(name)
        if name == "ipvsadm":
            commands.append(ipvsadm_command(path, module.HELP))
            continue
        parser = argparse.ArgumentParser()
        module.configure(parser)
        commands.append(from_parser(parser, path, known, module.HELP))
    options = (
        Option(("-h", "--help"), "list the commands"),
        Option(("--table",), "choose whose table to work on", Argument(Kind.WORD, MAKES)),
        Option(("--version",), "print the version"),
    )
    return Command(("directrix",), "", options, tuple(commands))
