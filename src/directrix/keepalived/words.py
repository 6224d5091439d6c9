"""The shape of the schema: keywords in blocks, and what is told of each.

The tables in `schema/` are read three ways: `reading` follows them from statements to fields,
`writing` from values back to text, and the manual's list of keywords is made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from directrix.keepalived.kinds import Anything, Entries, Kind, Repeat, Shape


@dataclass(frozen=True)
class Keyword:
    """A word that can begin a statement.

    Attributes:
        name: its spelling today.
        kind: what its words mean.
        meaning: a line for the manual.
        field: what it fills of the value its block makes; a dot leads into a part of that value.
            The keyword's own name if empty.
        also: other spellings, as good.
        old: spellings that are deprecated.
        unused: why it means nothing here; the keyword is then read over with a warning.
        ours: keepalived does not know it.
        heeded: files are read by it, and it fills nothing.
        shorthand: it is never written, because other keywords say the same.
    """

    name: str
    kind: Kind | Entries | Section
    meaning: str
    field: str = ""
    also: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    unused: str = ""
    ours: bool = False
    heeded: bool = False
    shorthand: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """What it fills."""
        return () if self.unused or self.heeded else self.kind.fields or (self.field or self.name,)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All of them, the one of today first."""
        return (self.name, *self.also, *self.old)


def unused(name: str, why: str, words: str = "", also: tuple[str, ...] = ()) -> Keyword:
    """A keyword that keepalived knows and that means nothing here."""
    return Keyword(name, Anything(words), "", also=also, unused=why)


@dataclass(frozen=True)
class Block:
    """What can stand in a block.

    Attributes:
        title: how the manual calls it.
        keywords: in the order in which they are written.
        line: how a statement is read that begins with no keyword; its values go to `line_field`.
        unused: why the whole block means nothing here.
    """

    title: str
    keywords: tuple[Keyword, ...]
    line: Kind | None = None
    line_field: str = ""
    unused: str = ""

    @cached_property
    def by_spelling(self) -> dict[str, Keyword]:
        """The keywords by each of their spellings."""
        return {spelling: keyword for keyword in self.keywords for spelling in keyword.spellings}


@dataclass(frozen=True)
class Header:
    """The words between a keyword and its block: what they mean, and the field they fill."""

    kind: Kind
    field: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """What they fill."""
        return self.kind.fields or (self.field,)


class Section(Shape):
    """A keyword with a block of keywords.

    Attributes:
        block: what can stand in it.
        header: None if no words stand before the `{`.
        inline: its fields are those of the block around it.
        telling: that it stands there says something, though it is empty.
        makes: whether a value was written by this section, where several fill the same field.
    """

    def __init__(
        self,
        block: Block | Callable[[], Block],
        header: Header | None = None,
        *,
        inline: bool = False,
        merged: bool = False,
        telling: bool = False,
        makes: Callable[[Any], bool] = lambda value: True,
    ) -> None:
        self._block = block
        self.header = header
        self.inline = inline
        self.telling = telling
        self.makes = makes
        self.repeat = Repeat.COMBINE if merged or inline else Repeat.APPEND
        if inline:
            assert isinstance(block, Block)
            self.fields = tuple(dict.fromkeys(name for keyword in block.keywords for name in keyword.fields))

    @property
    def block(self) -> Block:
        """What can stand in it."""
        return self._block if isinstance(self._block, Block) else self._block()

    @property
    def syntax(self) -> str:
        header = f"{self.header.kind.syntax} " if self.header else ""
        return f"{header}{{ … }}"


@dataclass
class Walk:
    """The blocks of a schema, each with the way there, each once."""

    seen: dict[int, Block] = field(default_factory=dict)

    def over(self, block: Block, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Block]]:
        """The block and all below it."""
        if id(block) in self.seen:
            return
        self.seen[id(block)] = block
        yield path, block
        for keyword in block.keywords:
            if isinstance(keyword.kind, Section):
                yield from self.over(keyword.kind.block, (*path, keyword.name))
