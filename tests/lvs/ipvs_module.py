"""The state tables in the kernel's own IPVS, read from its module as it lies on disk.

Run as a program, it prints them as `tables_of_ipvs.txt` keeps them: a table's name, and below it
its numbers, a line for each row.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

WIDTHS = {
    "tcp_states": (4, 11),
    "tcp_states_dos": (4, 11),
    "tcp_timeouts": (4, 12),
    "tcp_state_active_table": (1, 11),
    "sctp_states": (1, 14),
    "sctp_events": (1, 15),
    "sctp_timeouts": (4, 15),
}
"""Tables: bytes of a number, numbers in a row."""

Rows = list[list[int]]


def modules() -> list[Path]:
    """IPVS's modules for User Mode Linux on this machine."""
    return sorted(Path("/usr/lib/uml/modules").glob("*/kernel/net/netfilter/ipvs/ip_vs.ko"))


def read_module(module: Path) -> dict[str, Rows]:
    """The tables in a module."""
    symbols = dict(_symbols(module.read_bytes()))
    return {name: _rows(symbols[name], *width) for name, width in WIDTHS.items()}


def read_recorded(text: str) -> dict[str, Rows]:
    """The tables in the text that `write` made."""
    tables: dict[str, Rows] = {}
    for line in text.splitlines():
        if line[:1].isalpha():
            tables[line] = rows = []
        elif line:
            rows.append([int(word) for word in line.split()])
    return tables


def write(tables: dict[str, Rows]) -> str:
    """Tables as text."""
    blocks = ("\n".join([name, *(" ".join(map(str, row)) for row in rows)]) for name, rows in tables.items())
    return "\n\n".join(blocks) + "\n"


def _rows(content: bytes, size: int, width: int) -> Rows:
    numbers = [value for (value,) in struct.iter_unpack({1: "<B", 4: "<I"}[size], content)]
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def _symbols(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of the objects of an ELF file."""
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + number * size) for number in range(count)]
    (table,) = (header for header in headers if header[1] == 2)
    names = headers[table[6]][4]
    for at, kind, _, section, value, length in struct.iter_unpack("<IBBHQQ", data[table[4] : table[4] + table[5]]):
        if kind & 15 == 1 and section < count:
            name = data[names + at : data.index(b"\0", names + at)].decode()
            place = headers[section][4] + value
            yield name, data[place : place + length]


if __name__ == "__main__":
    print(write(read_module(modules()[-1])), end="")
