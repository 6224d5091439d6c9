r"""From files to the lines that blocks are made of.

A line goes through these steps, in keepalived's order:

1. its comment is cut off: from `#` or `!` to the end, unless inside double quotes;
2. `@id` lets the rest through only for that configuration id, `@^id` for every other;
3. `$NAME=VALUE` defines a parameter; lines that end in `\` go on, and all of them are its value;
4. `~SEQ` and `~LST` repeat the rest of the line, a parameter counting;
5. `${NAME}`, or `$NAME` before a blank, is replaced by its value as it is now. Of a value with several
   lines the first ends up in this line and the others follow it;
   whatever comes out goes through steps 2 to 5 again, until nothing is left to replace;
6. `include` puts the lines of other files here; relative names are relative to the file they stand in.
   (keepalived looks for it earlier, so that it can neither be conditional nor have parameters.)

Each line still knows where its words stood. Everything that could grow without end is bounded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from directrix.keepalived.faults import Faults, Place, suggestion
from directrix.keepalived.files import Files, alternatives, has_wildcards
from directrix.keepalived.lines import Line, Source, unquoted
from directrix.keepalived.parameters import (
    DEFINITION,
    REFERENCE,
    REPETITION,
    BadRepetition,
    Parameter,
    Parameters,
    repetition,
)

MOST_LINES = 1_000_000
"""Lines after expansion; the largest example in keepalived's manual has 780,000."""

LONGEST_LINE = 1 << 16
"""Characters of a line after expansion."""

MOST_REPLACEMENTS = 2_000
"""Parameters replaced in one line."""

DEEPEST = 64
"""Parameters inside parameters, and files inside files."""

_UP_TO_COMMENT = re.compile(r'(?:[^"\\#!]++|\\(?:.|$)|"(?:[^"\\]++|\\.)*+(?:"|\\?$))*+', re.DOTALL)
_CONDITION = re.compile(r"\s*@(\^?)(\S*)\s*")
_INCLUDE = re.compile(r"\s*(include[armwb]?)(?:\s+(.*))?$", re.DOTALL)
_CHECK = re.compile(r"\s*include_check(?:\s+(.*))?$", re.DOTALL)
_SEED = re.compile(r"\s*random_seed\s+(\d+)\s*$")

READABLE, MATCH, WILDCARD, BRACE = "readable", "match", "wildcard_match", "brace_match"
CHECKS = {
    "include": frozenset[str](),
    "includer": frozenset({READABLE}),
    "includem": frozenset({READABLE, MATCH}),
    "includew": frozenset({READABLE, WILDCARD}),
    "includeb": frozenset({READABLE, BRACE}),
    "includea": frozenset({READABLE, MATCH, WILDCARD, BRACE}),
}
"""Which missing files each kind of include takes for a mistake."""


class TooMuch(Exception):
    """The text grows beyond bounds at a place."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place = place
        super().__init__(reason)


class Expander:
    """Reads a configuration's files; mistakes go to `faults`."""

    def __init__(self, files: Files, config_id: str, faults: Faults) -> None:
        self._files = files
        self._config_id = config_id
        self._faults = faults
        self._parameters = Parameters(config_id)
        self._checks: frozenset[str] = frozenset()
        self._count = 0

    def lines(self, path: str) -> Iterator[Line]:
        """All lines of a file and of what it includes.

        Raises:
            OSError: the file can't be read.
        """
        content = self._files.read(path)
        try:
            yield from self._file(path, content, None, (self._files.identity(path),))
        except TooMuch as too_much:
            self._faults.error(too_much.place, str(too_much))

    def _file(self, path: str, content: bytes, included: Place | None, chain: tuple[str, ...]) -> Iterator[Line]:
        checks = self._checks
        following = _written(Source(path, os.path.dirname(path), included), content)
        for line in following:
            if not self._defines(line, following):
                yield from self._expand(line, 0, chain)
        self._checks = checks

    def _defines(self, line: Line, following: Iterator[Line]) -> bool:
        """Take in the definition of a parameter that begins with this line, if one does."""
        if "$" not in line.text:
            return False
        condition = _CONDITION.match(line.text)
        rest = line.part(condition.end()) if condition else line
        match = DEFINITION.match(rest.text)
        if match is None:
            return False
        value = [rest.part(match.end())]
        while value[-1].text.endswith("\\"):
            value[-1] = value[-1].part(0, len(value[-1].text) - 1)
            after = next(following, None)
            if after is None:
                break
            value.append(after)
        if condition is None or self._holds(condition):
            self._parameters.define(match[1], _trimmed(value))
        return True

    def _holds(self, condition: re.Match[str]) -> bool:
        return (condition[2] == self._config_id) is not (condition[1] == "^")

    def _expand(self, line: Line, depth: int, chain: tuple[str, ...]) -> Iterator[Line]:
        """Steps 2 to 6, and what an `include` that comes out puts here."""
        self._bound(line, depth)
        for _ in range(MOST_REPLACEMENTS):
            condition = _CONDITION.match(line.text)
            if condition:
                if self._holds(condition):
                    line = line.part(condition.end())
                    continue
                return
            if "$" not in line.text and "~" not in line.text:
                yield from self._finished(line, chain)
                return
            definition = DEFINITION.match(line.text)
            if definition:
                self._parameters.define(definition[1], _trimmed([line.part(definition.end())]))
                return
            repeated = REPETITION.match(line.text)
            found = self._reference(line, line.text.find(")") if repeated else len(line.text))
            if found is None:
                yield from self._repeat(line, depth, chain) if repeated else self._finished(line, chain)
                return
            match, meaning = found
            if not isinstance(meaning, str) and len(meaning.lines) == 1:
                meaning = meaning.lines[0].text
            if not isinstance(meaning, str):
                for part in _put_in(line, match, meaning):
                    yield from self._expand(part, depth + 1, chain)
                return
            line = line.replaced(match.start(), match.end(), meaning)
            self._bound(line, depth)
        raise TooMuch(line.place(0), "replacing parameters never ends here: does one stand for itself?")

    def _reference(self, line: Line, end: int) -> tuple[re.Match[str], Parameter | str] | None:
        """The first reference to a parameter there is, and what it stands for."""
        for match in REFERENCE.finditer(line.text):
            if match.start() >= end:
                break
            meaning = self._parameters.meaning(match, line)
            if meaning is not None:
                return match, meaning
        return None

    def _repeat(self, line: Line, depth: int, chain: tuple[str, ...]) -> Iterator[Line]:
        try:
            rounds, end = repetition(line)
        except BadRepetition as bad:
            self._faults.error(line.place(len(line.text) - len(line.text.lstrip())), str(bad))
            return
        rest = line.part(end)
        for values in rounds:
            for name, text in values.items():
                self._parameters.define_text(name, text)
            yield from self._expand(rest, depth + 1, chain)

    def _bound(self, line: Line, depth: int) -> None:
        self._count += 1
        if self._count > MOST_LINES:
            raise TooMuch(line.place(0), f"parameters and repetitions give more than {MOST_LINES:,} lines")
        if depth > DEEPEST:
            raise TooMuch(line.place(0), "parameters stand for each other too deep: does one stand for itself?")
        if len(line.text) > LONGEST_LINE:
            raise TooMuch(line.place(0), f"this line gives more than {LONGEST_LINE:,} characters")

    def _finished(self, line: Line, chain: tuple[str, ...]) -> Iterator[Line]:
        text = line.text.lstrip()
        if text.startswith("include"):
            match = _INCLUDE.match(line.text)
            if match:
                yield from self._include(line, match, chain)
                return
            check = _CHECK.match(line.text)
            if check:
                self._set_checks(line, check)
        elif text.startswith("random_seed"):
            seed = _SEED.match(text)
            if seed:
                self._parameters.seed(int(seed[1]))
        yield line

    def _set_checks(self, line: Line, match: re.Match[str]) -> None:
        """`include_check`: exactly these checks, or with `+` and `-` these more or less."""
        words = (match[1] or "").split() or [READABLE, MATCH, WILDCARD, BRACE]
        if not any(word[0] in "+-" for word in words):
            self._checks = frozenset()
        for word in words:
            name = word.lstrip("+-")
            if name not in CHECKS["includea"]:
                reason = f"{name!r} is no check of include files{suggestion(name, CHECKS['includea'])}"
                self._faults.error(line.place(line.text.index(word)), reason)
            else:
                self._checks = self._checks - {name} if word[0] == "-" else self._checks | {name}

    def _include(self, line: Line, match: re.Match[str], chain: tuple[str, ...]) -> Iterator[Line]:
        place = line.place(match.start(1))
        written = unquoted((match[2] or "").rstrip())
        if not written:
            self._faults.error(place, "include needs the name of a file")
            return
        checks = self._checks | CHECKS[match[1]]
        pattern = os.path.join(line.source.directory, written)
        paths: list[str] = []
        for choice in alternatives(pattern):
            matching = self._files.matching(choice) if has_wildcards(choice) else [choice]
            if not matching and (BRACE if choice != pattern else WILDCARD) in checks:
                self._faults.error(place, f"no file fits {choice}")
            paths += matching
        missing_is_wrong = checks & ({READABLE, MATCH} if pattern in paths else {READABLE, BRACE})
        for path in paths:
            identity = self._files.identity(path)
            if identity in chain:
                self._faults.error(place, f"{path} includes itself")
                continue
            if len(chain) > DEEPEST:
                raise TooMuch(place, f"files are included more than {DEEPEST} deep")
            try:
                content = self._files.read(path)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                say = self._faults.error if missing_is_wrong else self._faults.warn
                say(place, f"{path} can't be included: {reason}")
                continue
            yield from self._file(path, content, place, (*chain, identity))


def _written(source: Source, content: bytes) -> Iterator[Line]:
    """The lines of a file without comments and blanks at the end; bytes that are no UTF-8 become surrogates."""
    text = content.decode("utf-8-sig", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line or "!" in line:
            match = _UP_TO_COMMENT.match(line)
            end = match.end() if match else 0
            goes_on = end < len(line) and line.rstrip().endswith("\\")
            line = line[:end].rstrip() + ("\\" if goes_on else "")
        yield Line(source, number, line.rstrip())


def _trimmed(value: list[Line]) -> tuple[Line, ...]:
    """A parameter's lines without empty ones at both ends, and without the blanks around it all."""
    while len(value) > 1 and not value[0].text.strip():
        value.pop(0)
    while len(value) > 1 and not value[-1].text.strip():
        value.pop()
    value[0] = value[0].part(len(value[0].text) - len(value[0].text.lstrip()))
    value[-1] = value[-1].part(0, len(value[-1].text.rstrip()))
    return tuple(value)


def _put_in(line: Line, match: re.Match[str], meaning: Parameter) -> Iterator[Line]:
    """The lines that stand where a line refers to a parameter with several."""
    before, after = line.part(0, match.start()), line.part(match.end())
    via = line.place(match.start())
    last = len(meaning.lines) - 1
    for index, value in enumerate(meaning.lines):
        body = Line(value.source, value.number, value.text, value.marks, via)
        if index == 0 and before.text.strip():
            body = line.part(0, match.end()).replaced(match.start(), match.end(), value.text)
        elif index == last and after.text.strip():
            body = line.part(match.start()).replaced(0, match.end() - match.start(), value.text)
        yield body
