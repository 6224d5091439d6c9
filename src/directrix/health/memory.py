"""What is remembered of servers that were taken out, between one command and the next: a small file.

It lives as long as the table it speaks of. A file that can't be read says nothing: then nobody is remembered, which
leaves servers quiesced, and that shows.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from directrix.health.rule import Absence, By, ServerKey
from directrix.lvs import Family, Protocol, ServiceKey, parse_address
from directrix.lvs.objects import FAMILIES, key_object

Remembered = dict[ServiceKey, dict[ServerKey, Absence]]
_NAME = "absences.json"


def read(directory: Path) -> Remembered:
    """What is remembered; nothing if there is no file."""
    try:
        return decoded(json.loads((directory / _NAME).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextmanager
def changing(directory: Path) -> Iterator[Remembered]:
    """Give what is remembered to be changed, alone; it is written afterwards, whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        remembered = read(directory)
        yield remembered
        write(directory, remembered)
    finally:
        os.close(handle)


def write(directory: Path, remembered: Remembered) -> None:
    """Remember this and nothing else."""
    if not any(remembered.values()):
        (directory / _NAME).unlink(missing_ok=True)
        return
    draft = directory / f"{_NAME}.new"
    draft.write_text(json.dumps(encoded(remembered), indent=1))
    draft.rename(directory / _NAME)


def encoded(remembered: Remembered) -> list[dict[str, Any]]:
    """As plain data."""
    return [
        {
            "service": key_object(key),
            "address": str(address),
            "port": port,
            "weight": absence.weight,
            "since": absence.since,
            "times": absence.times,
            "trial": absence.trial,
            "by": str(absence.by),
        }
        for key, servers in remembered.items()
        for (address, port), absence in servers.items()
    ]


def decoded(rows: list[dict[str, Any]]) -> Remembered:
    """From plain data.

    Raises:
        KeyError, TypeError, ValueError: it isn't ours.
    """
    remembered: Remembered = {}
    for row in rows:
        absence = Absence(int(row["weight"]), float(row["since"]), int(row["times"]), bool(row["trial"]), By(row["by"]))
        server = (parse_address(row["address"]), int(row["port"]))
        remembered.setdefault(_key(row["service"]), {})[server] = absence
    return remembered


def _key(fields: dict[str, Any]) -> ServiceKey:
    if "fwmark" in fields:
        family = next(family for family, name in FAMILIES.items() if name == fields["family"])
        return ServiceKey.mark(int(fields["fwmark"]), Family(family))
    return ServiceKey.of(Protocol[fields["protocol"].upper()], parse_address(fields["address"]), int(fields["port"]))
