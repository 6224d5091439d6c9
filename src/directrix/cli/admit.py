"""`directrix admit`: takes a real server into service, at once or with a weight that grows."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from directrix.cli.server_words import describe_server, duration

if TYPE_CHECKING:
    from directrix.director.remote import Remote
    from directrix.lvs import Address, ServiceKey

HELP = "take a real server into service, with a weight that grows over a time"

REFUSED = 1
MISUSE = 2

_LOOK_SECONDS = 0.2
"""From one question to the director how far it is to the next."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix admit`."""
    parser.description = (
        "Give a real server its weight: what it had before `directrix drain`, or another; with --over little by "
        "little, so that its share of new connections grows with it. Where a director runs (`directrix run`) that "
        "looks after the server, it does it, and without --weight the weight is what configuration and checks say."
    )
    describe_server(parser)
    parser.add_argument("--over", type=duration, default=0.0, metavar="TIME", help="grow over this time: 30s, 5m")
    parser.add_argument("-w", "--weight", type=int, metavar="WEIGHT", help="the weight it shall have in the end")
    parser.add_argument("-j", "--json", action="store_true", help="each step as a line of JSON")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 for a refusal, 2 for misuse."""
    from directrix.cli.server_words import BadServer, read_server

    try:
        key, address, port = read_server(args)
    except BadServer as bad:
        return _misuse(str(bad))
    if args.weight is not None and not 1 <= args.weight <= 0x7FFFFFFF:
        return _misuse(f"--weight {args.weight}: a weight to grow to is 1 to 2147483647")
    from directrix.director.client import NoDirector, Refused
    from directrix.director.remote import find
    from directrix.table.opening import make_in_force

    make = make_in_force()
    try:
        remote = find(key, address, port, make)
        if remote is not None:
            return _by_director(remote, args)
    except (NoDirector, Refused) as error:
        print(f"directrix admit: {error}", file=sys.stderr)
        return REFUSED
    return _by_table(key, address, port, make, args)


def _by_director(remote: Remote, args: argparse.Namespace) -> int:
    """The director that looks after the server does it, so that its checks don't set another weight."""
    from directrix.system.signals import Terminated, ending_in_order

    if args.weight is None and not args.over:
        remote.enable()
    else:
        remote.admit(args.over, args.weight)
    telling, began = _Telling(args.json), time.monotonic()
    found = remote.look()
    try:
        with ending_in_order():
            while growing := _growing(found):
                if telling.told != found["weight"]:
                    telling.tell(found["weight"], growing["target"], growing["elapsed"])
                time.sleep(_LOOK_SECONDS)
                found = remote.look()
    except Terminated as terminated:
        print(f"\n{remote} goes on growing: the director sees to it", file=sys.stderr)
        return terminated.status
    if not found:
        print(f"directrix admit: {remote} is not configured any more", file=sys.stderr)
        return REFUSED
    if found["order"] is not None and found["order"]["kind"] == "drain":
        print(f"directrix admit: somebody drains {remote} meanwhile", file=sys.stderr)
        return REFUSED
    if telling.told != found["weight"]:
        telling.tell(found["weight"], found["weight"], time.monotonic() - began)
    telling.end(str(remote), found["weight"])
    return 0


def _growing(found: dict[str, Any]) -> dict[str, Any] | None:
    """How far a weight has grown, by the operator's order or by the configuration's `slow_start`; None: it doesn't."""
    if not found:
        return None
    order: dict[str, Any] | None = found["order"]
    # a director of an earlier version knows no slow_start
    return order if order and order["kind"] == "admit" else found.get("growing")


def _by_table(key: ServiceKey, address: Address, port: int, make: str, args: argparse.Namespace) -> int:
    from contextlib import closing

    from directrix.cli.server_words import server_in_words
    from directrix.draining.remembering import weights_here
    from directrix.draining.returning import admit, target_weight
    from directrix.lvs.addresses import endpoint
    from directrix.lvs.slow_start import LEVELLERS
    from directrix.system.signals import Terminated, ending_in_order
    from directrix.table.opening import open_table

    weights, name = weights_here(make), f"{key} -> {endpoint(address, port)}"
    with closing(open_table(create=False)) as table:
        target = args.weight or target_weight(table, weights, key, address, port)
        scheduler = table.service(key).service.scheduler
        if args.over and scheduler in LEVELLERS:
            print(f"directrix admit: to the scheduler {scheduler} all weights above 0 are alike", file=sys.stderr)
        telling = _Telling(args.json)
        try:
            with ending_in_order():
                admit(
                    table,
                    weights,
                    key,
                    address,
                    port,
                    target=target,
                    over=args.over,
                    tell=lambda weight, elapsed: telling.tell(weight, target, elapsed),
                    clock=time.monotonic,
                    sleep=time.sleep,
                )
        except Terminated as terminated:
            print(
                f"\n{name} stays at weight {telling.told} of {target}; it goes on by\n"
                f"  directrix admit {server_in_words(key, address, port)} --over …",
                file=sys.stderr,
            )
            return terminated.status
    telling.end(name, target)
    return 0


class _Telling:
    """Each step on a terminal's one line, or as a line of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._live = not as_json and sys.stderr.isatty()
        self.told = 0

    def tell(self, weight: int, target: int, elapsed: float) -> None:
        self.told = weight
        if self._as_json:
            print(json.dumps({"elapsed": round(elapsed, 3), "weight": weight, "target": target}), flush=True)
        elif self._live:
            print(f"\r\x1b[Kweight {weight} of {target}", end="", file=sys.stderr, flush=True)

    def end(self, name: str, weight: int) -> None:
        if self._live:
            print(file=sys.stderr)
        if not self._as_json:
            print(f"{name} has weight {weight}")


def _misuse(reason: str) -> int:
    print(f"directrix admit: {reason}", file=sys.stderr)
    return MISUSE
