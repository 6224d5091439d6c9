"""From statements to fields, by the schema. Every mistake is told, and reading goes on behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.blocks import Statement
from directrix.keepalived.faults import Faults, Place, suggestion
from directrix.keepalived.kinds import Entries, Entry, Repeat
from directrix.keepalived.lines import Word
from directrix.keepalived.words import Block, Header, Keyword, Section

MOST_SUGGESTIONS = 1000
"""Mistakes after which nearest words are no longer looked for: it takes time, and this is no configuration."""


@dataclass
class Reading:
    """What a block says: fields with their values, and where each was told.

    Attributes:
        word: the keyword that opens the block; None for the whole text.
        section: by which section it was read.
        given: values by field. Sections that may be repeated have a list of readings there.
        told: the keyword of each field.
        failed: fields that were told and not understood, which is a mistake already.
    """

    word: Word | None
    section: Section | None
    faults: Faults
    given: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Word] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def place(self, name: str = "") -> Place:
        """Where a field was told; where the block is opened if it wasn't."""
        word = self.told.get(name, self.word)
        return word.place if word is not None else Place("", 1, 1)

    def error(self, reason: str, name: str = "") -> None:
        """A mistake about a field, or about the whole."""
        self.faults.error(self.place(name), reason)

    def warn(self, reason: str, name: str = "") -> None:
        """Something worth telling about a field, or about the whole."""
        self.faults.warn(self.place(name), reason)

    def needs(self, name: str, reason: str) -> bool:
        """Whether a field was told; if not, that is a mistake."""
        if not self.said(name):
            self.error(reason)
        return name in self.given

    def said(self, name: str) -> bool:
        """Whether a field was told, understood or not."""
        return name in self.given or name in self.failed

    def readings(self, name: str) -> list[Reading]:
        """The blocks of a field."""
        readings: list[Reading] = self.given.get(name, [])
        return readings

    def entries(self, name: str) -> list[Entry]:
        """The lines of a field."""
        entries: list[Entry] = self.given.get(name, [])
        return entries

    def values(self, *without: str) -> dict[str, Any]:
        """The fields that are no blocks, lines without their places, except some."""
        values: dict[str, Any] = {}
        for name, value in self.given.items():
            if name in without:
                continue
            if isinstance(value, list):
                if value and isinstance(value[0], Reading):
                    continue
                values[name] = tuple(entry.value for entry in value)
            elif not isinstance(value, Reading):
                values[name] = value
        return values


def read(statements: Iterable[Statement], block: Block, faults: Faults) -> Reading:
    """What a whole text says."""
    reading = Reading(None, None, faults)
    _block(statements, block, reading)
    return reading


def _block(statements: Iterable[Statement], block: Block, reading: Reading, quiet: bool = False) -> None:
    for statement in statements:
        keyword = block.by_spelling.get(statement.keyword)
        try:
            if keyword is not None:
                _statement(statement, keyword, reading, quiet)
            elif block.line is not None and statement.opened is None:
                _line(statement, block, reading)
            else:
                _unknown(statement, block, reading.faults)
        except Bad as bad:
            reading.faults.error(bad.place, str(bad))
            if keyword is not None:
                reading.failed.update(keyword.fields)


def _unknown(statement: Statement, block: Block, faults: Faults) -> None:
    where = f"in {block.title}" if block.title else "here"
    near = suggestion(statement.keyword, block.by_spelling) if faults.count < MOST_SUGGESTIONS else ""
    faults.error(statement.place, f"{statement.keyword!r} is no keyword {where}{near}")


def _line(statement: Statement, block: Block, reading: Reading) -> None:
    assert block.line is not None
    arguments = Arguments(statement, reading.faults, 0)
    value = block.line.read(arguments)
    arguments.all_read()
    reading.given.setdefault(block.line_field, []).append(Entry(value, statement.words[0]))


def _statement(statement: Statement, keyword: Keyword, reading: Reading, quiet: bool) -> None:
    faults, kind = reading.faults, keyword.kind
    if keyword.unused:
        if not quiet:
            faults.warn(statement.place, f"{statement.keyword!r} means nothing here: {keyword.unused}")
        if isinstance(kind, Section):
            _block(statement.block, kind.block, Reading(statement.words[0], kind, faults), quiet=True)
        return
    if keyword.heeded:
        return
    if statement.keyword in keyword.old and not quiet:
        faults.warn(statement.place, f"{statement.keyword!r} is deprecated; write {keyword.name!r}")
    takes_block = isinstance(kind, Section | Entries)
    if takes_block and statement.opened is None:
        raise Bad(statement.place, f"{statement.keyword} needs a block: {{ … }}")
    if not takes_block and statement.opened is not None:
        raise Bad(statement.opened.place, f"{statement.keyword} takes no block")
    if isinstance(kind, Section):
        _section(statement, keyword, kind, reading, quiet)
        return
    arguments = Arguments(statement, faults)
    value = kind.read(arguments)
    arguments.all_read()
    _fill(statement.words[0], keyword, value, reading)


def _section(statement: Statement, keyword: Keyword, kind: Section, reading: Reading, quiet: bool) -> None:
    faults, word = reading.faults, statement.words[0]
    name = keyword.field or keyword.name
    if kind.inline:
        Arguments(statement, faults).all_read()
        _block(statement.block, kind.block, reading, quiet)
        return
    earlier = reading.given.get(name)
    merged = kind.repeat is Repeat.COMBINE and isinstance(earlier, Reading)
    inner = earlier if merged and isinstance(earlier, Reading) else Reading(word, kind, faults)
    arguments = Arguments(statement, faults)
    if kind.header is not None:
        try:
            _fill(word, kind.header, kind.header.kind.read(arguments), inner)
        except Bad as bad:
            # what stands in the block is looked at all the same, but the block makes no value
            faults.error(bad.place, str(bad))
            _block(statement.block, kind.block, inner, quiet)
            return
    arguments.all_read()
    _block(statement.block, kind.block, inner, quiet)
    if kind.repeat is Repeat.COMBINE:
        reading.given[name] = inner
    else:
        reading.given.setdefault(name, []).append(inner)
    reading.told.setdefault(name, word)


def _fill(word: Word, keyword: Keyword | Header, value: Any, reading: Reading) -> None:
    """Take a value in, as it was told before or not."""
    parts = value if keyword.kind.fields else {keyword.fields[0]: value}
    repeat = keyword.kind.repeat
    for name, part in parts.items():
        told = reading.told.get(name)
        if repeat is Repeat.COMBINE:
            part = reading.given[name] | part if name in reading.given else part
        elif repeat is Repeat.APPEND:
            part = [*reading.given.get(name, []), *part]
        elif told is not None and (repeat is Repeat.FIRST or reading.given[name] != part):
            reading.faults.warn(word.place, f"{word.text} was given before, at {told.place}: {repeat.value}")
            if repeat is Repeat.FIRST:
                continue
        reading.given[name] = part
        reading.told[name] = word
