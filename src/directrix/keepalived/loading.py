"""From a file to a configuration."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from directrix.keepalived.blocks import Statement, parse
from directrix.keepalived.building.configuration import build
from directrix.keepalived.expanding import Expander
from directrix.keepalived.faults import Fault, Faults, FaultyConfiguration
from directrix.keepalived.files import Disk, Files, InMemory
from directrix.keepalived.reading import read
from directrix.keepalived.schema.top import TOP
from directrix.keepalived.values import Configuration

USUAL_PATH = "/etc/keepalived/keepalived.conf"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and what is worth telling about its text."""

    configuration: Configuration
    warnings: tuple[Fault, ...]


def usual_config_id() -> str:
    """What `@id` is compared with unless told otherwise: the host's name up to its first dot."""
    return os.uname().nodename.partition(".")[0]


def load(path: str = USUAL_PATH, config_id: str | None = None) -> Loaded:
    """The configuration in a file.

    Raises:
        FaultyConfiguration: with every mistake and its place.
        OSError: the file can't be read.
    """
    return _load(Disk(), path, config_id)


def loads(text: str | bytes, source: str = "keepalived.conf", config_id: str | None = None) -> Loaded:
    """The configuration in a text, which can include no files; `source` is what messages call it.

    Raises:
        FaultyConfiguration: with every mistake and its place.
    """
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return _load(InMemory({source: content}), source, config_id)


def load_from(files: Files, path: str, config_id: str | None = None) -> Loaded:
    """The same as `load`, from other files than those of this machine."""
    return _load(files, path, config_id)


def statements(path: str, config_id: str | None = None) -> list[Statement]:
    """What a file says, statement by statement, each word with its place; mistakes are left out.

    Raises:
        OSError: the file can't be read.
    """
    faults = Faults()
    return parse(Expander(Disk(), usual_config_id() if config_id is None else config_id, faults).lines(path), faults)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Of hundreds of thousands of small objects none is garbage, and looking for some takes half the time."""
    resting = not gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not resting:
            gc.enable()


def _load(files: Files, path: str, config_id: str | None) -> Loaded:
    faults = Faults()
    expander = Expander(files, usual_config_id() if config_id is None else config_id, faults)
    with _collector_resting():
        statements = parse(expander.lines(path), faults)
        configuration = build(read(statements, TOP, faults))
    if faults.fatal:
        raise FaultyConfiguration(faults.all)
    return Loaded(configuration, faults.all)
