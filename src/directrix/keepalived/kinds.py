"""Kinds of values: how a keyword's words become a value, and how the value is written again.

A kind reads words through an `Arguments` cursor and raises `Bad` at the word that is wrong. What it
leaves over is told as a warning by whoever called it, because keepalived silently ignores it.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.faults import suggestion
from directrix.keepalived.lines import Word, quoted
from directrix.lvs import Address, parse_address


class Repeat(enum.Enum):
    """What a keyword means that is given again in its block."""

    LAST = "the last one counts"
    FIRST = "the first one counts"
    APPEND = "all of them count"
    COMBINE = "all of them count, as one"


class Shape:
    """What every kind of keyword has.

    Attributes:
        syntax: the words behind the keyword, for people.
        repeat: see `Repeat`.
        fields: names of several fields it fills; then `read` gives a mapping, and `write` takes one.
    """

    @property
    def syntax(self) -> str:
        """The words behind the keyword, for people."""
        return ""

    repeat: Repeat = Repeat.LAST
    fields: tuple[str, ...] = ()


class Kind(Shape, ABC):
    """How words become a value, and back."""

    @abstractmethod
    def read(self, arguments: Arguments) -> Any:
        """The value.

        Raises:
            Bad: a word is missing or wrong.
        """

    @abstractmethod
    def write(self, value: Any) -> str:
        """The words behind the keyword."""


@dataclass(frozen=True)
class Present(Kind):
    """A keyword without words, whose presence is the value."""

    value: Any = True

    def read(self, arguments: Arguments) -> Any:
        return self.value

    def write(self, value: Any) -> str:
        return ""


@dataclass(frozen=True)
class Bit(Kind):
    """A keyword without words that sets a flag among others."""

    flag: Any
    repeat = Repeat.COMBINE

    def read(self, arguments: Arguments) -> Any:
        return self.flag

    def write(self, value: Any) -> str:
        return ""


_BOOLEANS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@dataclass(frozen=True)
class Switch(Kind):
    """`on`, `off` and the like; without a word on, unless a word is `required`."""

    required: bool = False

    @property
    def syntax(self) -> str:
        return "<BOOL>" if self.required else "[<BOOL>]"

    def read(self, arguments: Arguments) -> bool:
        word = arguments.next("on or off") if self.required else arguments.maybe()
        if word is None:
            return True
        try:
            return _BOOLEANS[word.text.lower()]
        except KeyError:
            raise arguments.wrong(word, f"{word.text!r} is none of on, off, true, false, yes, no") from None

    def write(self, value: Any) -> str:
        return ("on" if self.required else "") if value else "off"


@dataclass(frozen=True)
class Presence(Switch):
    """The same for keywords that are only ever switched on by being there; keepalived ignores what follows."""

    def read(self, arguments: Arguments) -> bool:
        word = arguments.maybe()
        if word is not None and not _BOOLEANS.get(word.text.lower(), True):
            arguments.faults.warn(
                word.place, f"{arguments.keyword} takes no {word.text!r}: it is on by being here, as in keepalived"
            )
        elif word is not None:
            arguments.at -= 1
        return True

    @property
    def syntax(self) -> str:
        return ""

    def write(self, value: Any) -> str:
        return ""


_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def read_integer(arguments: Arguments, word: Word, low: int, high: int, what: str = "") -> int:
    """A whole number within limits."""
    what = what or f"{arguments.keyword} takes"
    if not _INTEGER.fullmatch(word.text) or len(word.text) > 20 or not low <= int(word.text) <= high:
        raise arguments.wrong(word, f"{what} a whole number from {low} to {high}, not {word.text!r}")
    return int(word.text)


@dataclass(frozen=True)
class Number(Kind):
    """A whole number; `bare` is the value without one, if it may be left out."""

    low: int
    high: int
    bare: int | None = None

    @property
    def syntax(self) -> str:
        syntax = f"<{self.low}-{self.high}>" if self.low >= 0 else f"<{self.low}..{self.high}>"
        return syntax if self.bare is None else f"[{syntax}]"

    def read(self, arguments: Arguments) -> int:
        if self.bare is not None and not arguments.left:
            return self.bare
        return read_integer(arguments, arguments.next("a number"), self.low, self.high)

    def write(self, value: Any) -> str:
        return str(value)


FOREVER = 4294.967295
"""The longest keepalived can wait: 2^32 - 1 microseconds."""


@dataclass(frozen=True)
class Seconds(Kind):
    """Seconds, to the microsecond."""

    low: float = 0.0
    high: float = FOREVER

    @property
    def syntax(self) -> str:
        return f"<SECONDS {decimal(self.low)}-{decimal(self.high)}>"

    def read(self, arguments: Arguments) -> float:
        return self.of(arguments, arguments.next("seconds"))

    def of(self, arguments: Arguments, word: Word) -> float:
        """The seconds a word means."""
        fits = _DECIMAL.fullmatch(word.text) and len(word.text) <= 30
        seconds = float(word.text) if fits else -1.0
        if not self.low <= seconds <= self.high:
            limits = f"from {decimal(self.low)} to {decimal(self.high)}"
            raise arguments.wrong(word, f"{arguments.keyword} takes seconds {limits}, not {word.text!r}")
        return to_microseconds(arguments, word, seconds)

    def write(self, value: Any) -> str:
        return decimal(value)


def to_microseconds(arguments: Arguments, word: Word, seconds: float) -> float:
    """The seconds a word means, as far as they count; with a warning if that is less than was written."""
    if round(seconds, 6) != seconds:
        arguments.faults.warn(word.place, f"{word.text} is rounded to the microsecond")
    return round(seconds, 6)


def decimal(seconds: float) -> str:
    """Seconds without needless digits."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Text(Kind):
    """One word as it is; nothing is as good if it may be `bare`."""

    what: str = "a name"
    longest: int = 0
    bare: bool = False

    @property
    def syntax(self) -> str:
        name = self.what.removeprefix("a ").removeprefix("an ").removeprefix("the ").upper()
        return f"[<{name}>]" if self.bare else f"<{name}>"

    def read(self, arguments: Arguments) -> str:
        if self.bare and not arguments.left:
            return ""
        word = arguments.next(self.what)
        if not word.text:
            raise arguments.wrong(word, f"{arguments.keyword} needs {self.what}, which can't be empty")
        if self.longest and len(word.text) > self.longest:
            raise arguments.wrong(word, f"{word.text!r} is longer than {self.longest} characters")
        return word.text

    def write(self, value: Any) -> str:
        return quoted(value)


INTERFACE = Text("an interface", 15)
NAME = Text()


@dataclass(frozen=True)
class Choice(Kind):
    """One word of some, each with its value. The first spelling of a value is the one written."""

    words: Mapping[str, Any]
    what: str = ""
    any_case: bool = False

    @property
    def syntax(self) -> str:
        return "|".join(self.words)

    def read(self, arguments: Arguments) -> Any:
        word = arguments.next(f"one of {', '.join(self.words)}")
        return self.of(arguments, word)

    def of(self, arguments: Arguments, word: Word) -> Any:
        """The value of a word."""
        for name, value in self.words.items():
            if word.text == name or (self.any_case and word.text.lower() == name.lower()):
                return value
        near = suggestion(word.text, self.words) or f"; there are {', '.join(self.words)}"
        raise arguments.wrong(word, f"{word.text!r} is no {self.what or arguments.keyword}{near}")

    def write(self, value: Any) -> str:
        return next(name for name, meant in self.words.items() if meant == value)


def read_address(arguments: Arguments, word: Word) -> Address:
    """An address."""
    try:
        address = parse_address(word.text)
    except ValueError:
        raise arguments.wrong(word, f"{word.text!r} is no address") from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise arguments.wrong(word, f"{word.text!r}: an address stands here without an interface")
    return address


@dataclass(frozen=True)
class AddressKind(Kind):
    """An address, of one version or of either; a multicast group, or anything."""

    version: int = 0
    multicast: bool = False

    @property
    def syntax(self) -> str:
        return "<IPADDR>"

    def read(self, arguments: Arguments) -> IPv4Address | IPv6Address:
        word = arguments.next("an address")
        address = read_address(arguments, word)
        if self.version and address.version != self.version:
            raise arguments.wrong(word, f"{arguments.keyword} takes an IPv{self.version} address, not {word.text}")
        if self.multicast and not address.is_multicast:
            raise arguments.wrong(word, f"{word.text} is no multicast group")
        return address

    def write(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Anything(Kind):
    """Words that don't matter here."""

    words: str = ""

    @property
    def syntax(self) -> str:
        return self.words

    def read(self, arguments: Arguments) -> None:
        arguments.at = len(arguments.statement.words)

    def write(self, value: Any) -> str:
        return ""


@dataclass(frozen=True)
class Entry:
    """A line of a block of lines, and where it stands."""

    value: Any
    word: Word


LEFT_OUT = object()
"""What a kind gives for a line that means nothing, after it has told why."""


@dataclass(frozen=True)
class Entries(Shape):
    """A block of lines, each read by `line`; with `many` several words of a line are entries of their own."""

    line: Kind
    many: bool = False
    repeat = Repeat.APPEND

    @property
    def syntax(self) -> str:
        return f"{{ {self.line.syntax} … }}"

    def read(self, arguments: Arguments) -> list[Entry]:
        """The lines; the mistakes in them are told."""
        arguments.all_read()
        found = []
        for statement in arguments.statement.block:
            line = Arguments(statement, arguments.faults, 0)
            try:
                if statement.opened is not None:
                    raise Bad(statement.opened.place, f"{statement.keyword} takes no block")
                while line.left:
                    word = line.left[0]
                    value = self.line.read(line)
                    if value is not LEFT_OUT:
                        found.append(Entry(value, word))
                    if not self.many:
                        line.all_read()
            except Bad as bad:
                arguments.faults.error(bad.place, str(bad))
        return found
