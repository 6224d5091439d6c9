"""Running the commands that are safe to run, on this host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from directrix.doctor.examining import Found
from directrix.doctor.finding import Outcome, Remedy
from directrix.lab.inside import in_shell
from directrix.system.commands import CommandFailed, run


@dataclass(frozen=True, slots=True)
class Mended:
    """A command that was run; `trouble` is what was wrong with it, empty if nothing."""

    command: str
    trouble: str = ""


def safe_remedies(found: Iterable[Found]) -> list[Remedy]:
    """The commands for this host that take nothing away from anybody, each once.

    A finding whose remedy is partly not safe, or begins on another host, is left to people as a whole.
    """
    chosen: dict[str, Remedy] = {}
    for remedy in _of_what_can_be_mended(found):
        if not remedy.on:
            chosen[remedy.command] = remedy
    return list(chosen.values())


def left_elsewhere(found: Iterable[Found]) -> list[Remedy]:
    """What is to be done on other hosts once `safe_remedies` has been done here."""
    return [*dict.fromkeys(remedy for remedy in _of_what_can_be_mended(found) if remedy.on)]


def _of_what_can_be_mended(found: Iterable[Found]) -> Iterator[Remedy]:
    for each in found:
        remedies = each.finding.remedies
        wrong = each.finding.outcome in (Outcome.WARN, Outcome.FAIL)
        if wrong and remedies and not remedies[0].on and all(remedy.safe for remedy in remedies):
            yield from remedies


def mend(remedies: Iterable[Remedy], agreed: Callable[[Remedy], bool]) -> list[Mended]:
    """Run those commands that are agreed to; one that fails holds up no other."""
    done = []
    for remedy in remedies:
        if not agreed(remedy):
            continue
        try:
            run(["sh", "-c", in_shell(remedy.command)])
            done.append(Mended(remedy.command))
        except CommandFailed as failure:
            done.append(Mended(remedy.command, failure.output or f"it ended with status {failure.status}"))
    return done
