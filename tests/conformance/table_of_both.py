#!/usr/bin/env python3
"""Play scenarios against IPVS and against directrix, and print one table: scenario, IPVS, directrix, same or not.

Exit status: 0 if every scenario is as it should be, 1 if one is not, 2 for words that are wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from difflib import unified_diff
from fnmatch import fnmatch

import kernel_table
import machine
from suites import SUITES, Played, Suite

KERNEL_TABLE = "kernel's table"
SAME, DIFFERS, NOT_PLAYED = "same", "differs", "not played"


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: what each answered, in short, and whether that is as it should be.

    `reason` says why they differ, or why it was not played; `difference` is between the transcripts.
    """

    suite: str
    scenario: str
    ipvs: str
    directrix: str
    verdict: str
    reason: str
    as_it_should_be: bool
    difference: str = ""

    def __str__(self) -> str:
        verdict = f"{self.verdict}: {self.reason}" if self.reason else self.verdict
        return f"{self.suite:<16} {self.scenario:<26} {self.ipvs:>10}  {self.directrix:>10}  {verdict}"


class Progress:
    """Says on standard error how far a long work is: on a terminal always anew, elsewhere once."""

    def __init__(self, what: str, of: int) -> None:
        self._what, self._of = what, of
        self._start = time.monotonic()
        self._terminal = sys.stderr.isatty()
        if not self._terminal:
            print(f"conformance: {what}", file=sys.stderr, flush=True)

    def __call__(self, done: int) -> None:
        if self._terminal:
            seconds = time.monotonic() - self._start
            print(f"\r{self._what}: {done} of {self._of}, {seconds:.0f} s ", end="", file=sys.stderr, flush=True)

    def over(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def wanted(words: list[str], suite: str, names: list[str]) -> list[str]:
    """Those that the words choose: NAME, SUITE/NAME, or a pattern of either; all if there are no words."""
    if not words:
        return names
    patterns = [word.removesuffix(".txt") for word in words]
    return [name for name in names if any(fnmatch(name, one) or fnmatch(f"{suite}/{name}", one) for one in patterns)]


def rows(words: list[str], boot: bool, record: bool) -> Iterator[Row]:
    """Play what the words choose; a row for each scenario as soon as it is known, suite by suite."""
    fresh: dict[object, dict[str, str]] = {}
    for suite in SUITES:
        names = wanted(words, suite.title, suite.names)
        if not names:
            continue
        if boot and suite.directory not in fresh:
            ipvs = Progress(f"{suite.title}: IPVS in User Mode Linux", len(names))
            fresh[suite.directory] = suite.ask_ipvs(names, ipvs)
            ipvs.over()
            if record:
                for name, text in fresh[suite.directory].items():
                    suite.record(name, text)
        yield from _played(suite, names, fresh.get(suite.directory, {}))
    if boot and (chosen := wanted(words, KERNEL_TABLE, kernel_table.PARTS)):
        yield from _over_the_kernels_table(chosen)


def _played(suite: Suite, names: list[str], fresh: dict[str, str]) -> Iterator[Row]:
    ours = Progress(f"{suite.title}: directrix", len(names))
    done: dict[str, Row] = {}
    for number, played in enumerate(suite.play(names), start=1):
        ours(number)
        done[played.name] = _row(suite, played, fresh.get(played.name))
    ours.over()
    yield from (done[name] for name in names)


def _row(suite: Suite, played: Played, fresh: str | None) -> Row:
    recorded = suite.recorded(played.name)
    ipvs = _lines(recorded if fresh is None else fresh)
    if played.refused:
        return Row(suite.title, played.name, ipvs, "-", NOT_PLAYED, played.refused, True)
    same = played.answer == recorded
    reason = suite.excused.get(played.name, "")
    right = same != bool(reason)
    verdict = SAME if same else DIFFERS
    if same and reason:
        reason = "though it is said to differ"
    if fresh is not None and fresh != recorded:
        right, reason = False, "IPVS answers otherwise than recorded"
    difference = "\n".join(
        unified_diff(recorded.split("\n"), played.answer.split("\n"), "IPVS", "directrix", lineterm="")
    )
    return Row(suite.title, played.name, ipvs, _lines(played.answer), verdict, reason, right, difference)


def _over_the_kernels_table(chosen: list[str]) -> Iterator[Row]:
    """The kernel's IPVS is on both sides there: what is held against each other are the commands over it."""
    inside = Progress(f"{KERNEL_TABLE}: directrix over IPVS in User Mode Linux", 1)
    parts = kernel_table.run()
    inside.over()
    for part in parts:
        if part.name in chosen:
            fine = f"{part.tests - len(part.wrong)} fine"
            right = bool(part.tests) and not part.wrong
            difference = "\n".join(part.wrong)
            yield Row(
                KERNEL_TABLE, part.name, f"{part.tests} tests", fine, SAME if right else DIFFERS, "", right, difference
            )


def _lines(text: str) -> str:
    return f"{text.count(chr(10))} lines"


def _printed(found: Iterator[Row], differences: bool) -> list[Row]:
    print(f"{'suite':<16} {'scenario':<26} {'IPVS':>10}  {'directrix':>10}")
    kept = []
    for row in found:
        print(row, flush=True)
        if row.difference and (differences or not row.as_it_should_be):
            print(row.difference)
        kept.append(row)
    right = sum(row.as_it_should_be for row in kept)
    not_played = sum(row.verdict == NOT_PLAYED for row in kept)
    print(
        f"{right} of {len(kept)} scenarios are as they should be"
        + f", {not_played} of them not played" * bool(not_played)
    )
    return kept


def _as_json(found: Iterator[Row]) -> list[Row]:
    kept = list(found)
    print(json.dumps([asdict(row) for row in kept], indent=2))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument(
        "scenario", nargs="*", help="names, or patterns like 'wrr*' and 'traffic/*'; all if none is given"
    )
    parser.add_argument("--boot", action="store_true", help="play IPVS anew in User Mode Linux, too")
    parser.add_argument("--record", action="store_true", help="keep what it answered")
    parser.add_argument("--json", action="store_true", help="print the table as JSON, differences included")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios, and play none")
    given = parser.parse_args()
    titles = {suite.title: wanted(given.scenario, suite.title, suite.names) for suite in SUITES}
    if given.list:
        print("\n".join(f"{title}/{name}" for title, names in titles.items() for name in names))
        return 0
    boot = given.boot or given.record
    kernel = wanted(given.scenario, KERNEL_TABLE, kernel_table.PARTS)
    if not any(titles.values()) and not (boot and kernel):
        parser.error(f"no scenario is called {' or '.join(given.scenario)}; --list names them")
    if boot and not machine.available():
        parser.error("--boot and --record need user-mode-linux, kmod, iproute2 and ipvsadm")
    show: Callable[[Iterator[Row]], list[Row]] = (
        _as_json if given.json else lambda found: _printed(found, bool(given.scenario))
    )
    kept = show(rows(given.scenario, boot, given.record))
    return 0 if all(row.as_it_should_be for row in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
