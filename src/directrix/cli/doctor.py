"""`directrix doctor`: what is wrong with a cluster, and the command that mends it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from directrix.doctor.case import Case
    from directrix.doctor.examining import Found
    from directrix.doctor.finding import Check, Remedy
    from directrix.lvs import Address

HELP = "find what is wrong with a cluster, and the command that mends it"

HEALTHY, WARNINGS, FAILURES, UNKNOWN = 0, 1, 2, 3
"""Exit statuses, as monitoring systems expect them of a plug-in."""

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
    try:
        if args.from_client:
            return _try_as_client(args)
        return _examine(args)
    except ValueError as error:
        print(f"directrix doctor: {error}", file=sys.stderr)
        return FAILURES
    except CommandFailed as failure:
        print(f"directrix doctor: this host can't be examined: {failure}", file=sys.stderr)
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
    from directrix.doctor.examining import chosen_checks, examine
    from directrix.doctor.mending import mend, safe_remedies

    if os.geteuid() != 0:
        print("directrix doctor: it looks at the wire and at rules; run it as root", file=sys.stderr)
        return UNKNOWN
    case = _case(args)
    try:
        checks = chosen_checks(case, args.only)
        with _Progress() as progress:
            found = examine(case, checks, progress)
    finally:
        case.close()
    mended = []
    if args.fix and (remedies := safe_remedies(found)):
        mended = mend(remedies, _agreed(args.yes))
        for each in mended:
            print(f"{'ran' if not each.trouble else 'FAILED'}: {each.command}", file=sys.stderr)
            if each.trouble:
                print(f"  {each.trouble}", file=sys.stderr)
    if mended:
        case = _case(args)
        try:
            with _Progress() as progress:
                found = examine(case, checks, progress)
        finally:
            case.close()
    return _show(args, case, found, [each.command for each in mended if not each.trouble])


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
        ask=_ask_director,
        killed=left_behind(),
    )
    if args.interface and args.interface not in case.host.links:
        raise ValueError(f"there is no interface {args.interface!r} here (there are: {', '.join(case.host.links)})")
    return case


def _ask_director(path: str) -> Any:
    """What the director of this host gives for a path of its API; None if none runs."""
    from directrix.director.client import NoDirector, ask

    try:
        return ask(path)
    except NoDirector:
        return None


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
    vips = " ".join(map(str, case.vips))
    print(f"examined as a {case.role}" + (f" of {vips}" if vips else ""))
    for each in found:
        if not args.quiet or each.finding.outcome in (Outcome.WARN, Outcome.FAIL):
            print("\n".join(lines.of(each)))
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

    def of(self, found: Found) -> list[str]:
        """The lines of one finding. Why a check matters is told once."""
        finding, check = found.finding, found.check
        word = f"{finding.outcome.upper():<4}"
        if self._colour:
            word = f"\x1b[{_COLOURS[finding.outcome]}m{word}\x1b[0m"
        text = [f"{word}  {check.name:<13} {finding.looked_at}: {finding.said}"]
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

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, check: Check) -> None:
        if check.slow:
            self._say(f"{check.title} …")

    def of_many(self, done: int, all_of_them: int) -> None:
        """Say how many are done."""
        self._say(f"{done} of {all_of_them} …")

    def _say(self, what: str) -> None:
        if self.shown:
            print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
