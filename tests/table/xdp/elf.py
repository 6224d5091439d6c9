"""A small reader of the compiled object: sections, symbols, relocations (ELF, 64 bits, little-endian)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_EXECUTABLE, _FUNCTION, _RELOCATIONS = 4, 2, 9


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the file; `about` is the number of the one that its relocations are for."""

    name: str
    number: int
    kind: int
    executable: bool
    about: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for `size` bytes at `value` in the section of this number."""

    name: str
    section: int
    is_function: bool
    value: int
    size: int


class Elf:
    """An object file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _data(self) -> bytes:
        return self._path.read_bytes()

    @cached_property
    def sections(self) -> list[Section]:
        (start,) = struct.unpack_from("<Q", self._data, 40)
        size, count, names = struct.unpack_from("<HHH", self._data, 58)
        headers = [struct.unpack_from("<IIQQQQIIQQ", self._data, start + number * size) for number in range(count)]
        return [
            Section(
                self._text(headers[names][4] + name),
                number,
                kind,
                bool(flags & _EXECUTABLE),
                about,
                self._data[at : at + length],
            )
            for number, (name, kind, flags, _, at, length, _, about, _, _) in enumerate(headers)
        ]

    def _text(self, at: int) -> str:
        return self._data[at : self._data.index(b"\0", at)].decode()

    def section(self, name: str) -> Section:
        """The section of this name."""
        return next(section for section in self.sections if section.name == name)

    @cached_property
    def symbols(self) -> list[Symbol]:
        """All symbols, in the order by which relocations number them."""
        texts = self.section(".strtab").content
        return [
            Symbol(texts[at : texts.index(b"\0", at)].decode(), place, info & 15 == _FUNCTION, value, size)
            for at, info, _, place, value, size in struct.iter_unpack("<IBBHQQ", self.section(".symtab").content)
        ]

    def symbol(self, name: str, section: str) -> bytes:
        """The content of a constant."""
        place = self.section(section)
        (found,) = (one for one in self.symbols if one.name == name and one.section == place.number)
        return place.content[found.value : found.value + found.size]

    def relocations(self, section: Section) -> dict[int, Symbol]:
        """Which symbol is meant, by offset in the section."""
        return {
            at: self.symbols[info >> 32]
            for one in self.sections
            if one.kind == _RELOCATIONS and one.about == section.number
            for at, info in struct.iter_unpack("<QQ", one.content)
        }
