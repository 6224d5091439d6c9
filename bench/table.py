"""What a connection takes, and what a full table does: at 1 and 10 million connections.

A table is made, filled to the last connection with new flows through the XDP program, overfilled,
and watched until it has emptied itself. Checked on the way, and an error if not so: a full table
turns new connections away as `table_full` and forwards those it holds; all end in time.

Memory is what the kernel says of every pinned map. What the clock takes is the time that a real-time
process spinning on each CPU does not get, with the table full beside with it empty; other
interrupts are in it too.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from bench import cluster
from bench.report import Figure, publish
from directrix.table.xdp import libbpf

SIZES = (1_000_000, 10_000_000)
TOO_MANY = 100_000
BYTES_GOAL = 200
UDP_SECONDS = 20
"""Time-out of the connections; long enough to fill the table of ten million meanwhile."""

LATE_GOAL = 3.0
"""A round of the clock to end a connection, one to free its slot, and how often we look, s."""
WATCH = 0.5
"""How long the CPUs are watched at a time, s: below what the kernel lets a real-time process have of a second."""

INTERRUPTION = 3_000
"""A gap in a spinning process's view of time that is longer than this, ns, is somebody else's time."""


class Unsound(Exception):
    """The table did not behave."""


def memory(director: cluster.Director) -> int:
    """Bytes the kernel holds for the table: all maps it has."""
    total = 0
    for pin in director.place.pins.iterdir():
        fd = libbpf.get(pin)
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                information = file.read()
        finally:
            os.close(fd)
        if "map_type" in information:
            total += int(re.findall(r"^memlock:\s+(\d+)", information, re.MULTILINE)[0])
    return total


def _taken(cpu: int) -> float:
    """Share of WATCH that a process spinning on this CPU, before all others, does not get."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    clock = time.perf_counter_ns
    start = last = clock()
    end = start + int(WATCH * 1e9)
    taken = 0
    while last < end:
        now = clock()
        if now - last > INTERRUPTION:
            taken += now - last
        last = now
    return taken / (last - start)


def interrupted() -> float:
    """How much of all CPUs together goes to interrupts just now, in CPUs: the least of three looks."""
    cpus = sorted(os.sched_getaffinity(0))
    with ProcessPoolExecutor(len(cpus)) as pool:
        return min(sum(pool.map(_taken, cpus)) for _ in range(3))


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise Unsound(what)


def _fill(director: cluster.Director, size: int, name: str) -> list[Figure]:
    packet = cluster.frame(cluster.UDP)
    bare = director.send(packet, TOO_MANY, flows=TOO_MANY, through=False).nanoseconds
    cost = director.send(packet, size, flows=size).nanoseconds - bare
    _expect(director.connections == size, f"{size:,} flows made {director.connections:,} connections")

    before = director.verdicts()
    refused = director.send(packet, TOO_MANY, flows=2 * size, first=size).nanoseconds - bare
    after = director.verdicts()
    full = after["table_full"] - before["table_full"]
    _expect(full == TOO_MANY, f"of {TOO_MANY:,} new flows {full:,} were refused as table_full")

    before = director.verdicts()
    known = director.send(packet, TOO_MANY, flows=size).nanoseconds - bare
    after = director.verdicts()
    forwarded = after["forwarded"] - before["forwarded"] + after["handed_up"] - before["handed_up"]
    _expect(forwarded == TOO_MANY, f"of {TOO_MANY:,} packets of known flows {forwarded:,} were forwarded")
    return [
        Figure(f"{name}: a new UDP connection, filling", cost, "ns"),
        Figure(f"{name}: a new one refused, table full", refused, "ns"),
        Figure(f"{name}: an established one, table full", known, "ns"),
    ]


def _watch(director: cluster.Director, name: str, quiet: float) -> list[Figure]:
    last_packet = time.monotonic()
    busy = interrupted()
    while director.connections and time.monotonic() < last_packet + UDP_SECONDS + 10:
        time.sleep(0.05)
    _expect(not director.connections, f"{director.connections:,} connections outlived their time")
    late = max(0.0, time.monotonic() - last_packet - UDP_SECONDS)
    return [
        Figure(f"{name}: a CPU's share that interrupts take, table empty", quiet * 100, "%"),
        Figure(f"{name}: the same, table full", busy * 100, "%"),
        Figure(f"{name}: the last one ended late by", late, "s", LATE_GOAL),
    ]


def measure(size: int) -> list[Figure]:
    """Everything about a table of this size.

    Raises:
        Unsound: it did not behave.
    """
    name = f"{size:,}"
    start = time.monotonic()
    with cluster.running(size) as director:
        made = time.monotonic() - start
        cluster.directrix("ipvsadm", "--set", "0", "0", str(UDP_SECONDS))
        time.sleep(2)  # the clock's first round is over
        quiet = interrupted()
        used = memory(director)
        figures = [
            Figure(f"{name}: made, with its services, in", made, "s"),
            Figure(f"{name}: memory", used / 1e6, "MB"),
            Figure(f"{name}: memory a connection, all included", used / size, "bytes", BYTES_GOAL),
        ]
        figures += _fill(director, size, name)
        return figures + _watch(director, name, quiet)


def main(words: Sequence[str]) -> int:
    """Run; 0 if all is sound and every goal met."""
    parser = argparse.ArgumentParser(prog="scripts/bench table", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--connections", type=int, nargs="+", default=SIZES, metavar="N", help="sizes of table")
    options = parser.parse_args(words)
    cluster.make_devices()
    figures: list[Figure] = []
    try:
        for size in options.connections:
            figures += measure(size)
    except Unsound as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0 if publish("table", "The connection table", figures) else 1
