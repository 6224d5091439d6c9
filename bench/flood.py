"""What a flood costs, and what it does to others: nanoseconds a packet, by BPF_PROG_TEST_RUN on this machine's kernel.

A table under flood gets a SYN, every one from another source, after so many packets of established connections. All is
on one CPU, so whatever the SYNs take from its caches they take from them. How many come between two SYNs is chosen so
that a CPU which does nothing else has its share of a million SYNs a second, as a network card's queues spread them over
all CPUs. What an established packet costs then is the whole less what the SYNs cost alone; what it costs in quiet, flow
by flow in turn, stands beside it.

Checked on the way, and an error if not so: no SYN gets an entry, and all packets are forwarded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from bench import cluster
from bench.report import Figure, publish
from directrix.table.xdp import layout

CONNECTIONS = 1_000_000
FLOWS = (1, 1_000, 16_000, 100_000)
PACKETS = 32_000
ROUNDS = 30
FLOOD = 1_000_000
"""SYNs a second, over all CPUs."""

GOAL = 1.3
"""What an established packet may cost in a flood, in what it costs in quiet."""

_EXPECTED = {"forwarded", "handed_up", "not_ours", "other_host"}
"""What else comes in at the device is the host's own."""

SYN, ACK = cluster.frame(cluster.TCP, flags=cluster.SYN), cluster.frame(cluster.TCP)


class Unsound(Exception):
    """The table did not behave."""


def _be_under_flood(director: cluster.Director) -> None:
    """Switch the defence on, and wait until the table's clock has heard of it."""
    cluster.directrix("sysctl", "-q", "flood_defence=3")
    end = time.monotonic() + 5
    while layout.FRONT.get(director.maps.front.bytes, 0, "flood") != layout.FLOOD_ON:
        if time.monotonic() > end:
            raise Unsound("the clock does not heed flood_defence")
        time.sleep(0.05)


@dataclass(slots=True)
class Shooting:
    """So many flows in turn, with SYNs of a flood between them."""

    director: cluster.Director
    flows: int
    source: int

    def least(self, *attacks: int, through: bool = True) -> list[float]:
        """Nanoseconds a packet, for each of these parts of SYNs of the flood: one packet in so many, 0 for none.

        The least of many short runs, in turn, so that all have the same chances of being undisturbed.
        """
        found = [float("inf")] * len(attacks)
        for place, attack in list(enumerate(attacks)) * ROUNDS:
            count = PACKETS // 8 if attack == 1 else max(PACKETS, self.flows)  # SYNs alone take longer
            run = self.director.send(ACK, count, flows=self.flows, attack=attack, source=self.source, through=through)
            found[place] = min(found[place], float(run.nanoseconds))
            self.source += count
        return found


def _of_flows(director: cluster.Director, flows: int, source: int) -> tuple[list[Figure], int]:
    for packet in (SYN, ACK):  # with the second one they are entered
        director.send(packet, flows, flows=flows)
    entered = director.connections
    if entered < flows:
        raise Unsound(f"of {flows:,} clients {entered:,} were let in")
    shooting = Shooting(director, flows, source)
    bare, bare_syn = shooting.least(0, 1, through=False)
    quiet, alone = shooting.least(0, 1)
    interval = 1e9 * len(os.sched_getaffinity(0)) / FLOOD
    between = max(round((interval - alone) / quiet), 1)
    quiet, alone, mixed = shooting.least(0, 1, between + 1)
    if director.connections != entered:
        raise Unsound(f"{director.connections - entered:,} SYNs of the flood were entered")
    flooded = (mixed * (between + 1) - alone) / between
    name = f"established, {flows:,} flows in turn" if flows > 1 else "established, 1 flow"
    return [
        Figure(f"{name}, in quiet", quiet - bare, "ns"),
        Figure(f"{name}, in the flood", flooded - bare, "ns", note=f"{between} packets for each SYN"),
        Figure("  times what it is in quiet", (flooded - bare) / (quiet - bare), "", GOAL),
        Figure("  a SYN of the flood meanwhile", alone - bare_syn, "ns"),
    ], shooting.source


def measure(director: cluster.Director) -> list[Figure]:
    """All figures.

    Raises:
        Unsound: the table did not behave.
    """
    figures: list[Figure] = []
    _be_under_flood(director)
    before, source = director.verdicts(), int(ip_address("16.0.0.0"))
    for flows in FLOWS:
        more, source = _of_flows(director, flows, source)
        figures += more
    after = director.verdicts()
    if others := {name for name in after if after[name] != before[name]} - _EXPECTED:
        raise Unsound(f"packets ended as {', '.join(sorted(others))}")
    return figures


def main(words: Sequence[str]) -> int:
    """Run; 0 if all is sound and every goal met."""
    parser = argparse.ArgumentParser(prog="scripts/bench flood", description=(__doc__ or "").split("\n\n")[0])
    parser.parse_args(words)
    cluster.make_devices()
    with cluster.running(CONNECTIONS) as director:
        try:
            figures = measure(director)
        except Unsound as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    return 0 if publish("flood", "A flood of SYNs (BPF_PROG_TEST_RUN), nanoseconds a packet", figures) else 1
