"""What the programs alone cost on this machine's kernel, by BPF_PROG_TEST_RUN: nanoseconds a packet.

No device, no wire: the kernel runs the program again and again, and a small one before it makes
every packet anew (flood.bpf.c); what that takes is measured and subtracted. Every figure is the
least of several runs, since what disturbs only ever adds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench import cluster
from bench.report import Figure, publish

REPEAT = 1_000_000
ROUNDS = 5
FLOWS = 1_000_000
ENDS = {
    "xdp": {"forwarded": cluster.XDP_TX, "passed": cluster.XDP_PASS},
    "tc": {"forwarded": cluster.TC_REDIRECT, "passed": cluster.TC_UNSPEC},
}

TCP, UDP, SYN = cluster.TCP, cluster.UDP, cluster.SYN
CASES = (
    ("for another address", "passed", cluster.frame(TCP, vip="10.0.0.99")),
    ("for another port of the VIP", "passed", cluster.frame(TCP, port=81)),
    ("established, TCP", "forwarded", cluster.frame(TCP)),
    ("established, UDP", "forwarded", cluster.frame(UDP)),
    ("established, TCP over IPv6", "forwarded", cluster.frame(TCP, vip=cluster.VIP6, client=cluster.CLIENT6)),
)
OPENERS = (
    cluster.frame(TCP, flags=SYN),
    cluster.frame(UDP),
    cluster.frame(TCP, vip=cluster.VIP6, client=cluster.CLIENT6, flags=SYN),
)


class WrongVerdict(Exception):
    """A packet did not meet the fate it should."""


def _bare(director: cluster.Director, packet: bytes, hook: str) -> int:
    return min(director.send(packet, REPEAT, hook=hook, through=False).nanoseconds for _ in range(ROUNDS))


def _one_flow(director: cluster.Director) -> list[Figure]:
    for packet in OPENERS:
        director.send(packet, 10)
    found = []
    for hook, ends in ENDS.items():
        for name, fate, packet in CASES:
            runs = [director.send(packet, REPEAT, hook=hook) for _ in range(ROUNDS)]
            if runs[0].value != ends[fate]:
                raise WrongVerdict(f"{hook}: {name}: the answer was not {ends[fate]} ({fate}) but {runs[0].value}")
            cost = min(run.nanoseconds for run in runs) - _bare(director, packet, hook)
            found.append(Figure(f"{hook}: {name}", cost, "ns"))
    return found


def _many_flows(director: cluster.Director) -> list[Figure]:
    syn, ack = cluster.frame(TCP, flags=SYN), cluster.frame(TCP)
    bare = _bare(director, ack, "xdp")
    new = director.send(syn, FLOWS, flows=FLOWS).nanoseconds - bare
    if director.connections < FLOWS:
        raise WrongVerdict(f"{FLOWS:,} SYNs made {director.connections:,} connections")
    found = [Figure("xdp: new TCP connection, rr", new, "ns", note=f"up to {FLOWS:,}")]
    for flows in (16_000, FLOWS):
        cost = min(director.send(ack, REPEAT, flows=flows).nanoseconds for _ in range(ROUNDS)) - bare
        found.append(Figure(f"xdp: established, TCP, {flows:,} flows in turn", cost, "ns"))
    return found


def main(words: Sequence[str]) -> int:
    """Run; 0 unless a packet met another fate than it should."""
    argparse.ArgumentParser(prog="scripts/bench program", description=(__doc__ or "").split("\n\n")[0]).parse_args(
        words
    )
    cluster.make_devices()
    with cluster.running(2 * FLOWS) as director:
        try:
            figures = [*_one_flow(director), *_many_flows(director)]
        except WrongVerdict as error:
            print(f"bench: {error}\nbench: {director.verdicts()}")
            return 1
    publish("program", "The programs alone (BPF_PROG_TEST_RUN), nanoseconds a packet", figures)
    return 0
