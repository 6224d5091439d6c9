"""`directrix doctor`: what is wrong with a cluster, and the command that mends it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from directrix.doctor.case import Case
    from directrix.doctor.examining import Found
    from directrix.doctor.finding import Check, Remedy
    from directrix.lvs import Address

HELP = "find what is wrong with a cluster, and the command that mends it"

HEALTHY, WARNINGS, FAILURES, UNKNOWN = 0, 1, 2, 3
"""Exit statuses, as monitoring systems expect them of a plug-in."""

_MOST_GOOD, _MOST_WRONG = 24, 48
"""So many findings in a row that are alike are shown; of more, how many there are."""

_MOST_NAMED = 8
"""So many VIPs are named above the findings."""

_COLOURS = {"ok": "32", "warn": "33", "fail": "1;31", "skip": "2"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix doctor`."""
    parser.description = (
        "Examine this host: as the director if its table has services, as a real server if it carries a VIP on lo, "
        "else as any host of the segment. Each check says what it looked at, what is wrong and why it matters, and "
        "prints the commands that mend it. With --from-client, try a service as its clients do."
    )
    parser.epilog = "Exit status: 0 healthy, 1 warnings, 2 failures (or wrong use), 3 nothing could be examined."
    parser.add_argument("--role", choices=("director", "realserver", "bystander"), help="what this host is")
    parser.add_argument("-v", "--vip", action="append", default=[], metavar="VIP", help="a VIP to look at")
    parser.add_argument(
        "-s",
        "--service",
        action="append",
        default=[],
        metavar="VIP:PORT",
        help="a service to look at; udp:VIP:PORT for UDP, IPv6 in brackets",
    )
    parser.add_argument("-i", "--interface", default="", metavar="IF", help="the interface at which to ask on the wire")
    parser.add_argument("-c", "--client", default="", metavar="ADDRESS", help="a client that has troubles")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="do this check and no other")
    parser.add_argument("-l", "--list", action="store_true", help="list the checks there are")
    parser.add_argument("--fix", action="store_true", help="run the commands that are safe, each after asking")
    parser.add_argument("-y", "--yes", action="store_true", help="with --fix, run them without asking")
    parser.add_argument(
        "-t",
        "--time",
        type=float,
        default=None,
        metavar="SECONDS",
        help="that each check may take, 0 for as long as it needs (default 30)",
    )
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="show only what is wrong")
    group = parser.add_argument_group("as a client")
    group.add_argument("--from-client", default="", metavar="VIP:PORT", help="try this service from here, many times")
    group.add_argument("-n", "--count", type=int, default=20, metavar="N", help="how many times (default 20)")
    group.add_argument(
        "--identify",
        default="mac",
        metavar="HOW",
        help="what tells servers apart: mac (default), body, or header:NAME of what HTTP answers",
    )
    group.add_argument(
        "--path", default="/", metavar="PATH", help="what to ask for over HTTP, with body and header (default /)"
    )
    group.add_argument(
        "--weights",
        default="",
        metavar="SERVER=WEIGHT,…",
        help="the shares to expect, by what tells servers apart or by their addresses",
    )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 healthy, 1 warnings, 2 failures or wrong use, 3 nothing could be examined."""
    from directrix.system.commands import CommandFailed

    if args.list:
        return _list(args.json)
    if args.time is not None and not 0 <= args.time < 86400:
        print(f"directrix doctor: --time is 0 or more seconds, not {args.time:g}", file=sys.stderr)
        return FAILURES
    try:
        if args.from_client:
            return _try_as_client(args)
        return _examine(args)
    except ValueError as error:
        print(f"directrix doctor: {error}", file=sys.stderr)
        return FAILURES
    except CommandFailed as failure:
        from directrix.cli.host_commands import package_advised

        print(f"directrix doctor: this host can't be examined: {failure}{package_advised(failure)}", file=sys.stderr)
        return UNKNOWN


def _list(as_json: bool) -> int:
    from directrix.doctor.registry import CHECKS

    if as_json:
        import json

        listed = [
            {"name": check.name, "title": check.title, "why": check.why, "roles": sorted(check.roles)}
            for check in CHECKS.values()
        ]
        print(json.dumps(listed, indent=2))
        return HEALTHY
    width = max(map(len, CHECKS)) + 2
    for check in CHECKS.values():
        print(f"{check.name:<{width}}{check.title} ({', '.join(sorted(check.roles))})")
    return HEALTHY


def _examine(args: argparse.Namespace) -> int:
    from directrix.doctor.examining import chosen_checks
    from directrix.doctor.mending import left_elsewhere, mend, safe_remedies

    if os.geteuid() != 0:
        print("directrix doctor: it looks at the wire and at rules; run it as root", file=sys.stderr)
        return UNKNOWN
    case = _case(args)
    try:
        checks = chosen_checks(case, args.only)
        found = _looked(case, checks, args.time)
    finally:
        case.close()
    mended = []
    if args.fix and (remedies := safe_remedies(found)):
        mended = mend(remedies, _agreed(args.yes))
        for each in mended:
            print(f"{'ran' if not each.trouble else 'FAILED'}: {each.command}", file=sys.stderr)
            if each.trouble:
                print(f"  {each.trouble}", file=sys.stderr)
        for remedy in left_elsewhere(found) if mended else ():
            print(f"left to do on {remedy.on}: {remedy.command}", file=sys.stderr)
    if mended:
        case = _case(args)
        try:
            found = _looked(case, checks, args.time)
        finally:
            case.close()
    return _show(args, case, found, [each.command for each in mended if not each.trouble])


def _looked(case: Case, checks: list[Check], seconds: float | None) -> list[Found]:
    """Do the checks, and show meanwhile how far they are."""
    from directrix.doctor.examining import examine
    from directrix.doctor.pace import ENOUGH, Pace

    with _Progress() as progress:
        case.pace = Pace(ENOUGH if seconds is None else seconds, progress.within)
        return examine(case, checks, progress)


def _case(args: argparse.Namespace) -> Case:
    from directrix.director.places import left_behind
    from directrix.doctor.case import make_case
    from directrix.doctor.finding import Role
    from directrix.doctor.registry import CHECKS
    from directrix.doctor.served import parse_service

    unknown = [name for name in args.only if name not in CHECKS]
    if unknown:
        raise ValueError(f"there is no check {unknown[0]!r}; `directrix doctor --list` lists them")
    case = make_case(
        role=Role(args.role) if args.role else None,
        vips=[_address(text) for text in args.vip],
        services=[parse_service(text) for text in args.service],
        interface=args.interface,
        client=_address(args.client) if args.client else None,
        ask=_asking_director(),
        killed=left_behind(),
    )
    if args.interface and args.interface not in case.host.links:
        raise ValueError(f"there is no interface {args.interface!r} here (there are: {', '.join(case.host.links)})")
    return case


def _asking_director() -> Callable[[str], Any]:
    """What asks the director of this host; one that does not answer is not asked again."""
    from directrix.director.client import NoDirector, NotRunning, Refused, ask
    from directrix.doctor.case import Unanswered

    troubles: list[str] = []

    def asked(path: str) -> Any:
        if not troubles:
            try:
                return ask(path)
            except NotRunning:
                return None
            except (NoDirector, Refused) as error:
                troubles.append(str(error))
        raise Unanswered(troubles[0])

    return asked


def _address(text: str) -> Address:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address; write, say, 10.0.0.100 or fd00::100") from None


def _agreed(without_asking: bool) -> Callable[[Remedy], bool]:
    def ask(remedy: Remedy) -> bool:
        if without_asking:
            return True
        print(f"run `{remedy.command}`? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask


def _show(args: argparse.Namespace, case: Case, found: list[Found], mended: list[str]) -> int:
    from directrix.doctor.examining import outcome
    from directrix.doctor.finding import Outcome

    result = outcome(case, found)
    status = {Outcome.OK: HEALTHY, Outcome.WARN: WARNINGS, Outcome.FAIL: FAILURES, Outcome.SKIP: UNKNOWN}[result]
    if args.json:
        import json

        print(json.dumps(as_json(case, found, result, mended), indent=2))
        return status
    lines = Lines(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    vips = " ".join(map(str, case.vips[:_MOST_NAMED]))
    if len(case.vips) > _MOST_NAMED:
        vips += f" and {len(case.vips) - _MOST_NAMED:,} more"
    print(f"examined as a {case.role}" + (f" of {vips}" if vips else ""))
    shown = [each for each in found if not args.quiet or each.finding.outcome in (Outcome.WARN, Outcome.FAIL)]
    print("".join(f"{line}\n" for line in lines.of_all(shown)), end="")
    counts = {kind: sum(each.finding.outcome is kind for each in found) for kind in Outcome}
    print(", ".join(f"{count} {kind.upper()}" for kind, count in counts.items() if count) or "nothing was looked at")
    return status


def as_json(case: Case, found: list[Found], result: str, mended: list[str]) -> dict[str, object]:
    """All that was found, as plain data."""
    return {
        "role": str(case.role),
        "vips": [str(vip) for vip in case.vips],
        "services": [str(service) for service in case.services],
        "outcome": str(result),
        "mended": mended,
        "findings": [
            {
                "check": each.check.name,
                "outcome": str(each.finding.outcome),
                "looked_at": each.finding.looked_at,
                "said": each.finding.said,
                "why": each.check.why,
                "remedies": [
                    {"on": remedy.on, "command": remedy.command, "safe": remedy.safe}
                    for remedy in each.finding.remedies
                ],
            }
            for each in found
        ],
    }


class Lines:
    """Findings for people: one line each, and for what is wrong why it matters and what to type."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._explained: set[str] = set()

    def of_all(self, found: Iterable[Found]) -> Iterator[str]:
        """The lines of all findings; of many alike the first ones, and how many more there are."""
        for (check, outcome), alike in groupby(found, lambda each: (each.check, each.finding.outcome)):
            those = list(alike)
            most = _MOST_GOOD if outcome in ("ok", "skip") else _MOST_WRONG
            for each in those[:most]:
                yield from self.of(each)
            if len(those) > most:
                yield f"{self._word(outcome)}  {check.name:<13} {len(those) - most:,} more; --json tells them all"

    def _word(self, outcome: str) -> str:
        word = f"{outcome.upper():<4}"
        return f"\x1b[{_COLOURS[outcome]}m{word}\x1b[0m" if self._colour else word

    def of(self, found: Found) -> list[str]:
        """The lines of one finding. Why a check matters is told once."""
        finding, check = found.finding, found.check
        text = [f"{self._word(finding.outcome)}  {check.name:<13} {finding.looked_at}: {finding.said}"]
        if finding.outcome in ("warn", "fail"):
            if check.name not in self._explained:
                self._explained.add(check.name)
                text.append(f"      why: {check.why}")
            where: str | None = None
            for remedy in finding.remedies:
                if remedy.on != where:
                    where = remedy.on
                    text.append(f"      mend it on {where}:" if where else "      mend it here:")
                text.append(f"        {remedy.command}")
        return text


def _try_as_client(args: argparse.Namespace) -> int:
    from directrix.doctor.served import parse_service
    from directrix.doctor.trying import Identify, parse_weights, try_service

    service = parse_service(args.from_client)
    if args.count < 1:
        raise ValueError(f"--count is at least 1, not {args.count}")
    identify = Identify.parse(args.identify)
    weights = parse_weights(args.weights)
    with _Progress() as progress:
        trial = try_service(service, args.count, identify, weights, args.path, progress.of_many)
    if args.json:
        import json

        print(json.dumps(trial.as_json(), indent=2))
    else:
        print("\n".join(trial.lines()))
    return {"ok": HEALTHY, "warn": WARNINGS, "fail": FAILURES}[trial.outcome]


class _Progress:
    """One line on the terminal that says what is being done, gone when all is done."""

    _SELDOM = 0.1

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self._title = ""
        self._said = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, check: Check) -> None:
        self._title = check.title
        if check.slow:
            self._say(f"{check.title} …")

    def within(self, done: int, all_of_them: int) -> None:
        """Say how far a check is that looks at many things."""
        if done:
            self._say(f"{self._title}, {done:,} of {all_of_them:,} …", seldom=True)

    def of_many(self, done: int, all_of_them: int) -> None:
        """Say how many are done."""
        self._say(f"{done} of {all_of_them} …")

    def _say(self, what: str, *, seldom: bool = False) -> None:
        if not self.shown or (seldom and time.monotonic() - self._said < self._SELDOM):
            return
        self._said = time.monotonic()
        width = shutil.get_terminal_size((80, 24)).columns
        print(f"\r\x1b[K{what[: width - 1]}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
