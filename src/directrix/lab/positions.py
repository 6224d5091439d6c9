"""Where in a TOML text each key and value stands.

`tomllib` reads TOML but forgets where it found things. Once it has accepted a text, a much
simpler reader will do to walk over it again and note positions: it needs to know where strings,
arrays and inline tables end, not what they mean.

Keys are noted by their path: `("hosts", "client", "routes", 0)` is the first element of `routes`
in the table `hosts.client`. For a table given by several headers or dotted keys the first
mention counts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text: line and column, both counted from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Where something is named and where its value begins. An array's element is only a value."""

    key: Place
    value: Place


def positions(text: str) -> dict[KeyPath, Mention]:
    """Where every key of a TOML text stands, and every element of every array.

    `text` must be one that `tomllib.loads` has accepted.
    """
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    return walk.found


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, Mention] = {}
        self.lengths: dict[KeyPath, int] = {}
        """How many elements each array of tables has so far."""

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`; gives the path its pairs belong to."""
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        path: KeyPath = ()
        for name, start in self.key():
            path = (*path, name)
            self.note(path, start, start)
            whole = path
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        self.at += brackets
        if brackets == 2:
            count = self.lengths.get(whole, 0)
            self.lengths[whole] = count + 1
            path = (*whole, count)
            self.note(path, start, start)
        return path

    def pair(self, table: KeyPath) -> None:
        """`a.b = value`."""
        names = list(self.key())
        self.at += 1
        self.skip(_SPACE)
        path = table
        for name, start in names:
            path = (*path, name)
            self.note(path, start, self.at)
        self.value(path)

    def key(self) -> Iterator[tuple[str, int]]:
        """The names of a dotted key with their offsets; ends on the character behind it."""
        while True:
            start = self.skip(_SPACE)
            if self.text[start] in "\"'":
                quoted = self.take(_STRING)
                yield tomllib.loads(f"key = {quoted}")["key"], start
            else:
                yield self.take(_BARE), start
            self.skip(_SPACE)
            if self.text[self.at] != ".":
                return
            self.at += 1

    def value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self.take(_STRING)
        elif first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        else:
            self.take(_SCALAR)

    def array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self.text[self.skip(_BLANK)] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.note((*path, index), self.at, self.at)
            self.value((*path, index))
            index += 1
        self.at += 1

    def inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.text[self.skip(_BLANK)] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)
        self.at += 1

    def note(self, path: KeyPath, key: int, value: int) -> None:
        self.found.setdefault(path, Mention(self.place(key), self.place(value)))

    def place(self, offset: int) -> Place:
        return Place(self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset))

    def skip(self, pattern: re.Pattern[str]) -> int:
        self.take(pattern)
        return self.at

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"not TOML at {self.place(self.at)}")
        self.at = match.end()
        return match[0]
