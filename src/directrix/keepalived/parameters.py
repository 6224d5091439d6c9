"""`$PARAMETERS`: their definitions, what stands for them, and the lines that `~SEQ` and `~LST` repeat."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from directrix.keepalived.lines import Line

DEFINITION = re.compile(r"\s*\$([A-Za-z_][A-Za-z0-9_]*)=")
"""The start of a definition; keepalived allows nothing before it and no blank before the `=`."""

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)((?:\s+\d+)*)\s*\}|\$([A-Za-z_][A-Za-z0-9_]*)(?=\s|$)")
"""`${NAME}` anywhere, `$NAME` where a blank or the end of the line follows."""

REPETITION = re.compile(r"\s*~(SEQx?|LST)\(")

MOST_ROUNDS = 65_536
"""Of one ~SEQ; several on a line multiply."""

_LITERAL = {"_HASH": "#", "_BANG": "!"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter stands for: lines, of which the first is put into the line that refers to it."""

    lines: tuple[Line, ...]


class BadRepetition(ValueError):
    """A ~SEQ or ~LST that can't be understood; says why."""


class Parameters:
    """The parameters there are at one point of the text."""

    def __init__(self, config_id: str) -> None:
        self._config_id = config_id
        self._defined: dict[str, Parameter | str] = {}
        self._random = random.Random()

    def define(self, name: str, lines: tuple[Line, ...]) -> None:
        """From here on `name` stands for these lines."""
        self._defined[name] = Parameter(lines)

    def define_text(self, name: str, text: str) -> None:
        """From here on `name` stands for this text."""
        self._defined[name] = text

    def seed(self, number: int) -> None:
        """Have `${_RANDOM}` repeatable (`random_seed`)."""
        self._random.seed(number)

    def meaning(self, match: re.Match[str], line: Line) -> Parameter | str | None:
        """What a reference stands for; None if there is no such parameter, and it stands for itself."""
        name, numbers = match[1] or match[3], (match[2] or "").split()
        if name in _LITERAL:
            return _LITERAL[name]
        if name == "_PWD":
            return line.source.directory
        if name == "_INSTANCE":
            return self._config_id
        if name == "_RANDOM":
            low = int(numbers[0]) if numbers else 0
            high = int(numbers[1]) if len(numbers) > 1 else 32767
            return str(self._random.randint(min(low, high), high))
        return self._defined.get(name)


def repetition(line: Line) -> tuple[Iterator[dict[str, str]], int]:
    """For a line that begins with ~SEQ or ~LST: the values of each round, and where the rest of it begins.

    Raises:
        BadRepetition: it can't be understood.
    """
    match = REPETITION.match(line.text)
    assert match is not None
    end = line.text.find(")", match.end())
    if end < 0:
        raise BadRepetition(f"~{match[1]}( is never closed on this line")
    inside = line.text[match.end() : end]
    rounds = _listed(inside) if match[1] == "LST" else _sequence(match[1], inside)
    return rounds, end + 1


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _sequence(kind: str, inside: str) -> Iterator[dict[str, str]]:
    name, *numbers = (part.strip() for part in inside.split(","))
    if not _NAME.fullmatch(name) or not 1 <= len(numbers) <= 3:
        raise BadRepetition(f"write ~{kind}(NAME, START, STEP, END); STEP and START may be left out")
    try:
        values = [int(number, 0 if number.lower().lstrip("+-").startswith("0x") else 10) for number in numbers]
    except ValueError:
        raise BadRepetition(f"start, step and end of ~{kind} are whole numbers") from None
    end = values[-1]
    start = values[0] if len(values) > 1 else (-1 if end < 0 else 1)
    step = values[1] if len(values) > 2 else (-1 if end < start else 1)
    if step == 0 or (end - start) * step < 0:
        raise BadRepetition(f"counting from {start} by {step} never comes to {end}")
    if (end - start) // step >= MOST_ROUNDS:
        raise BadRepetition(f"~{kind} counts more than {MOST_ROUNDS:,} rounds")
    written = format if kind == "SEQx" else lambda number, _: str(number)
    return ({name: written(number, "x")} for number in range(start, end + (1 if step > 0 else -1), step))


_TUPLE = re.compile(r"\s*+(?:\{([^{}]*+)\}|([^,{}]*+))\s*+(?:,|$)")


def _listed(inside: str) -> Iterator[dict[str, str]]:
    parts: list[tuple[str, ...]] = []
    at = 0
    while at < len(inside) or not parts:
        match = _TUPLE.match(inside, at)
        if match is None:
            raise BadRepetition("write ~LST(NAME, VALUE, VALUE, …) or ~LST({NAME, NAME}, {VALUE, VALUE}, …)")
        parts.append(
            tuple(part.strip() for part in match[1].split(",")) if match[1] is not None else (match[2].strip(),)
        )
        at = max(match.end(), at + 1)
    names, rounds = parts[0], parts[1:]
    if not all(_NAME.fullmatch(name) for name in names) or not rounds:
        raise BadRepetition("write ~LST(NAME, VALUE, VALUE, …) or ~LST({NAME, NAME}, {VALUE, VALUE}, …)")
    if any(len(values) != len(names) for values in rounds):
        raise BadRepetition(f"each value of this ~LST must have {len(names)} parts, one for each name")
    return (dict(zip(names, values, strict=True)) for values in rounds)
