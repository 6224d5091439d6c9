"""`directrix show`: what a running director knows."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

HELP = "show what the running director knows: services, VRRP, checks, orders, events"

NOT_RUNNING = 3
"""Exit status where there is no director, as `systemctl status` has it."""

_PATHS = {
    "services": "/v1/services",
    "vrrp": "/v1/vrrp",
    "checks": "/v1/checks",
    "orders": "/v1/orders",
    "events": "/v1/events?limit={count}",
}

_RESULTS = 3
"""Results of each check that people are shown."""


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

    from directrix.director.client import NoDirector, Refused, ask

    path = None if args.socket is None else Path(args.socket)
    wanted = [args.what] if args.what else ["services", "vrrp"]
    try:
        paths = dict(_PATHS) if args.json else {**_PATHS, "checks": f"{_PATHS['checks']}?history={_RESULTS}"}
        told = {what: ask(paths[what].format(count=max(args.count, 0)), path) for what in wanted}
        if not args.what:
            told = {"director": ask("/v1/status", path), **told}
    except (NoDirector, Refused) as error:
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
    """Virtual servers with their real servers; a director of an earlier version tells less of them."""
    lines = ["Services"] if found else ["no services"]
    for service in found:
        quorum = "quorum up" if service["quorum_up"] else "QUORUM DOWN"
        weight = f"weight {service['live_weight']} of {service['quorum']} needed"
        sorry = f", sorry server {service['sorry_server']} in use" if service["sorry_in_use"] else ""
        lines.append(f"  {service['name']} {service['scheduler']}: {quorum}, {weight}{sorry}")
        budget = budget_words(service)
        lines += [f"    budget {budget}"] if budget else []
        for server in service["servers"]:
            words = ["leaving" if server.get("leaving") else "up" if server["alive"] else "DOWN", weight_words(server)]
            if server["order"] is not None:
                words.append(order_words(server["order"]))
            elif server["quiesced"]:
                words.append("quiesced")
            if server["alive"] and not server["in_table"]:
                words.append("out while the quorum is down")
            words.append(f"{server['active']} active, {server['inactive']} inactive")
            lines.append(f"    {server['server']:<24} {', '.join(words)}")
            lines += [f"      {line}" for line in map(_failing, server["checks"]) if line]
    return lines


def weight_words(server: dict[str, Any]) -> str:
    """A weight, and how far it has grown."""
    from directrix.lvs.durations import write_duration

    growing = server.get("growing")
    if growing is None:
        return f"weight {server['weight']}"
    return f"weight {server['weight']} of {growing['target']}, growing, {write_duration(growing['left'])} left"


def budget_words(service: dict[str, Any]) -> str:
    """How many new connections there may be; empty for as many as there are."""
    words = []
    if (rate := service.get("budget")) is not None:
        words.append(f"{_rate_words(rate)}, burst {rate['burst']}")
    if (rate := service.get("source_budget")) is not None:
        words.append(f"{_rate_words(rate)}, burst {rate['burst']} for each source")
    return "; ".join(words)


def _rate_words(rate: dict[str, Any]) -> str:
    """A rate; a director of an earlier version tells but the number."""
    return str(rate.get("text") or f"{rate['rate']:g}/s")


def _failing(check: dict[str, Any]) -> str:
    if not check["up"]:
        said = _plain(check["last"]["detail"]) if check["last"] else "has not run yet"
        return f"{check['name']}: {said}"
    return "" if check["standing"] == "ready" else f"{check['name']}: the server says {check['standing']}"


def order_words(order: dict[str, Any]) -> str:
    """What the operator has ordered, and how far it is."""
    from directrix.draining.telling import connections_in_words
    from directrix.lvs.durations import write_duration

    match order["kind"]:
        case "drain" if not order["ended"]:
            left = order["progress"]["connections"] if order["progress"] else None
            known = "" if left is None else f", {connections_in_words(left)} left"
            limit = "" if order["seconds"] is None else f" of {write_duration(order['seconds'])}"
            return f"draining for {write_duration(order['elapsed'])}{limit}{known}"
        case "drain" if order["ended"] == "time_up":
            return f"drained: time was up, {connections_in_words(order['expired'])} ended, {order['left']} left"
        case "drain":
            return f"{order['ended'].replace('_', ' ')} by the operator"
        case "admit":
            return f"growing to weight {order['target']} over {write_duration(order['seconds'] or 0.0)}"
    return "quiesced by the operator" if order["weight"] == 0 else "weight set by the operator"


def orders_lines(found: list[dict[str, Any]]) -> list[str]:
    """What the operator has ordered."""
    lines = ["Orders"] if found else ["no orders"]
    return [*lines, *(f"  {one['service']} -> {one['server']}: {order_words(one['order'])}" for one in found)]


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
    for thing in found["tracked"]:
        well = {True: "well", False: "NOT WELL", None: "not known yet"}[thing["well"]]
        said = f"{well}, {thing['says']}" if thing["says"] and thing["kind"] == "script" else thing["says"] or well
        since = f" since {_time(thing['since'])}" if thing["since"] else ""
        lines.append(f"  {thing['kind']} {thing['name']}: {_plain(said)}{since}")
    for other in found["strangers"]:
        lines.append(f"  VRID {other['vrid']} on {other['interface']} is used by others: {other['source']}")
    return lines


def checks_lines(found: list[dict[str, Any]]) -> list[str]:
    """Every check with its last result."""
    lines = ["Checks"] if found else ["no checks"]
    for check in found:
        lines.append(f"  {check['name']} of {check['server']} for {check['service']}")
        lines.append(f"    {check['attempts']} made, {check['failures']} failed")
        for result in check["history"][-_RESULTS:]:
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
    "orders": orders_lines,
    "events": events_lines,
}


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _plain(text: str) -> str:
    """What a server said must not move a terminal's cursor."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
