"""From the profiler's counts and the guest's symbols: instructions a packet, by kernel function."""

from __future__ import annotations

import bisect
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

KERNEL = 1 << 63
LEAST = 0.5
"""Functions that cost a packet less than this are left out."""


def symbols(text: str) -> tuple[list[int], list[str]]:
    """Addresses and names of /proc/kallsyms, sorted; a BPF program's tag is left out of its name."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] in "tTwW":
            found.append((int(words[0], 16), re.sub(r"^bpf_prog_[0-9a-f]{16}_", "bpf:", words[2])))
    found.sort()
    return [address for address, _ in found], [name for _, name in found]


def by_function(counts: Iterable[str], addresses: Sequence[int], names: Sequence[str]) -> dict[int, Counter[str]]:
    """Instructions of each phase by function, from lines "phase address instructions times"."""
    phases: dict[int, Counter[str]] = defaultdict(Counter)
    for line in counts:
        phase, address, instructions, times = line.split()
        place = int(address, 16)
        index = bisect.bisect_right(addresses, place) - 1
        name = "(user space)" if place < KERNEL else names[index] if index >= 0 else "(unknown)"
        phases[int(phase)][name] += int(instructions) * int(times)
    return phases


def report(counts: Path, kallsyms: Path, runs: Sequence[tuple[str, int]]) -> str:
    """The profile of each run (its name and how many packets it sent), in the order they were made."""
    addresses, names = symbols(kallsyms.read_bytes().rstrip(b"\0").decode(errors="replace"))
    with counts.open() as lines:
        phases = by_function(lines, addresses, names)
    text = []
    for phase, (name, packets) in enumerate(runs, 1):
        functions = phases.get(phase, Counter())
        text.append(f"\n{name}: {functions.total() / packets:.1f} instructions a packet, all of the run included\n")
        text += [
            f"{n / packets:10.1f}  {function}\n" for function, n in functions.most_common() if n / packets >= LEAST
        ]
    return "".join(text)
