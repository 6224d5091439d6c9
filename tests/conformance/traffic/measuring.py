"""Scenario commands about statistics: many packets at once, and listings at the estimator's turns.

    burst SOURCE TARGET times N [size BYTES]   N datagrams without looking where they go, each from the
                                               port after the last one's, by turns of a thousand; BYTES is
                                               an IP packet's length
    watch TIMES ipvsadm …                      wait until a listing changes, and show it, so many times
    totals                                     counters and rates of the whole table

IPVS takes its counters down every two seconds. A listing that has just changed tells when: what is
done within the next second is all taken down at the next turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple

import topology
from raw import Endpoint, Wire
from scenario import Answer
from topology import Host

from directrix.lvs import Counters, Rates

PATIENCE = 6.0
"""Seconds to wait for a change: three turns of the estimator."""
INTERVAL = 0.3
"""Seconds between two looks: an ipvsadm in User Mode Linux takes a tenth of one, and others want to work there, too."""
SOURCES = 1000
MTU = 1500
SHORTEST = 28
"""Bytes of an empty datagram over IPv4."""

Totals = Callable[[], tuple[Counters, Rates]]


def burst(wire: Wire, hosts: dict[str, Host], words: list[str]) -> list[str]:
    """Send datagrams to the director."""
    source, target, *rest = words
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    first, to = Endpoint.of(source), Endpoint.of(target)
    if int(options.get("size", SHORTEST)) > MTU:
        topology.widen(hosts)
    said, times = bytes(int(options.get("size", SHORTEST)) - SHORTEST), int(options["times"])
    sources = [Endpoint(first.address, first.port + number) for number in range(min(times, SOURCES))]
    wire.flood(sources, to, said, times)
    return []


def watch(times: int, listing: Callable[[], Answer]) -> list[str]:
    """The listing as it is each of the next times it has changed."""
    before, changes = listing().stdout, []
    deadline = time.monotonic() + PATIENCE
    while len(changes) < times and time.monotonic() < deadline:
        time.sleep(INTERVAL)
        now = listing().stdout
        if now != before:
            changes.append(now)
            before, deadline = now, time.monotonic() + PATIENCE
    if len(changes) < times:
        changes.append("no more changes")
    return [line for number, change in enumerate(changes, 1) for line in (f"({number})", *change.splitlines())]


def listed(totals: Totals) -> list[str]:
    """Totals in words."""
    return [
        f"{name}: {' '.join(map(str, astuple(values)))}"
        for name, values in zip(("counters", "rates"), totals(), strict=True)
    ]
