"""Inside the conformance machine: the scenarios of commands, carried out by the real ipvsadm on the real IPVS."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guest import ENVIRONMENT, isolate, mount, play_each
from scenario import Answer, Step, read_scenario, transcript


def show_connections(text: str) -> None:
    """Give ipvsadm this connection list: it reads the file and does not ask how it came there."""
    mount("tmpfs", "/proc", "tmpfs")
    Path("/proc/net").mkdir()
    Path("/proc/net/ip_vs_conn").write_text(
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n" + text
    )


def execute(step: Step) -> Answer:
    """Run one command."""
    if step.words[0] == "connections":
        show_connections(step.stdin)
        return Answer(0, "", "")
    done = subprocess.run(step.words, input=step.stdin.encode(), capture_output=True, env=ENVIRONMENT)
    # As a shell shows it: -1 is 255.
    return Answer(done.returncode & 255, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def play(path: Path) -> str:
    isolate()
    return transcript(read_scenario(path), execute)


def main(output: Path) -> None:
    play_each(play, output)
