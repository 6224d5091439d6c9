"""Plays scenarios against directrix on this host, several at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from waiting import needs_calm, waits

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
TRANSCRIPTS = HERE / "transcripts"
AT_ONCE = 8
AT_ONCE_IN_CALM = 2
TIME_LIMIT = 180.0

DELIBERATE = {
    "nat_icmp_replies_ipv6.txt": "of a masqueraded real server's ICMPv6 errors IPVS drops those whose checksum no "
    "network card has found right: it reckons it without the addresses; directrix tells the client all of them",
    "refusal_counted.txt": "IPVS counts its own port unreachable as a packet of the real server's if the connection it "
    "is about is over and not yet gone; directrix counts nothing out",
    "reused_port_of_removed.txt": "IPVS drops the SYNs of a client that uses the port of a connection whose real "
    "server was removed, until that connection has timed out; directrix schedules the first of them: the client that "
    "sends it has given the old connection up",
}
"""Scenarios in which directrix differs from IPVS on purpose, and why."""


AUTO = ""
"""No hook asked for: directrix chooses, and on the cluster's veth it takes tc."""


def play(name: str, hook: str = AUTO) -> str:
    """The transcript of a scenario against directrix at this hook.

    Raises:
        RuntimeError: it could not be played; the text says why.
    """
    done = subprocess.run(
        [sys.executable, str(HERE / "perform.py"), str(SCENARIOS / name), *([hook] if hook else [])],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    return done.stdout


def play_all(chosen: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Future[str]]:
    """Begin to play scenarios, given with their hooks, those that wait longest first."""
    pool, calm = ThreadPoolExecutor(AT_ONCE), ThreadPoolExecutor(AT_ONCE_IN_CALM)
    ordered = sorted(chosen, key=lambda one: -waits(SCENARIOS / one[0]))
    playing = {one: pool.submit(play, *one) for one in ordered if not needs_calm(SCENARIOS / one[0])}

    def play_after(others: list[Future[str]], name: str, hook: str) -> str:
        wait(others)
        return play(name, hook)

    others = list(playing.values())
    playing |= {one: calm.submit(play_after, others, *one) for one in ordered if one not in playing}
    pool.shutdown(wait=False)
    calm.shutdown(wait=False)
    return playing
