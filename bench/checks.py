"""What health checks cost: 2,000 TCP checks a second, made by one engine, of servers on the loopback interface."""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address

from bench.report import Figure, publish
from directrix.checks.engine import Engine, Report
from directrix.checks.settings import Target, Timing
from directrix.checks.tcp_check import TcpCheck, TcpChecker

CHECKERS = 2000
SECONDS = 10.0
SHARE_GOAL = 0.5
HANGING = 200
"""So many more checkers have servers that take a connection of theirs never."""

SERVER = """
import socket, sys
listening = socket.socket()
listening.bind(("0.0.0.0", 0))
listening.listen(4096)
full = socket.socket()
full.bind(("127.0.0.1", 0))
full.listen(0)
held = [socket.socket() for _ in range(8)]
for one in held:
    one.setblocking(False)
    one.connect_ex(full.getsockname())
print(listening.getsockname()[1], full.getsockname()[1], flush=True)
while True:
    listening.accept()[0].close()
"""


async def measure(port: int, full: int) -> list[Figure]:
    """Let all of them check for a while."""
    seen = {"good": 0, "bad": 0}

    def report(told: Report) -> None:
        seen["good" if told.result.outcome.ok else "bad"] += isinstance(told.name, int)

    engine = Engine(report)
    for number in range(CHECKERS):
        target = Target(IPv4Address(f"127.1.{number // 200}.{1 + number % 200}"), port)
        engine.add(number, TcpChecker(TcpCheck(target)), Timing(delay_loop=1.0))
    for number in range(HANGING):
        hanging = TcpChecker(TcpCheck(Target(IPv4Address("127.0.0.1"), full)))
        engine.add(("hanging", number), hanging, Timing(delay_loop=1.0))
    await asyncio.sleep(2.0)
    loop = asyncio.get_running_loop()
    before, start = resource.getrusage(resource.RUSAGE_SELF), loop.time()
    seen.update(good=0, bad=0)
    late = 0.0
    while (now := loop.time()) < start + SECONDS:
        await asyncio.sleep(0.01)
        late = max(late, loop.time() - now - 0.01)
    after, took = resource.getrusage(resource.RUSAGE_SELF), loop.time() - start
    used = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / took
    await engine.close()
    return [
        Figure("checks a second", (seen["good"] + seen["bad"]) / took, "", note=f"{seen['bad']} failed"),
        Figure("share of a core, per 2,000 checks a second", used * 2000 * took / sum(seen.values()), "", SHARE_GOAL),
        Figure("the latest that anything in the loop came", late, "s"),
    ]


def main(words: Sequence[str]) -> int:
    """Run; 0 if every goal is met."""
    parser = argparse.ArgumentParser(prog="scripts/bench checks", description=(__doc__ or "").split("\n\n")[0])
    parser.parse_args(words)
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port, full = map(int, server.stdout.readline().split())
        figures = asyncio.run(measure(port, full))
    finally:
        server.kill()
        server.communicate()
    heading = f"Health checks: {CHECKERS:,} TCP_CHECKs, and {HANGING} that hang, for {SECONDS:g} s"
    return 0 if publish("checks", heading, figures) else 1
