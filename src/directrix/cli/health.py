"""`directrix health`: what clients' handshakes tell of the real servers, and who is taken out for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from directrix.director.remote import Remote
    from directrix.health.rule import Judgement, Rule, ServerKey
    from directrix.lvs import ServiceKey
    from directrix.lvs.handshakes import Handshakes
    from directrix.table.interface import Table

HELP = "show whether clients' connections to each real server complete, and take out a server whose don't"

_FIGURES = f"{'begun':>10} {'completed':>10} {'failed':>8} {'share':>6} {'recent':>7} {'p50':>7} {'p90':>7} {'p99':>7}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix health`."""
    parser.description = (
        "Passive health. The director sees each connection's SYN and the client's next packet, even in direct routing: "
        "so it knows how many connections to each real server complete, and the time from SYN to ACK. "
        "Without a command: show that."
    )
    _describe_choice(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="health_command")
    show = commands.add_parser("show", help="show the figures", description="Show the figures.")
    _describe_choice(show)
    judge = commands.add_parser(
        "judge",
        help="judge every real server once",
        description="Compare each real server's recent share of completed connections with its peers', and say who is "
        "to be taken out or brought back; with --apply, do it.",
    )
    _describe_choice(judge)
    judge.add_argument("--apply", action="store_true", help="give the servers the weights that the judgement says")
    for word, kind, default, text in (
        ("--out-below", float, 0.5, "part of its peers' share below which a server is taken out"),
        ("--back-above", float, 0.8, "part of it from which on a server on trial is well"),
        ("--sample", int, 20, "recent connections it takes to judge a server"),
        ("--most-out", float, 0.5, "part of a service's servers that may be out at a time"),
        ("--hold", float, 60.0, "seconds a server is out; each time in a row twice as long"),
        ("--hold-most", float, 3600.0, "seconds it is out at most"),
    ):
        judge.add_argument(word, type=kind, default=default, metavar="NUMBER", help=f"{text} (default {default:g})")
    back = commands.add_parser(
        "back",
        help="bring real servers back now",
        description="Give real servers that were taken out the weight they had: those given, or all that the rule or "
        "`directrix top` took out.",
    )
    back.add_argument(
        "-s", "--service", metavar="SERVICE", help="of this service, such as 10.0.0.1:80 or tcp:10.0.0.1:80"
    )
    back.add_argument("server", nargs="*", metavar="SERVER", help="a real server's address and port")


def _describe_choice(parser: argparse.ArgumentParser) -> None:
    keep: dict[str, Any] = {"default": argparse.SUPPRESS}
    parser.add_argument(
        "-s",
        "--service",
        metavar="SERVICE",
        help="only this service, such as 10.0.0.1:80, tcp:10.0.0.1:80, fwm:1",
        **keep,
    )
    parser.add_argument("-j", "--json", action="store_true", help="as JSON", **keep)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 1 for a refusal: no such service or server, a bound that makes no sense."""
    from contextlib import closing

    from directrix.table.opening import open_table

    args.service, args.json = getattr(args, "service", None), getattr(args, "json", False)
    with closing(open_table(create=False)) as table:
        if args.health_command == "judge":
            return _judge(table, args)
        if args.health_command == "back":
            return _back(table, args)
        return _show(table, args)


def chosen(table: Table, text: str | None) -> list[ServiceKey]:
    """The services that a text means: one as listings name it, with `:` for the blank or without the protocol.

    Raises:
        NoSuchService: it means none.
    """
    from directrix.lvs.errors import InvalidRequest

    keys = [state.service.key for state in table.services()]
    if text is None:
        return keys
    wanted = text.lower()
    names = {key: str(key).lower() for key in keys}
    found = [key for key, name in names.items() if wanted in (name, name.replace(" ", ":", 1), name.partition(" ")[2])]
    if not found:
        there = ", ".join(map(str, keys)) or "none"
        raise InvalidRequest(f"there is no service {text!r}; there are: {there}")
    return found


def _show(table: Table, args: argparse.Namespace) -> int:
    from directrix.lvs.errors import NotSupportedYet
    from directrix.lvs.handshakes import together

    handshakes = table.handshakes()
    keys = chosen(table, args.service)
    if handshakes is None:
        raise NotSupportedYet("watching clients' handshakes, which the kernel's IPVS does not do,")
    if args.json:
        import json

        from directrix.lvs.objects import key_object

        rows = [
            {
                **key_object(key),
                "handshakes": as_object(together(handshakes[key].values())),
                "servers": [
                    {"address": str(address), "port": port, "handshakes": as_object(one)}
                    for (address, port), one in handshakes[key].items()
                ],
            }
            for key in keys
            if key in handshakes
        ]
        print(json.dumps({"services": rows}, indent=2))
        return 0
    from directrix.lvs import endpoint

    print(f"{'':<29} {_FIGURES}")
    for key in keys:
        servers = handshakes.get(key, {})
        print(f"{key!s:<29} {figures(together(servers.values()))}")
        for server, one in servers.items():
            print(f"  {endpoint(*server):<27} {figures(one)}")
    return 0


def figures(one: Handshakes) -> str:
    """One line of figures."""
    quantiles = " ".join(f"{seconds_text(one.quantile(part)):>7}" for part in (0.5, 0.9, 0.99))
    return (
        f"{one.begun:>10,} {one.completed:>10,} {one.failed:>8,} {share_text(one.share):>6} "
        f"{share_text(one.recent_share):>7} {quantiles}"
    )


def share_text(share: float | None) -> str:
    """A share in percent, rounded down: what isn't all of them isn't 100 %."""
    return "-" if share is None else f"{int(share * 1000) / 10:g}%"


def seconds_text(seconds: float | None) -> str:
    """A time with its unit, in seven columns or less."""
    if seconds is None:
        return "-"
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{seconds * scale:.3g}{unit}"
    return f"{seconds:.3g}s"


def as_object(one: Handshakes) -> dict[str, object]:
    """For JSON: counts, shares from 0 to 1, recent figures a second, quantiles in seconds."""
    return {
        "begun": one.begun,
        "completed": one.completed,
        "failed": one.failed,
        "half_open": one.half_open,
        "share": one.share,
        "recent": {
            "begun_per_second": one.recent_begun,
            "completed_per_second": one.recent_completed,
            "share": one.recent_share,
        },
        "seconds": {"p50": one.quantile(0.5), "p90": one.quantile(0.9), "p99": one.quantile(0.99)},
    }


def _judge(table: Table, args: argparse.Namespace) -> int:
    from directrix.health import memory
    from directrix.health.rule import Rule
    from directrix.table import absences

    rule = Rule(args.out_below, args.back_above, args.sample, args.most_out, args.hold, args.hold_most)
    keys = set(chosen(table, args.service))
    if args.apply:
        keys -= _directed(keys)
    directory, now = absences.directory_here(), absences.clock()
    if args.apply:
        found = absences.judge_and_apply(table, directory, rule, keys.__contains__, now)
    else:
        everything = absences.judged(table, memory.read(directory), now, rule)
        found = {key: judgements for key, judgements in everything.items() if key in keys}
    if args.json:
        import json

        from directrix.lvs.objects import key_object

        rows = [
            {**key_object(key), "servers": [_judgement_object(one, now, rule) for one in judgements]}
            for key, judgements in found.items()
        ]
        print(json.dumps({"applied": args.apply, "services": rows}, indent=2))
        return 0
    for key, judgements in found.items():
        print(key)
        for one in judgements:
            print(f"  {_judgement_line(one, now, rule, applied=args.apply)}")
    return 0


def _directed(keys: set[ServiceKey]) -> set[ServiceKey]:
    """Those that a director looks after; two who give weights would undo each other's work."""
    import sys

    from directrix.director.remote import checked
    from directrix.table.opening import make_in_force

    names = {service for service, _ in checked(make_in_force())}
    directed = {key for key in keys if str(key) in names}
    for key in sorted(map(str, directed)):
        print(
            f"directrix health: {key} is looked after by the director, which judges it if its virtual_server has "
            "passive_health",
            file=sys.stderr,
        )
    return directed


def _judgement_object(one: Judgement, now: float, rule: Rule) -> dict[str, object]:
    from directrix.health.rule import Standing

    return {
        "address": str(one.server.address),
        "port": one.server.port,
        "standing": str(one.standing),
        "share": one.handshakes.recent_share,
        "sample": round(one.handshakes.sample, 1),
        "peers_share": one.peers,
        "weight": one.server.weight,
        "new_weight": one.weight,
        "back_in_seconds": round(one.absence.ends(rule) - now, 1)
        if one.absence and one.standing is Standing.OUT
        else None,
    }


def _judgement_line(one: Judgement, now: float, rule: Rule, *, applied: bool) -> str:
    from directrix.health.rule import Standing
    from directrix.lvs import endpoint

    words = [f"{endpoint(one.server.address, one.server.port):<27} {one.standing:<9}"]
    if one.handshakes.recent_share is not None:
        words.append(f"{share_text(one.handshakes.recent_share)} of about {one.handshakes.sample:.0f} connections")
    if one.peers is not None:
        words.append(f"peers at least {share_text(one.peers)}")
    if one.standing is Standing.OUT and one.absence:
        words.append(f"back in {max(one.absence.ends(rule) - now, 0):.0f} s with weight {one.absence.weight}")
    if one.weight is not None:
        words.append(f"weight {one.server.weight} {'is now' if applied else 'should be'} {one.weight}")
    return words[0] + ("  " + ", ".join(words[1:]) if words[1:] else "")


def _back(table: Table, args: argparse.Namespace) -> int:
    from directrix.health import memory
    from directrix.lvs import endpoint
    from directrix.lvs.errors import InvalidRequest
    from directrix.table import absences

    directory = absences.directory_here()
    remembered = memory.read(directory)
    wanted = list(args.server)
    directed = _directed_back(chosen(table, args.service), wanted)
    found: dict[ServiceKey, list[ServerKey]] = {}
    for key in chosen(table, args.service):
        for state in table.service(key).servers:
            name = endpoint(*state.server.key)
            if (str(key), name) in directed:
                continue
            if name in wanted if wanted else state.server.key in remembered.get(key, {}):
                found.setdefault(key, []).append(state.server.key)
    there = {endpoint(*server) for servers in found.values() for server in servers}
    there |= {name for _, name in directed}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise InvalidRequest(f"there is no real server {missing[0]}; name it by address and port, as listings do")
    for key, servers in found.items():
        for server in absences.bring_back(table, directory, key, servers):
            print(f"{key} -> {endpoint(*server.key)}: weight {server.weight}")
    for (service, name), remote in directed.items():
        print(f"{service} -> {name} {remote.enable().in_words}")
    return 0


def _directed_back(keys: list[ServiceKey], wanted: list[str]) -> dict[tuple[str, str], Remote]:
    """The real servers that a director is to bring back: those wanted, or those that passive health took out."""
    from directrix.director.remote import checked
    from directrix.table.opening import make_in_force

    names = set(map(str, keys))
    return {
        (service, server): one.remote
        for (service, server), one in checked(make_in_force()).items()
        if service in names and (server in wanted if wanted else one.failing and one.failing.name == "passive_health")
    }
