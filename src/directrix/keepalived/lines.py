r"""Lines and words, and where each stood before parameters were put in.

A line is cut into words as keepalived cuts it: words end at blanks, at `{` and at `}`; double quotes
hold a word together; `\"` and `\\` stand for those characters inside them. Single quotes are ordinary
characters here: they mean something only to what is read like a shell's words (`shell_words`),
where backslashes have many more meanings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from directrix.keepalived.faults import Place


@dataclass(frozen=True, slots=True)
class Source:
    """A file, as messages call it, and where it was included."""

    name: str
    directory: str
    included: Place | None = None


@dataclass(slots=True)
class Line:
    """A line of text. `marks` say where its parts stood: (offset here, column there, whether columns go on)."""

    source: Source
    number: int
    text: str
    marks: tuple[tuple[int, int, bool], ...] = ((0, 1, True),)
    via: Place | None = None

    def place(self, offset: int) -> Place:
        """Where the character at an offset stood."""
        start, column, goes_on = self.marks[0]
        for mark in self.marks:
            if mark[0] > offset:
                break
            start, column, goes_on = mark
        at = column + offset - start if goes_on else column
        return Place(self.source.name, self.number, at, self.via, self.source.included)

    def part(self, start: int, end: int | None = None) -> Line:
        """A stretch of it, which still knows where it stood."""
        end = len(self.text) if end is None else end
        marks = []
        for at, column, goes_on in self.marks:
            if at <= start:
                marks = [(0, column + start - at if goes_on else column, goes_on)]
            elif at < end:
                marks.append((at - start, column, goes_on))
        return Line(self.source, self.number, self.text[start:end], tuple(marks), self.via)

    def replaced(self, start: int, end: int, text: str) -> Line:
        """The same with a stretch replaced; what is new stands where the old stood."""
        column = self.place(start).column
        head, tail = self.part(0, start), self.part(end)
        marks = [mark for mark in head.marks if mark[0] < start] if start else []
        if text:
            marks.append((start, column, False))
        shift = start + len(text)
        marks += [(at + shift, after, goes_on) for at, after, goes_on in tail.marks]
        return Line(self.source, self.number, head.text + text + tail.text, tuple(marks), self.via)


@dataclass(slots=True)
class Word:
    """A word of a line. `raw` is as it was written, quotes included."""

    raw: str
    line: Line
    offset: int
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = unquoted(self.raw) if '"' in self.raw or "\\" in self.raw else self.raw

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.line.place(self.offset)

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + len(self.raw)


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'\\(["\\])')
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<brace>[{}])
      | (?P<word>"(?:[^"\\]|\\.)*" | (?:\$\{[A-Za-z_]\w*\} | [^\s{}"])+)
      | (?P<open>".*)""",
    re.VERBOSE | re.DOTALL,
)

_STRUCTURE = re.compile(r'[{}"]')
_PLAIN = re.compile(r"\S+")


def unquoted(raw: str) -> str:
    r"""The text of a word that may be quoted; outside of quotes `\#` and `\!` are characters, not comments."""
    if not raw.startswith('"'):
        return raw.replace("\\#", "#").replace("\\!", "!")
    return _QUOTED.sub(lambda match: _ESCAPED.sub(r"\1", match[1]), raw)


class Unterminated(Exception):
    """A quote that nothing ends, at `offset`; `words` are those of the line as if it ended there."""

    def __init__(self, offset: int, mark: str = '"', words: list[Word] | None = None) -> None:
        self.offset = offset
        self.words = words or []
        super().__init__(f"{mark} is never closed on this line")


def tokens(line: Line) -> list[Word]:
    """The words of a line, `{` and `}` among them as words of their own.

    Raises:
        Unterminated: a quote is opened and not closed.
    """
    if not _STRUCTURE.search(line.text):
        return [Word(match[0], line, match.start()) for match in _PLAIN.finditer(line.text)]
    found = []
    for match in _TOKEN.finditer(line.text):
        if match.lastgroup == "space":
            continue
        if match.lastgroup == "open":
            found.append(Word(match[0].rstrip("{ \t"), line, match.start()))
            if match[0].endswith("{"):
                found.append(Word("{", line, match.end() - 1))
            raise Unterminated(match.start(), words=found)
        found.append(Word(match[0], line, match.start()))
    return found


_NAMED = {"a": "\a", "b": "\b", "E": "\x1b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SHELL = re.compile(
    r"""\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]+)|c(?P<control>.)|(?P<other>.))
      | (?P<quote>["'])
      | (?P<space>[ \t]+)
      | (?P<plain>[^\\"'\ \t]+|.)""",
    re.VERBOSE | re.DOTALL,
)


def shell_words(text: str) -> list[str]:
    r"""Words as keepalived reads those of scripts: both quotes, and `\a \b \E \f \n \r \t \v \nnn \xXX \cC \C`.

    Raises:
        Unterminated: a quote is opened and not closed.
    """
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    opened = 0
    for match in _SHELL.finditer(text):
        kind = match.lastgroup
        if kind == "space" and not quote:
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        word = [] if word is None else word
        if kind == "quote" and quote in ("", match[0]):
            quote, opened = ("" if quote else match[0]), match.start()
        else:
            word.append(_meant(match))
    if quote:
        raise Unterminated(opened, quote)
    if word is not None:
        words.append("".join(word))
    return words


def _meant(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "octal":
        return chr(int(match["octal"], 8) & 0xFF)
    if kind == "hex":
        return chr(int(match["hex"], 16) & 0xFF)
    if kind == "control":
        return chr(ord(match["control"]) & 0x1F)
    if kind == "other":
        return _NAMED.get(match["other"], match["other"])
    return match[0]


_SAFE = re.compile(r"(?!include|[@~])[^\s\x00-\x20\x7f{}\"'\\$!#]+")
_IN_DOUBLE = re.compile(r'["\\\x00-\x1f\x7f]|\$(?=\{_)')
_IN_SINGLE = re.compile(r"['\\\x00-\x1f\x7f]|\$(?=\{_)")
_SHORT = {meant: f"\\{letter}" for letter, meant in _NAMED.items() if letter != "e"}


def quoted(text: str) -> str:
    """A word as `tokens` reads it back."""
    if _SAFE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shell_quoted(text: str) -> str:
    """A word as `shell_words` reads it back, and a single one to `tokens` as well."""
    return text if _SAFE.fullmatch(text) else '"' + _IN_DOUBLE.sub(_escape, text) + '"'


def shell_line(words: tuple[str, ...]) -> str:
    """A script with its arguments as one word, which is cut once more when it is read."""
    inner = " ".join(word if _SAFE.fullmatch(word) else "'" + _IN_SINGLE.sub(_escape, word) + "'" for word in words)
    return shell_quoted(inner)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\"'\\":
        return "\\" + character
    return _SHORT.get(character) or f"\\{ord(character):03o}"
