"""Choose a benchmark: python -m bench NAME [options]."""

from __future__ import annotations

import importlib
import sys
import time

NAMES = {
    "program": "the programs alone, on this machine's kernel: nanoseconds a packet (seconds)",
    "instructions": "instructions a packet on a stock Debian kernel under QEMU, IPVS beside it (about two minutes)",
    "table": "memory a connection, a full table, expiry, at 1 and 10 million connections (about two minutes)",
    "flood": "what a flood of SYNs costs, and what it does to established packets (a minute)",
    "checks": "2,000 TCP health checks a second: processor time (a quarter of a minute)",
    "commands": "restoring and listing many services; the command's start (half a minute)",
}


def main() -> int:
    """Run one benchmark, or all of them."""
    words = sys.argv[1:]
    if not words or words[0] not in (*NAMES, "all"):
        print("usage: scripts/bench NAME [--help]\n", file=sys.stderr)
        for name, what in {**NAMES, "all": "all of these"}.items():
            print(f"  {name:<14}{what}", file=sys.stderr)
        return 2
    status = 0
    for name in NAMES if words[0] == "all" else [words[0]]:
        start = time.monotonic()
        status = max(status, importlib.import_module(f"bench.{name}").main(words[1:]))
        print(f"bench: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
