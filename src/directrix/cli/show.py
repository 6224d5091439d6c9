"""`directrix show`: what a running director knows."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

HELP = "show what the running director knows: services, VRRP, checks, events"

NOT_RUNNING = 3
"""Exit status where there is no director, as `systemctl status` has it."""

_PATHS = {
    "services": "/v1/services",
    "vrrp": "/v1/vrrp",
    "checks": "/v1/checks",
    "events": "/v1/events?limit={count}",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix show`."""
    parser.description = (
        "Show what the director of this network namespace knows. Without a word: itself, its services and VRRP. "
        "Exit status 3 if none runs."
    )
    parser.add_argument("what", nargs="?", choices=tuple(_PATHS), help="only this")
    parser.add_argument("-j", "--json", action="store_true", help="as JSON, as the director's API gives it")
    parser.add_argument("-c", "--count", type=int, default=100, metavar="N", help="so many events, 100 by default")
    parser.add_argument("-s", "--socket", metavar="FILE", help="ask the director whose API listens there")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 3 if there is no director."""
    import json
    from pathlib import Path

    from directrix.director.client import NoDirector, ask

    path = None if args.socket is None else Path(args.socket)
    wanted = [args.what] if args.what else ["services", "vrrp"]
    try:
        told = {what: ask(_PATHS[what].format(count=max(args.count, 0)), path) for what in wanted}
        if not args.what:
            told = {"director": ask("/v1/status", path), **told}
    except NoDirector as error:
        print(f"directrix show: {error}", file=sys.stderr)
        return NOT_RUNNING
    if args.json:
        print(json.dumps(told[args.what] if args.what else told, indent=2))
    else:
        print("\n".join(line for what, found in told.items() for line in LINES[what](found)))
    return 0


def director_lines(found: dict[str, Any]) -> list[str]:
    """The director itself."""
    lines = [f"Director {found['version']}, {found['configuration']}"]
    lines.append(f"  running since {_time(found['started_at'])}{'' if found['ready'] else ', not ready yet'}")
    if found["reloaded_at"]:
        lines.append(f"  reloaded {_time(found['reloaded_at'])}")
    if found["reload_refused"]:
        lines.append(f"  THE LAST RELOAD WAS REFUSED: {found['reload_refused']}")
    lines += [f"  NOT AS IT SHALL BE IN THE TABLE: {key}" for key in found["astray"]]
    return lines


def services_lines(found: list[dict[str, Any]]) -> list[str]:
    """Virtual servers with their real servers."""
    lines = ["Services"] if found else ["no services"]
    for service in found:
        quorum = "quorum up" if service["quorum_up"] else "QUORUM DOWN"
        weight = f"weight {service['live_weight']} of {service['quorum']} needed"
        sorry = f", sorry server {service['sorry_server']} in use" if service["sorry_in_use"] else ""
        lines.append(f"  {service['name']} {service['scheduler']}: {quorum}, {weight}{sorry}")
        for server in service["servers"]:
            words = ["up" if server["alive"] else "DOWN", f"weight {server['weight']}"]
            if server["held_weight"] is not None:
                words.append("draining" if server["draining"] else "weight set by the operator")
            words.append(f"{server['active']} active, {server['inactive']} inactive")
            lines.append(f"    {server['server']:<24} {', '.join(words)}")
            for check in server["checks"]:
                if not check["up"] and check["has_run"] and check["last"]:
                    lines.append(f"      {check['name']}: {_plain(check['last']['detail'])}")
    return lines


def vrrp_lines(found: dict[str, Any]) -> list[str]:
    """Instances, and what was heard of others."""
    if not found["instances"]:
        return ["no VRRP"]
    lines = ["VRRP"]
    for one in found["instances"]:
        since = f" since {_time(one['since'])}" if one["since"] else ""
        lines.append(
            f"  {one['name']}: {one['state']}{since}, priority {one['priority']}, "
            f"VRID {one['vrid']} on {one['interface']}"
        )
        lines += [f"    {address}" for address in one["addresses"]]
        if one["state"] == "MASTER" and one["master"]:
            lines.append(f"    ANOTHER MASTER is heard: {one['master']}, priority {one['master_priority']}")
        elif one["master"]:
            lines.append(f"    master is {one['master']}, priority {one['master_priority']}")
        lines += [f"    fault: {fault}" for fault in one["faults"]]
        lines += [f"    waits for {what}" for what in one["waiting"]]
        if one["statistics"]["rejected"]:
            causes = ", ".join(f"{count} {cause}" for cause, count in one["statistics"]["rejected"].items())
            lines.append(f"    packets not heard: {causes}")
    for other in found["strangers"]:
        lines.append(f"  VRID {other['vrid']} on {other['interface']} is used by others: {other['source']}")
    return lines


def checks_lines(found: list[dict[str, Any]]) -> list[str]:
    """Every check with its last result."""
    lines = ["Checks"] if found else ["no checks"]
    for check in found:
        lines.append(f"  {check['name']} of {check['server']} for {check['service']}")
        lines.append(f"    {check['attempts']} made, {check['failures']} failed")
        for result in check["history"][-3:]:
            word = "success" if result["ok"] else "failure" if result["made"] else "not made"
            took = f"{result['took'] * 1000:.1f} ms"
            lines.append(f"    {_time(result['at'])} {word} after {took}: {_plain(result['detail'])}")
    return lines


def events_lines(found: list[dict[str, Any]]) -> list[str]:
    """What happened, a line each."""
    lines = []
    for event in found:
        rest = {name: value for name, value in event.items() if name not in ("at", "kind", "what")}
        words = " ".join(f"{name}={_plain(str(value))}" for name, value in rest.items())
        lines.append(f"{_time(event['at'])} {event['kind']} {event['what']} {words}".rstrip())
    return lines


LINES: dict[str, Callable[[Any], list[str]]] = {
    "director": director_lines,
    "services": services_lines,
    "vrrp": vrrp_lines,
    "checks": checks_lines,
    "events": events_lines,
}


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _plain(text: str) -> str:
    """What a server said must not move a terminal's cursor."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
