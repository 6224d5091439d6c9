"""The suites of scenarios, and how each is played: by IPVS in the conformance machine, and by directrix here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path[:0] = [str(HERE / part) for part in ("traffic", "choices", "selftest", "checks")]
sys.path[:0] = [str(TESTS / "table" / "xdp"), str(TESTS.parent / "src")]

import checks_here  # noqa: E402
import checks_scenario  # noqa: E402
import choice_plane  # noqa: E402
import host_half  # noqa: E402
import machine  # noqa: E402
import test_checks_transcripts as checks  # noqa: E402
import test_choices  # noqa: E402
import test_ipvsadm_transcripts as commands  # noqa: E402
import test_selftest as selftest  # noqa: E402
from scenario import read_scenario, transcript  # noqa: E402


@dataclass(frozen=True, slots=True)
class Played:
    """What directrix answered in a scenario; `refused` says why it was not played, if it was not."""

    name: str
    answer: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """Scenarios of one kind.

    Attributes:
        title: what the table calls it.
        directory: where `transcripts` and `scenarios` lie; a scenario may be a program instead.
        guest: what plays them inside the machine.
        play: plays some, given by name, on directrix; in the order in which they are done.
        excused: those in which directrix differs, and why.
    """

    title: str
    directory: Path
    guest: Path
    play: Callable[[list[str]], Iterator[Played]]
    excused: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The names of all its scenarios."""
        scenarios = self.directory / "scenarios"
        files = scenarios.glob("*.txt") if scenarios.exists() else self.directory.glob("*.sh")
        return sorted(path.stem for path in files)

    def recorded(self, name: str) -> str:
        """What IPVS answered when the transcripts were recorded; empty if it was not asked yet."""
        transcript = self.directory / "transcripts" / f"{name}.txt"
        return transcript.read_text() if transcript.exists() else ""

    def record(self, name: str, answer: str) -> None:
        """Keep what IPVS answered."""
        (self.directory / "transcripts" / f"{name}.txt").write_text(answer)

    def ask_ipvs(self, names: list[str], progress: machine.Progress) -> dict[str, str]:
        """Boot the machine and play these against IPVS: name to transcript.

        Raises:
            RuntimeError: it did not boot, or something could not be played; the text says why.
        """
        scenarios = self.directory / "scenarios"
        if not scenarios.exists():
            played = selftest.ask_ipvs()
            return {name: played[name] for name in names}
        written = machine.record(scenarios, self.guest, [f"{name}.txt" for name in names], progress)
        return {name.removesuffix(".txt"): text for name, text in written.items()}


def _play_commands(names: list[str]) -> Iterator[Played]:
    for name in names:
        steps = read_scenario(commands.SCENARIOS / f"{name}.txt")
        yield Played(name, transcript(steps, commands.Director().execute))


def _play_traffic(names: list[str]) -> Iterator[Played]:
    playing = host_half.play_all((f"{name}.txt", host_half.AUTO) for name in names)
    whose = {future: name.removesuffix(".txt") for (name, _), future in playing.items()}
    for future in as_completed(whose):
        yield Played(whose[future], future.result())


def _choose_in_memory(names: list[str]) -> Iterator[Played]:
    for name in names:
        steps = read_scenario(test_choices.SCENARIOS / f"{name}.txt")
        yield Played(name, transcript(steps, test_choices.Director().perform))


def _choose_on_the_data_plane(names: list[str]) -> Iterator[Played]:
    with choice_plane.chooser() as plane:
        for name in names:
            steps = read_scenario(test_choices.SCENARIOS / f"{name}.txt")
            refusal = plane.refusal(steps)
            yield Played(name, refused=refusal) if refusal else Played(name, plane.play(steps))


def _play_selftest(names: list[str]) -> Iterator[Played]:
    for name in names:
        yield Played(name, selftest.ask_directrix(name))


def _play_checks(names: list[str]) -> Iterator[Played]:
    for name in names:
        yield Played(name, checks_here.play(checks_scenario.read(checks_scenario.SCENARIOS / f"{name}.txt")))


def _by_stem(excused: dict[str, str]) -> dict[str, str]:
    return {name.removesuffix(".txt"): reason for name, reason in excused.items()}


CHOICES = HERE / "choices"
SUITES = (
    Suite("commands", HERE, HERE / "command_guest.py", _play_commands, _by_stem(commands.NOT_YET)),
    Suite(
        "traffic",
        HERE / "traffic",
        HERE / "traffic" / "traffic_guest.py",
        _play_traffic,
        _by_stem(host_half.DELIBERATE),
    ),
    Suite("choices, memory", CHOICES, CHOICES / "choice_guest.py", _choose_in_memory, {}),
    Suite(
        "choices, xdp",
        CHOICES,
        CHOICES / "choice_guest.py",
        _choose_on_the_data_plane,
        _by_stem(test_choices.DELIBERATE),
    ),
    Suite("checks", HERE / "checks", HERE / "checks" / "checks_guest.py", _play_checks, _by_stem(checks.DELIBERATE)),
    Suite("selftest", HERE / "selftest", HERE / "selftest" / "selftest_guest.py", _play_selftest, {}),
)
