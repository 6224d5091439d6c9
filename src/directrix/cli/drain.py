"""`directrix drain`: takes a real server out of service without pain."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from directrix.cli.server_words import describe_server, duration

if TYPE_CHECKING:
    from directrix.director.remote import Remote
    from directrix.draining.course import Progress
    from directrix.draining.leaving import Leaver

HELP = "drain a real server: nothing new to it, what it has goes on until it ends"

REFUSED = 1
MISUSE = 2
LEFT = 3
"""Exit status where time was up and connections were left, as asked."""

_EXPIRE, _KEEP = "expire", "keep"
_SECONDS_BETWEEN_LINES = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix drain`."""
    parser.description = (
        "Set a real server's weight to 0, so that it gets no new connections, and show what is left of those it has, "
        "until none is or time is up. Exit status 3 if connections are left then. Where a director runs (`directrix "
        "run`) that looks after the server, it does it, and its checks leave the weight alone; without further options "
        "it is drained as `drain` in the configuration says, if there is one."
    )
    describe_server(parser)
    parser.add_argument("--deadline", type=duration, metavar="TIME", help="wait no longer than this: 90s, 10m, 1h30m")
    parser.add_argument(
        "--then", choices=(_EXPIRE, _KEEP), default=_KEEP, help="at the deadline end what is left, or keep it (default)"
    )
    parser.add_argument("--udp-now", action="store_true", help="send UDP flows to other real servers at once")
    parser.add_argument("--undo", action="store_true", help="give the real server back the weight it had")
    parser.add_argument("-j", "--json", action="store_true", help="each look as a line of JSON")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 for a refusal, 2 for misuse, 3 if connections are left at the deadline."""
    from directrix.cli.server_words import BadServer, read_server

    try:
        key, address, port = read_server(args)
    except BadServer as bad:
        return _misuse(str(bad))
    if args.then == _EXPIRE and args.deadline is None and not args.undo:
        return _misuse("--then expire needs a --deadline; 0 ends all connections at once")
    if args.undo and (args.deadline is not None or args.udp_now or args.then == _EXPIRE):
        return _misuse("--undo stands alone beside the real server")
    from contextlib import closing

    from directrix.director.client import NoDirector, Refused
    from directrix.director.remote import find
    from directrix.draining.leaving import Leaver
    from directrix.draining.remembering import weights_here
    from directrix.table.opening import make_in_force, open_table

    make = make_in_force()
    try:
        remote = find(key, address, port, make)
        if remote is not None:
            return _by_director(remote, args)
    except (NoDirector, Refused) as error:
        return _refused(str(error))
    with closing(open_table(create=False)) as table:
        leaver = Leaver(table, weights_here(make), key, address, port)
        if args.undo:
            weight = leaver.undo()
            print(f"{_name(leaver)} has weight {weight} again")
            return 0
        return _by_table(leaver, args)


def _misuse(reason: str) -> int:
    print(f"directrix drain: {reason}", file=sys.stderr)
    return MISUSE


def _refused(reason: str) -> int:
    print(f"directrix drain: {reason}", file=sys.stderr)
    return REFUSED


def _by_table(leaver: Leaver, args: argparse.Namespace) -> int:
    from directrix.draining.course import Stage
    from directrix.lvs import Protocol
    from directrix.system.signals import Terminated, ending_in_order

    expire = args.then == _EXPIRE
    if expire or args.udp_now:
        leaver.connections.check_ending()
    try:
        with ending_in_order():
            leaver.quiesce()
            if not leaver.connections.release_clients():
                print(
                    "directrix drain: clients that persistence keeps there go on coming; the kernel's IPVS sends them "
                    "elsewhere after: sysctl -w net.ipv4.vs.expire_quiescent_template=1",
                    file=sys.stderr,
                )
            if args.udp_now:
                leaver.connections.end(Protocol.UDP)
            telling = _Telling(args.json)
            last = leaver.watch(args.deadline, telling.tell, time.monotonic, time.sleep)
            telling.end()
            expired = None
            if last.stage is Stage.TIME_UP and expire:
                leaver.connections.release_clients()
                expired = leaver.connections.end()
            return _over(_name(leaver), last, expired, as_json=args.json)
    except Terminated as terminated:
        _interrupted(leaver)
        return terminated.status


def _by_director(remote: Remote, args: argparse.Namespace) -> int:
    """The director that looks after the server does it, so that its checks don't give the weight back."""
    from directrix.draining.course import Stage
    from directrix.system.signals import Terminated, ending_in_order

    try:
        if args.undo:
            print(f"{remote} {remote.enable().in_words}, by its configuration and checks")
            return 0
        leaves = remote.drain(args.deadline, expire=args.then == _EXPIRE, udp_now=args.udp_now)
        with ending_in_order():
            telling = _Telling(args.json)
            last, expired = remote.watch(telling.tell, time.sleep, leaves=leaves)
            telling.end()
            ended = expired if last.stage is Stage.TIME_UP and (expired or args.then == _EXPIRE) else None
            return _over(str(remote), last, ended, as_json=args.json)
    except Terminated as terminated:
        print(
            f"\n{remote} stays drained: the director goes on with it; the same command with --undo ends it",
            file=sys.stderr,
        )
        return terminated.status


def _over(name: str, last: Progress, expired: int | None, *, as_json: bool) -> int:
    """Say how it ended. `expired`: connections that were ended at the deadline, None if they weren't to be."""
    from directrix.draining.course import Stage
    from directrix.draining.telling import connections_in_words
    from directrix.lvs.durations import write_duration

    if last.stage is Stage.REMOVED:
        return _refused(f"somebody has removed {name} meanwhile")
    if last.stage is Stage.REWEIGHTED:
        return _refused(f"somebody has given {name} the weight {last.seen.weight} meanwhile")
    status, said = 0, f"is drained, after {write_duration(last.elapsed)}"
    if expired is not None:
        said = f"is drained: time was up, {connections_in_words(expired)} ended"
        if as_json:
            print(json.dumps({"stage": "expired", "ended": expired}), flush=True)
    elif last.stage is Stage.TIME_UP:
        status, said = LEFT, f"gets nothing new; time is up, {connections_in_words(last.seen.left)} left"
    if not as_json:
        print(f"{name} {said}")
    return status


def _interrupted(leaver: Leaver) -> None:
    from directrix.cli.server_words import server_in_words
    from directrix.draining.looking import look
    from directrix.draining.telling import connections_in_words

    seen = look(leaver.table, leaver.key, leaver.address, leaver.port)
    if seen.weight != 0:
        return
    words = server_in_words(leaver.key, leaver.address, leaver.port)
    print(
        f"\n{_name(leaver)} stays at weight 0, with {connections_in_words(seen.left)} left; what it had comes back by\n"
        f"  directrix drain {words} --undo",
        file=sys.stderr,
    )


def _name(leaver: Leaver) -> str:
    from directrix.lvs.addresses import endpoint

    return f"{leaver.key} -> {endpoint(leaver.address, leaver.port)}"


class _Telling:
    """Each look on a terminal's one line; elsewhere a line now and then; or each as a line of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._live = not as_json and sys.stderr.isatty()
        self._told = -_SECONDS_BETWEEN_LINES

    def tell(self, progress: Progress) -> None:
        from directrix.draining.course import Stage
        from directrix.draining.telling import as_object, line

        if self._as_json:
            print(json.dumps(as_object(progress)), flush=True)
        elif self._live:
            print(f"\r\x1b[K{line(progress)}", end="", file=sys.stderr, flush=True)
        elif progress.stage is not Stage.GOING or progress.elapsed - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = progress.elapsed
            print(line(progress), file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._live:
            print(file=sys.stderr)
