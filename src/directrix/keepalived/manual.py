"""The manual's list of keywords, made from the schema. `scripts/keywords` writes it."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from directrix.keepalived.kinds import Entries
from directrix.keepalived.schema.top import TOP
from directrix.keepalived.words import Block, Keyword, Section, Walk

HEADING = """# The keywords of keepalived.conf

`directrix run` and `directrix config` read keepalived's configuration. This page lists every keyword that is known, by
the block it stands in: what its words are, and what it means here.

- **understood**: it means what it means in keepalived 2.2.
- **directrix's own**: keepalived does not know it.
- **no meaning here**: it is read over with a warning; the reason is told.

Any other keyword is a mistake. The language around the keywords is as keepalived's: comments behind `#` and `!`,
`include` with patterns, `$PARAMETERS` with one line or several, `~SEQ` and `~LST`, conditions with `@id` and `@^id`.
"""


class State(enum.StrEnum):
    """What a keyword is here."""

    UNDERSTOOD = "understood"
    OURS = "directrix's own"
    UNUSED = "no meaning here"


@dataclass(frozen=True, slots=True)
class Row:
    """A keyword of a block; `block` is empty outside of all blocks."""

    block: str
    keyword: Keyword
    unused: str

    @property
    def state(self) -> State:
        """What it is here."""
        return State.UNUSED if self.unused else State.OURS if self.keyword.ours else State.UNDERSTOOD

    @property
    def meaning(self) -> str:
        """What it means, or why nothing."""
        return self.unused or self.keyword.meaning


def rows() -> Iterator[Row]:
    """Every keyword, block by block."""
    for _, block in Walk().over(TOP):
        for keyword in block.keywords:
            yield Row(block.title, keyword, keyword.unused)


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([HEADING, *(line for _, block in Walk().over(TOP) for line in _section(block))])


def _section(block: Block) -> Iterator[str]:
    yield f"## {f'`{block.title}`' if block.title else 'Outside of all blocks'}"
    yield ""
    if block.line is not None and not block.keywords:
        yield f"Has lines: {_code(block.line.syntax)}"
        yield ""
        return
    yield "| keyword | words | state | meaning |"
    yield "| --- | --- | --- | --- |"
    for row in (Row(block.title, keyword, keyword.unused) for keyword in block.keywords):
        yield f"| {_names(row.keyword)} | {_words(row.keyword)} | {row.state.value} | {_cell(row.meaning)} |"
    yield ""


def _names(keyword: Keyword) -> str:
    names = ", ".join(f"`{name}`" for name in (keyword.name, *keyword.also))
    return names + "".join(f"; deprecated: `{name}`" for name in keyword.old)


def _words(keyword: Keyword) -> str:
    kind = keyword.kind
    if isinstance(kind, Section):
        return _code(kind.syntax)
    if isinstance(kind, Entries):
        return f"{{ … }} with lines: {_code(kind.line.syntax)}"
    return _code(kind.syntax)


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
