"""The words of the command line as data: what can stand where, for shells to complete.

Most of it is read from the argparse parsers of the subcommands. `ipvsadm` has a parser of its own,
whose table of options is joined here with what its help says of each.
"""

from __future__ import annotations

import argparse
import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an argument is, as far as a shell can know."""

    WORD = "one of some words"
    FILE = "a file, or one of some words"
    INTERFACE = "a network interface"
    UNKNOWN = "nothing a shell could know"


@dataclass(frozen=True, slots=True)
class Argument:
    """What can stand as an argument; `words` are those that are known."""

    kind: Kind
    words: tuple[str, ...] = ()


UNKNOWN = Argument(Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Option:
    """An option in all its spellings; `argument` is None if it takes none, or may go without."""

    spellings: tuple[str, ...]
    help: str
    argument: Argument | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words from `directrix` on, and what can follow them."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...] = ()
    commands: tuple[Command, ...] = ()
    operand: Argument | None = None

    def walk(self) -> Iterator[Command]:
        """This command and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def from_parser(
    parser: argparse.ArgumentParser,
    path: tuple[str, ...],
    known: Mapping[tuple[str, ...], Argument],
    help_line: str = "",
) -> Command:
    """What an argparse parser understands.

    `known` tells more about an argument than argparse knows, by the command's path and the
    argument's name (the dest of argparse).
    """
    options: list[Option] = []
    commands: list[Command] = []
    operand = None
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                commands.append(from_parser(below, (*path, name), known, lines.get(name, "")))
            continue
        argument = known.get((*path, action.dest)) or _argument(action)
        if action.option_strings:
            takes = argument if action.nargs not in (0, "?") else None
            options.append(Option(tuple(action.option_strings), action.help or "", takes))
        else:
            operand = operand or argument
    return Command(path, help_line, tuple(options), tuple(commands), operand)


def _argument(action: argparse.Action) -> Argument:
    if action.choices is not None:
        return Argument(Kind.WORD, tuple(str(choice) for choice in action.choices))
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return {"IF": Argument(Kind.INTERFACE), "FILE": Argument(Kind.FILE), "DIR": Argument(Kind.FILE)}.get(name, UNKNOWN)


def ipvsadm_help() -> dict[str, str]:
    """What ipvsadm's own help says of each option, by its long name; its argument if it says no more."""
    from directrix.ipvsadm.usage import USAGE

    lines = re.findall(r"^ +(?:-\w, )*--([\w-]+)(?: (\S+))?(?: \S+)*?(?: {2,}(\S.*))?$", USAGE, re.MULTILINE)
    return {long: text or argument for long, argument, text in lines}


def ipvsadm_command(path: tuple[str, ...], help_line: str) -> Command:
    """What `directrix ipvsadm` understands."""
    from directrix.ipvsadm.popt import OPTIONS
    from directrix.scheduling import ALGORITHMS

    daemons = Argument(Kind.WORD, ("master", "backup"))
    known = {
        "scheduler": Argument(Kind.WORD, tuple(name for name, algorithm in ALGORITHMS.items() if algorithm.scheduler)),
        "mcast-interface": Argument(Kind.INTERFACE),
        "start-daemon": daemons,
        "stop-daemon": daemons,
        "tun-type": Argument(Kind.WORD, ("ipip", "gue", "gre")),
    }
    lines = ipvsadm_help()
    options = []
    for long in dict.fromkeys(option.long for option in OPTIONS):
        same = [option for option in OPTIONS if option.long == long]
        shorts = tuple(f"-{option.short}" for option in same if option.short)
        takes = known.get(long, UNKNOWN) if same[0].argument == "required" else None
        options.append(Option((*shorts, f"--{long}"), lines[long], takes))
    return Command(path, help_line, tuple(options))
