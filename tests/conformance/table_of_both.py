#!/usr/bin/env python3
"""Play scenarios against IPVS and against directrix, and print one table: scenario, IPVS, directrix, same or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "traffic"), str(HERE.parents[1] / "src")]

import machine  # noqa: E402
import scenario as commands  # noqa: E402
from host_half import AUTO, DELIBERATE, play_all  # noqa: E402
from test_ipvsadm_transcripts import NOT_YET as COMMANDS_NOT_YET  # noqa: E402
from test_ipvsadm_transcripts import Director  # noqa: E402
from test_traffic_transcripts import NOT_YET as TRAFFIC_NOT_YET  # noqa: E402


@dataclass(frozen=True, slots=True)
class Half:
    """One of the two kinds of scenarios."""

    title: str
    directory: Path
    init: Path
    excused: dict[str, str]
    play: Callable[[list[str]], dict[str, Callable[[], str]]]

    @property
    def scenarios(self) -> Path:
        return self.directory / "scenarios"

    @property
    def transcripts(self) -> Path:
        return self.directory / "transcripts"

    def names(self, wanted: list[str]) -> list[str]:
        return sorted(path.name for path in self.scenarios.glob("*.txt") if not wanted or path.name in wanted)


def play_commands(names: list[str]) -> dict[str, Callable[[], str]]:
    def one(name: str) -> Callable[[], str]:
        return lambda: commands.transcript(commands.read_scenario(commands.SCENARIOS / name), Director().execute)

    return {name: one(name) for name in names}


def play_traffic(names: list[str]) -> dict[str, Callable[[], str]]:
    def one(playing: Future[str]) -> Callable[[], str]:
        return lambda: playing.result()

    return {name: one(playing) for (name, _), playing in play_all((name, AUTO) for name in names).items()}


HALVES = (
    Half("commands", HERE, HERE / "guest.py", COMMANDS_NOT_YET, play_commands),
    Half(
        "traffic", HERE / "traffic", HERE / "traffic" / "traffic_guest.py", DELIBERATE | TRAFFIC_NOT_YET, play_traffic
    ),
)


def lines_of(text: str) -> str:
    return f"{text.count(chr(10)):>4} lines"


def compare(half: Half, wanted: list[str], boot: bool, record: bool) -> Iterator[bool]:
    """Print the rows of one kind of scenarios; gives for each whether it is as it should be."""
    names = half.names(wanted)
    if not names:
        return
    ours = half.play(names)
    fresh = machine.record(half.scenarios, half.init) if boot else {}
    if record:
        for name, text in fresh.items():
            (half.transcripts / name).write_text(text)
    for name in names:
        theirs, recorded = fresh.get(name, ""), (half.transcripts / name).read_text()
        answer = ours[name]()
        verdict = "same" if answer == recorded else "differs"
        if answer != recorded and name in half.excused:
            verdict = f"differs: {half.excused[name]}"
        elif answer == recorded and name in half.excused:
            verdict = "same, though it is said to differ"
        if boot and theirs != recorded:
            verdict += "; IPVS answers otherwise than recorded"
        title = f"{half.title:<9} {name.removesuffix('.txt'):<24}"
        print(title, lines_of(theirs or recorded), "", lines_of(answer), "", verdict, flush=True)
        if wanted:
            print("\n".join(unified_diff(recorded.split("\n"), answer.split("\n"), "IPVS", "directrix", lineterm="")))
        yield verdict == "same" or verdict.startswith("differs:")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="file names; all if none is given")
    parser.add_argument("--boot", action="store_true", help="play IPVS anew in User Mode Linux, too")
    parser.add_argument("--record", action="store_true", help="keep what it answered")
    given = parser.parse_args()
    print(f"{'':<9} {'scenario':<24} {'IPVS':>10}  {'directrix':>10}")
    right = [
        is_right
        for half in HALVES
        for is_right in compare(half, given.scenario, given.boot or given.record, given.record)
    ]
    print(f"{sum(right)} of {len(right)} scenarios are as they should be")
    return 0 if right and all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
