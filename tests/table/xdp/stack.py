"""How deep the stack of a program gets, read from its instructions, as the kernel's verifier reckons it.

A function's frame reaches as far as it touches memory below r10. The kernel rounds each frame up
to 32 bytes, at least 32, and adds them up along every chain of calls; functions that bpf_loop and its
like call back count as called. A timer's callback begins a chain of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elf import Elf, Section, Symbol

MOST_BYTES = 512
MOST_FRAMES = 8
"""The kernel's limits for a chain."""

_GRAIN = 32
_FRAME_POINTER = 10
_LOAD_CONSTANT, _CALL, _MOVE, _ADD = 0x18, 0x85, 0xBF, 0x07
_LOADS = (0x61, 0x69, 0x71, 0x79)
_STORES = (0x62, 0x6A, 0x72, 0x7A, 0x63, 0x6B, 0x73, 0x7B, 0xC3, 0xDB)
_OF_THE_PROGRAM = 1
_TIMER_SET_CALLBACK = 170


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the bytes of its frame, rounded up, whom it calls, and whom it hands to a timer."""

    name: str
    frame: int
    calls: frozenset[str]
    starts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Chain:
    """Functions that are called one by the other, and the sum of their frames."""

    functions: tuple[Function, ...] = ()

    @property
    def depth(self) -> int:
        return sum(function.frame for function in self.functions)

    def __str__(self) -> str:
        return " -> ".join(f"{one.name} ({one.frame})" for one in self.functions) + f": {self.depth} bytes"


def functions(path: Path) -> dict[str, Function]:
    """All functions of an object, by name."""
    elf = Elf(path)
    return {
        function.name: function
        for section in elf.sections
        if section.executable
        for function in _of_section(elf, section)
    }


def deepest(of: Mapping[str, Function], name: str) -> Chain:
    """The chain from this function on whose frames sum up to most."""
    found = (deepest(of, callee) for callee in sorted(of[name].calls))
    return Chain((of[name], *max(found, key=lambda chain: chain.depth, default=Chain()).functions))


def longest(of: Mapping[str, Function], name: str) -> Chain:
    """The chain from this function on with most frames."""
    found = (longest(of, callee) for callee in sorted(of[name].calls))
    return Chain((of[name], *max(found, key=lambda chain: len(chain.functions), default=Chain()).functions))


def _of_section(elf: Elf, section: Section) -> list[Function]:
    places = {one.value: one for one in elf.symbols if one.section == section.number and one.is_function}
    names = {(one.section, one.value): one.name for one in elf.symbols if one.is_function}
    meant = elf.relocations(section)
    return [_function(section, symbol, meant, names) for symbol in places.values()]


def _function(
    section: Section, symbol: Symbol, meant: Mapping[int, Symbol], names: Mapping[tuple[int, int], str]
) -> Function:
    lowest = 0
    copies: set[int] = set()
    calls: set[str] = set()
    starts: set[str] = set()
    pointed = ""
    for at in range(symbol.value, symbol.value + symbol.size, 8):
        code, registers, offset, constant = struct.unpack_from("<BBhi", section.content, at)
        target, source = registers & 15, registers >> 4
        base = source if code in _LOADS else target if code in _STORES else None
        if base == _FRAME_POINTER:
            lowest = min(lowest, offset)
        if code == _ADD and target in copies:
            lowest = min(lowest, constant)
        if code not in _STORES:
            copies.discard(target)
        if code == _MOVE and source == _FRAME_POINTER:
            copies.add(target)
        where = meant.get(at)
        if code == _LOAD_CONSTANT and where and (where.section, where.value + constant) in names:
            pointed = names[where.section, where.value + constant]
            calls.add(pointed)
        elif code == _CALL and source == _OF_THE_PROGRAM:
            start = where.value + (constant + 1) * 8 if where else at + (constant + 1) * 8
            calls.add(names[where.section if where else section.number, start])
        elif code == _CALL and constant == _TIMER_SET_CALLBACK:
            calls.remove(pointed)
            starts.add(pointed)
    frame = max(_GRAIN, -(lowest // _GRAIN) * _GRAIN)
    return Function(symbol.name, frame, frozenset(calls), frozenset(starts))
