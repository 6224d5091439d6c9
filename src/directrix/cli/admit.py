"""`directrix admit`: takes a real server into service, at once or with a weight that grows."""

from __future__ import annotations

import argparse
import json
import sys
import time

from directrix.cli.server_words import describe_server, duration

HELP = "take a real server into service, with a weight that grows over a time"

MISUSE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix admit`."""
    parser.description = (
        "Give a real server its weight: what it had before `directrix drain`, or another; with --over little by "
        "little, so that its share of new connections grows with it."
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
    from contextlib import closing

    from directrix.cli.server_words import server_in_words
    from directrix.draining.remembering import weights_here
    from directrix.draining.returning import LEVELLERS, admit, target_weight
    from directrix.lvs.addresses import endpoint
    from directrix.system.signals import Terminated, ending_in_order
    from directrix.table.opening import make_in_force, open_table

    weights, name = weights_here(make_in_force()), f"{key} -> {endpoint(address, port)}"
    with closing(open_table(create=False)) as table:
        target = args.weight or target_weight(table, weights, key, address, port)
        scheduler = table.service(key).service.scheduler
        if args.over and scheduler in LEVELLERS:
            print(f"directrix admit: to the scheduler {scheduler} all weights above 0 are alike", file=sys.stderr)
        reached, live = 0, not args.json and sys.stderr.isatty()

        def tell(weight: int, elapsed: float) -> None:
            nonlocal reached
            reached = weight
            if args.json:
                print(json.dumps({"elapsed": round(elapsed, 3), "weight": weight, "target": target}), flush=True)
            elif live:
                print(f"\r\x1b[Kweight {weight} of {target}", end="", file=sys.stderr, flush=True)

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
                    tell=tell,
                    clock=time.monotonic,
                    sleep=time.sleep,
                )
        except Terminated as terminated:
            print(
                f"\n{name} stays at weight {reached} of {target}; it goes on by\n"
                f"  directrix admit {server_in_words(key, address, port)} --over …",
                file=sys.stderr,
            )
            return terminated.status
    if live:
        print(file=sys.stderr)
    if not args.json:
        print(f"{name} has weight {target}")
    return 0


def _misuse(reason: str) -> int:
    print(f"directrix admit: {reason}", file=sys.stderr)
    return MISUSE
