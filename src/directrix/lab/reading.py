"""Taking a TOML document apart while noting everything that is wrong with it.

A `Node` is one value of the document with its path. Whoever reads asks it for what it should be
(a table with these keys, a list, a text); where it is something else a fault is noted at its
place in the file and the answer is empty, so that reading goes on and finds all faults at once.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from directrix.lab.errors import LabError
from directrix.lab.positions import KeyPath, Mention, Place, positions


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake in a file: where (line and column count from 1) and what."""

    line: int
    column: int
    message: str


class FaultyFile(LabError):
    """A file with mistakes; nothing was done. Its text has one line `file:line:column: what` a fault."""

    def __init__(self, source: str, faults: Iterable[Fault]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(f"{source}:{f.line}:{f.column}: {f.message}" for f in self.faults))


class Document:
    """A TOML document and the faults found in it so far."""

    def __init__(self, text: str, source: str) -> None:
        """Read a text; `source` is the name errors call it by.

        Raises:
            FaultyFile: it is not TOML.
        """
        self.source = source
        self._faults: list[Fault] = []
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise FaultyFile(source, [_syntax_fault(str(error), text)]) from None
        self._mentions: dict[KeyPath, Mention] = positions(text)
        self._lines = text.replace("\r\n", "\n").split("\n")
        self.root = Node(self, (), data)

    def fault(self, place: Place, message: str) -> None:
        """Note a mistake."""
        self._faults.append(Fault(place.line, place.column, message))

    def check(self) -> None:
        """Stop if any mistake was noted.

        Raises:
            FaultyFile: with all of them.
        """
        if self._faults:
            raise FaultyFile(self.source, self._faults)

    def mention(self, path: KeyPath) -> Mention:
        """Where a value stands; the document as a whole stands at its beginning."""
        return self._mentions.get(path) or Mention(Place(1, 1), Place(1, 1))

    def inside(self, path: KeyPath, line: int, column: int) -> Place:
        """Where a line and column of a text value stand, as exactly as its escapes let one tell."""
        begin = self.mention(path).value
        rest = self._lines[begin.line - 1][begin.column - 1 :]
        quotes = 3 if rest.startswith(("'''", '"""')) else 1
        if rest[quotes:]:
            return Place(begin.line + line - 1, column + (begin.column - 1 + quotes) * (line == 1))
        return Place(begin.line + line, column)  # a line's end right behind the quotes is no part of the text


class Node:
    """One value of a document."""

    def __init__(self, document: Document, path: KeyPath, value: object) -> None:
        self.document = document
        self.path = path
        self.value = value

    @property
    def name(self) -> str:
        """Its last key."""
        return str(self.path[-1])

    def fault(self, message: str) -> None:
        """Note a mistake in the value."""
        self.document.fault(self.document.mention(self.path).value, message)

    def key_fault(self, message: str) -> None:
        """Note a mistake in the key, or that something is missing from the table it names."""
        self.document.fault(self.document.mention(self.path).key, message)

    def fault_inside(self, line: int, column: int, message: str) -> None:
        """Note a mistake at a place of the text it is; both count from 1."""
        self.document.fault(self.document.inside(self.path, line, column), message)

    def table(self, keys: Collection[str] | None = None) -> dict[str, Node]:
        """Its entries, for a table; `keys` are the ones that may be there (None: any)."""
        if not isinstance(self.value, dict):
            self.fault(f"{_called(self.path)} must be a table, not {_kind(self.value)}")
            return {}
        entries = {key: Node(self.document, (*self.path, key), value) for key, value in self.value.items()}
        if keys is None:
            return entries
        for key in [key for key in entries if key not in keys]:
            entries.pop(key).key_fault(
                f"unknown key {key!r}{suggest(key, keys)}; {_called(self.path)} may have: {', '.join(sorted(keys))}"
            )
        return entries

    def items(self) -> list[Node]:
        """Its elements, for an array."""
        if not isinstance(self.value, list):
            self.fault(f"{_called(self.path)} must be a list in brackets, not {_kind(self.value)}")
            return []
        return [Node(self.document, (*self.path, index), value) for index, value in enumerate(self.value)]

    def text(self) -> str | None:
        """Itself, for a text that is not empty."""
        if not isinstance(self.value, str):
            self.fault(f"{_called(self.path)} must be a text in quotes, not {_kind(self.value)}")
            return None
        if not self.value.strip():
            self.fault(f"{_called(self.path)} is empty")
            return None
        return self.value

    def integer(self, low: int, high: int) -> int | None:
        """Itself, for a whole number in a range, both ends included."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fault(f"{_called(self.path)} must be a whole number, not {_kind(self.value)}")
            return None
        if not low <= self.value <= high:
            self.fault(f"{_called(self.path)} is {self.value}, but must be from {low} to {high}")
            return None
        return self.value


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` if one of the known words is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def load(path: Path) -> str:
    """The text of a file.

    Raises:
        LabError: it can't be read, or is not a text file.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise LabError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise FaultyFile(str(path), [Fault(line, column, "not UTF-8 text; save the file as UTF-8")]) from None


def _syntax_fault(message: str, text: str) -> Fault:
    # tomllib tells the place at the end of its message, in words.
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if place is None:
        text = text.replace("\r\n", "\n")
        last = text.rstrip("\n")
        line, column = last.count("\n") + 1, len(last) - last.rfind("\n")
        return Fault(line, column, message.replace(" (at end of document)", "") + " before the end of the file")
    return Fault(int(place[1]), int(place[2]), message[: place.start()])


def _called(path: KeyPath) -> str:
    if not path:
        return "the file"
    words = [str(part) for part in path if isinstance(part, str)]
    name = f"`{'.'.join(words)}`"
    return name if isinstance(path[-1], str) else f"element {path[-1] + 1} of {name}"


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
