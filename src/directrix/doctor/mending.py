"""Running the commands that are safe to run, on this host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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

    A finding whose remedy is partly not safe is left to people as a whole.
    """
    chosen: dict[str, Remedy] = {}
    for each in found:
        remedies = each.finding.remedies
        wrong = each.finding.outcome in (Outcome.WARN, Outcome.FAIL)
        if wrong and all(remedy.safe and not remedy.on for remedy in remedies):
            chosen |= {remedy.command: remedy for remedy in remedies}
    return list(chosen.values())


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
