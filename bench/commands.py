"""What the command takes: from the shell, its start included. Every figure is the median of several runs."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from bench import cluster
from bench.report import Figure, publish

SERVICES = 1000
SERVERS_EACH = 10
ROUNDS = 5
QUICK_ROUNDS = 15
RESTORE_GOAL = 2.0
LIST_GOAL = 0.5
SMALL_GOAL = 0.15


def rules(services: int, servers: int) -> str:
    """What `ipvsadm -S` would print of so many services with so many real servers each."""
    lines = []
    for service in range(services):
        vip = f"10.1.{service // 200}.{1 + service % 200}:80"
        lines.append(f"-A -t {vip} -s wlc\n")
        lines += [f"-a -t {vip} -r 10.2.{service % 250}.{1 + server}:80 -g -w 1\n" for server in range(servers)]
    return "".join(lines)


def _median(rounds: int, *words: str, given: str | None = None, before: Sequence[str] = ()) -> tuple[float, str]:
    taken = []
    said = ""
    for _ in range(rounds):
        if before:
            cluster.directrix(*before)
        start = time.perf_counter()
        said = cluster.directrix(*words, rules=given)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), said


def main(words: Sequence[str]) -> int:
    """Run; 0 if every goal is met."""
    parser = argparse.ArgumentParser(prog="scripts/bench commands", description=(__doc__ or "").split("\n\n")[0])
    parser.parse_args(words)
    cluster.make_devices()
    many = rules(SERVICES, SERVERS_EACH)
    with cluster.running(1_000_000):
        version, _ = _median(QUICK_ROUNDS, "--version")
        small, _ = _median(QUICK_ROUNDS, "ipvsadm", "-Ln")
        restore, _ = _median(ROUNDS, "ipvsadm", "-R", given=many, before=("ipvsadm", "-C"))
        listing, said = _median(ROUNDS, "ipvsadm", "-Ln")
        saving, _ = _median(ROUNDS, "ipvsadm", "-Sn")
        clearing, _ = _median(1, "ipvsadm", "-C")
    shown = said.count("\n  -> ")
    if shown != SERVICES * SERVERS_EACH + 1:
        print(f"bench: {shown:,} lines of real servers were listed, not {SERVICES * SERVERS_EACH:,}")
        return 1
    size = f"{SERVICES:,} services with {SERVERS_EACH} real servers each"
    figures = [
        Figure("directrix --version", version, "s"),
        Figure("directrix ipvsadm -Ln, 3 services", small, "s", SMALL_GOAL),
        Figure(f"directrix ipvsadm -R, {size}", restore, "s", RESTORE_GOAL),
        Figure(f"directrix ipvsadm -Ln, {size}", listing, "s", LIST_GOAL),
        Figure(f"directrix ipvsadm -Sn, {size}", saving, "s"),
        Figure(f"directrix ipvsadm -C, {size}", clearing, "s"),
    ]
    return 0 if publish("commands", "The command, from the shell", figures) else 1
