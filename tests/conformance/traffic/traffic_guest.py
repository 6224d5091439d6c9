"""Inside the conformance machine: the traffic scenarios, played against the real IPVS and ipvsadm.

Several at a time: most of a scenario's life is waiting. Each has a cluster of its own, and with
its director an IPVS of its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from guest import ENVIRONMENT, load, play_each, scenarios
from listings import CONNECTIONS, TITLES, settled
from netfilter import MODULES, Netfilter
from player import Player
from scenario import Answer, read_scenario, transcript
from waiting import longest_first, needs_calm

from directrix.table.ipvs.proc import read_totals

AT_ONCE = int(os.environ.get("CONFORMANCE_AT_ONCE", "8"))
AT_ONCE_IN_CALM = 2


def ipvsadm(words: list[str], stdin: str) -> Answer:
    """The real one.

    IPVS lists connections by walking those of all namespaces, counting; if others come and go
    meanwhile, it shows some twice or not at all. So a list is asked for until it comes twice
    alike, with nothing in it twice.
    """
    done, before = _run(words, stdin), ""
    while done.stdout.startswith(CONNECTIONS) and (settled(done.stdout) != before or _has_repeats(done.stdout)):
        before = settled(done.stdout)
        done = _run(words, stdin)
    return Answer(done.returncode, done.stdout, done.stderr)


def _has_repeats(listing: str) -> bool:
    entries = [(protocol, *ends) for protocol, _, _, *ends in map(str.split, listing.splitlines()[TITLES:])]
    # Templates that became invalid may well be alike.
    valid = [entry for entry in entries if not entry[-1].endswith(":65535")]
    return len(valid) != len(set(valid))


def _run(words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ipvsadm", *words], input=stdin, capture_output=True, text=True, env=ENVIRONMENT)


def sysctl(words: list[str], _: str) -> Answer:
    """The kernel's own, of the namespace this process is in."""
    shown = ""
    for word in words:
        name, equals, value = word.partition("=")
        file = Path("/proc/sys/net/ipv4/vs", name)
        try:
            if equals:
                file.write_text(f"{value}\n")
            else:
                shown += file.read_text()
        except OSError as error:
            return Answer(1, "", f"{error.strerror}\n")
    return Answer(0, shown, "")


def play(path: Path) -> str:
    player = Player(
        lambda: read_totals(Path("/proc/net/ip_vs_stats").read_text()),
        os.environ.get("CONFORMANCE_PYTHON", ""),
        ipvsadm=ipvsadm,
        mark=Netfilter().mark,
        sysctl=sysctl,
    )
    try:
        return transcript(read_scenario(path), player.execute)
    finally:
        player.close()


def at_once(path: Path) -> int:
    """How many scenarios may be playing while this one does."""
    return AT_ONCE_IN_CALM if needs_calm(path) else AT_ONCE


def main(output: Path) -> None:
    load(*MODULES)
    play_each(play, output, order=longest_first(scenarios()), at_once=at_once)
