"""Where the text comes from: files by name, and the names that patterns stand for."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Protocol


class Files(Protocol):
    """A place to read files from."""

    def read(self, path: str) -> bytes:
        """What is in a file.

        Raises:
            OSError: it can't be read.
        """

    def matching(self, pattern: str) -> list[str]:
        """The files a pattern of the shell's stands for, in order; braces are no matter of this."""

    def identity(self, path: str) -> str:
        """The same for two paths of one file."""


class Disk:
    """The files of this machine."""

    def read(self, path: str) -> bytes:
        """What is in a regular file."""
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(0, "not a regular file")
        with open(path, "rb") as file:
            return file.read()

    def matching(self, pattern: str) -> list[str]:
        """Files and whatever else the pattern fits, except directories."""
        return sorted(path for path in glob.glob(pattern) if not os.path.isdir(path))

    def identity(self, path: str) -> str:
        """The path without links."""
        return os.path.realpath(path)


class InMemory:
    """Files that are nowhere, for what is given as text."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """What is in one of them."""
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(2, os.strerror(2)) from None

    def matching(self, pattern: str) -> list[str]:
        """Those that the pattern fits, directory by directory."""
        depth = pattern.count("/")
        return sorted(path for path in self._files if path.count("/") == depth and fnmatchcase(path, pattern))

    def identity(self, path: str) -> str:
        """The path, tidied."""
        return os.path.normpath(path)


_BRACES = re.compile(r"\{([^{},]*,[^{}]*)\}")
MOST_ALTERNATIVES = 1000
"""More than these are not a pattern anybody wrote on purpose."""


def alternatives(pattern: str) -> Iterator[str]:
    """What csh's braces stand for: `a{b,c}` for `ab` and `ac`, innermost first; MOST_ALTERNATIVES of them at most."""
    waiting = [pattern]
    for _ in range(MOST_ALTERNATIVES):
        if not waiting:
            return
        pattern = waiting.pop(0)
        match = _BRACES.search(pattern)
        if match is None:
            yield pattern
        else:
            choices = match[1].split(",")
            waiting[:0] = [pattern[: match.start()] + choice + pattern[match.end() :] for choice in choices]


def has_wildcards(pattern: str) -> bool:
    """Whether a pattern may stand for no file or several."""
    return glob.has_magic(pattern)
