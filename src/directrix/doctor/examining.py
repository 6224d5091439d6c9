"""Doing checks, and summing up what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from directrix.doctor.case import CannotLook, Case
from directrix.doctor.finding import Check, Finding, Outcome, skip
from directrix.doctor.registry import CHECKS
from directrix.system.commands import CommandFailed

Progress = Callable[[Check], None]
"""Told of each check before it is done."""


@dataclass(frozen=True, slots=True)
class Found:
    """A check and one thing it found."""

    check: Check
    finding: Finding


def chosen_checks(case: Case, only: Iterable[str] = ()) -> list[Check]:
    """The checks that make sense on this host, in their order; of these the ones named, if any are.

    Raises:
        KeyError: there is no check of a name.
    """
    wanted = [CHECKS[name].name for name in only]
    return [check for check in CHECKS.values() if case.role in check.roles and (not wanted or check.name in wanted)]


def examine(case: Case, checks: Iterable[Check], progress: Progress = lambda _: None) -> list[Found]:
    """Do checks one after the other. One that can't be done says so and holds up no other."""
    found = []
    for check in checks:
        progress(check)
        case.pace.start()
        try:
            findings = list(check.look(case))
        except (CannotLook, CommandFailed) as reason:
            findings = [skip(check.title, str(reason))]
        except OSError as error:
            findings = [skip(check.title, error.strerror or str(error))]
        findings += [skip(left, f"no time was left for them{_longer(case, check)}") for left in case.pace.left_out]
        found += [Found(check, finding) for finding in findings]
    return found


def _longer(case: Case, check: Check) -> str:
    return f" ({case.pace.seconds:g} s); `directrix doctor --only {check.name} --time 0` takes as long as it needs"


def outcome(case: Case, found: Iterable[Found]) -> Outcome:
    """The worst that was found; what could not be looked at makes nothing worse.

    SKIP if nothing could be, or all is well with a host of which no VIP is known.
    """
    outcomes = {each.finding.outcome for each in found}
    known = (Outcome.FAIL, Outcome.WARN, Outcome.OK) if case.vips else (Outcome.FAIL, Outcome.WARN)
    return next((each for each in known if each in outcomes), Outcome.SKIP)
