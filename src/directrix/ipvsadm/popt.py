"""Cutting words into options, by the rules of the popt library that ipvsadm uses.

Short options may be bundled (`-Ln`), the last of a bundle may take an argument (`-At ADDR`, `-w3`,
`-w=3`); long ones take theirs after `=` or as the next word, and are never abbreviated. A word
that is no option is put aside, as is everything after `--`. An optional argument is the next
word unless that begins with `-`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from directrix.ipvsadm.errors import OptionError

Argument = Literal["none", "required", "optional"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option: long name without dashes, one letter or nothing, and whether it takes an argument."""

    long: str
    short: str = ""
    argument: Argument = "none"


OPTIONS: Final = (
    Option("add-service", "A"),
    Option("edit-service", "E"),
    Option("delete-service", "D"),
    Option("clear", "C"),
    Option("list", "L"),
    Option("list", "l"),
    Option("zero", "Z"),
    Option("add-server", "a"),
    Option("edit-server", "e"),
    Option("delete-server", "d"),
    Option("set"),
    Option("help", "h"),
    Option("version", "v"),
    Option("restore", "R"),
    Option("atomic"),
    Option("save", "S"),
    Option("start-daemon", argument="required"),
    Option("stop-daemon", argument="required"),
    Option("tcp-service", "t", "required"),
    Option("udp-service", "u", "required"),
    Option("sctp-service", argument="required"),
    Option("fwmark-service", "f", "required"),
    Option("scheduler", "s", "required"),
    Option("persistent", "p", "optional"),
    Option("netmask", "M", "required"),
    Option("real-server", "r", "required"),
    Option("masquerading", "m"),
    Option("ipip", "i"),
    Option("gatewaying", "g"),
    Option("weight", "w", "required"),
    Option("u-threshold", "x", "required"),
    Option("l-threshold", "y", "required"),
    Option("numeric", "n"),
    Option("connection", "c"),
    Option("mcast-interface", argument="required"),
    Option("syncid", argument="required"),
    Option("timeout"),
    Option("daemon"),
    Option("stats"),
    Option("rate"),
    Option("thresholds"),
    Option("persistent-conn"),
    Option("nosort"),
    Option("sort"),
    Option("exact", "X"),
    Option("ipv6", "6"),
    Option("ops", "o"),
    Option("pe", argument="required"),
    Option("sched-flags", "b", "required"),
    Option("mcast-group", argument="required"),
    Option("mcast-port", argument="required"),
    Option("mcast-ttl", argument="required"),
    Option("sync-maxlen", argument="required"),
    Option("tun-info"),
    Option("tun-type", argument="required"),
    Option("tun-port", argument="required"),
    Option("tun-nocsum"),
    Option("tun-csum"),
    Option("tun-remcsum"),
    Option("json"),
)
_LONG: Final = {option.long: option for option in OPTIONS}
_SHORT: Final = {option.short: option for option in OPTIONS if option.short}

UNKNOWN: Final = "unknown option"
MISSING: Final = "missing argument"
UNWANTED: Final = "option does not take an argument"


Cuts = Iterator[tuple[str, str | None, str]]
"""Each option's long name, its argument, and the last word read for it."""


def cut(words: Sequence[str], leftover: list[str]) -> Cuts:
    """Yield the options among words.

    Words that belong to no option are appended to `leftover` in their order.

    Raises:
        OptionError: a word is no option, lacks its argument, or has one it should not.
    """
    count = len(words)
    position = 0
    while position < count:
        word = words[position]
        position += 1
        if word[:1] != "-" or word == "-":
            leftover.append(word)
            continue
        if word == "--":
            leftover.extend(words[position:])
            return
        if word[1] == "-":
            name, equals, value = word[2:].partition("=")
            option = _LONG.get(name)
            if option is None:
                raise OptionError(word, UNKNOWN)
            bundle = ""
            attached = value if equals else None
        else:
            option = _SHORT.get(word[1])
            bundle = word[2:]
            attached = None
        while True:
            if option is None:
                raise OptionError(word, UNKNOWN)
            if option.argument == "none":
                if attached is not None or bundle[:1] == "=":
                    raise OptionError(word, UNWANTED)
                yield option.long, None, word
            else:
                if bundle:
                    attached = bundle.removeprefix("=")
                    bundle = ""
                elif attached is None and position < count:
                    if option.argument == "required" or words[position][:1] != "-":
                        attached = word = words[position]
                        position += 1
                elif attached is None and option.argument == "required":
                    raise OptionError(word, MISSING)
                yield option.long, attached, word
            if not bundle:
                break
            option = _SHORT.get(bundle[0])
            bundle = bundle[1:]
