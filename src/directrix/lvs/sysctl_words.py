"""The language of sysctl(8) and of its files, as far as it is about IPVS."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from directrix.lvs.errors import InvalidRequest, TableError
from directrix.lvs.sysctls import DIRECTORY, OUR_DIRECTORY, SysctlValue, bare_name, find


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: values by bare name, and the numbered lines that are about something else."""

    values: dict[str, SysctlValue]
    others: list[tuple[int, str]]


def name_of(word: str) -> str:
    """The bare name of a sysctl that is asked for.

    Raises:
        TableError: ENOENT: it is none of IPVS's.
    """
    name = bare_name(word)
    if name is None:
        raise TableError(errno.ENOENT, f"{word} is none of IPVS's sysctls ({DIRECTORY}*): it is for sysctl(8)")
    return find(name).name


def assignment(word: str) -> tuple[str, SysctlValue]:
    """Name and value of NAME=VALUE.

    Raises:
        TableError: there is no such sysctl, or it does not take the value.
    """
    before, equals, text = word.partition("=")
    if not equals or not before.strip():
        raise InvalidRequest(f'"{word}" must be of the form name=value')
    name = name_of(before.strip())
    return name, find(name).parse(text)


def read_file(text: str, source: str) -> Reading:
    """The values in a file of sysctl(8). As there, a `-` before a name forgives what is wrong with it.

    Raises:
        TableError: a line about IPVS is faulty; names `source` and line.
    """
    values: dict[str, SysctlValue] = {}
    others: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        forgiven = line.startswith("-")
        line = line.removeprefix("-")
        name, equals, value = (part.strip() for part in line.partition("="))
        # Bare names are the command line's alone: in a file of all sysctls they would be something else.
        if not name.replace("/", ".").startswith((DIRECTORY, OUR_DIRECTORY)):
            others.append((number, line))
            continue
        try:
            if not equals:
                raise InvalidRequest("invalid syntax, it must be of the form name=value")
            values.update([assignment(f"{name}={value}")])
        except TableError as error:
            if not forgiven:
                raise TableError(error.errno, f"{source}({number}): {error.reason}") from None
    return Reading(values, others)
