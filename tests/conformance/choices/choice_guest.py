"""Inside the conformance machine: the scenarios of choices, played against the real IPVS.

Every scenario has a network namespace, and so an IPVS, of its own.
"""

from __future__ import annotations

from pathlib import Path

from choice_steps import perform
from choice_wire import Wire
from command_guest import execute
from guest import isolate, play_each
from scenario import read_scenario, transcript


def play(path: Path) -> str:
    isolate()
    wire = Wire()
    return transcript(read_scenario(path), lambda step: perform(step, execute, wire.choose, wire.introduce))


def main(output: Path) -> None:
    play_each(play, output)
