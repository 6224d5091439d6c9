"""`directrix status`: what is attached where, what became of packets, how full the table is."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.director.remote import Check, Checked
    from directrix.draining.remembering import Remembered
    from directrix.table.xdp.director import Hop, Status

HELP = "show what is attached where, packets by verdict, and how full the table is"

NOT_UP = 3
"""Exit status where there is no table, as `systemctl status` has it."""

_FEW_HOPS = 50
"""So many lines about next hops can be read; more are told together."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix status`."""
    parser.description = (
        "Show the state of this network namespace's table: attachments, fill, verdicts of packets, and where frames "
        "for each real server go. Exit status 3 if there is no table."
    )
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")
    parser.add_argument(
        "-a", "--all", action="store_true", help="also verdicts that no packet came to, and of many next hops each"
    )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 3 if there is no table."""
    from directrix.table.opening import IPVS, XDP, make_in_force

    if make_in_force() == IPVS:
        return show_ipvs(args.json)
    from directrix.table.xdp import director

    status = director.status()
    weights = [] if status is None else remembered(XDP)
    checked = {} if status is None else checked_here(XDP)
    if args.json:
        import json

        print(json.dumps(as_json(status, weights, checked), indent=2))
    elif status is None:
        print("there is no table in this network namespace; the first service makes one", file=sys.stderr)
    else:
        text = [*lines(status, everything=args.all), *weight_lines(weights), *checked_lines(checked)]
        print("\n".join(text))
    return NOT_UP if status is None else 0


def checked_here(make: str) -> Mapping[tuple[str, str], Checked]:
    """What the director here says of its real servers; nothing if there is none, or it doesn't answer."""
    from directrix.director.client import NoDirector
    from directrix.director.remote import checked

    try:
        return checked(make)
    except NoDirector as error:
        print(f"directrix status: {error}", file=sys.stderr)
        return {}


def checked_lines(checked: Mapping[tuple[str, str], Checked]) -> list[str]:
    """The same for people: how many are well, and each one that isn't, with its last results."""
    if not checked:
        return []
    bad = {name: one for name, one in checked.items() if not one.alive or one.ordered or one.growing}
    text = ["Checks", f"  {sum(one.alive for one in checked.values()):,} of {len(checked):,} real servers are well"]
    for (service, server), one in bad.items():
        said = [f"{check.name} {_marks(check)}: {_plain(check.detail)}" for check in one.checks if not check.up]
        if one.leaving:
            said.append("no longer configured; it is drained, and goes then")
        elif one.ordered:
            said.append(f"{_ORDERED[one.ordered]} by the operator")
        if one.growing:
            said.append(f"growing to weight {one.growing}")
        text.append(f"  {service} -> {server}: {'; '.join(said)}")
    return text


_ORDERED = {"weight": "weight set", "drain": "drained", "admit": "admitted"}


def _marks(check: Check) -> str:
    """Its last results, the newest on the right: + success, - failure, . could not be made."""
    return "".join({True: "+", False: "-", None: "."}[result] for result in check.recent)


def _plain(text: str) -> str:
    """What a server said must not move a terminal's cursor."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def checked_objects(checked: Mapping[tuple[str, str], Checked]) -> list[dict[str, object]]:
    """The same as plain data."""
    return [
        {
            "service": service,
            "server": server,
            "alive": one.alive,
            "quiesced": one.quiesced,
            "ordered": one.ordered or None,
            "leaving": one.leaving,
            "growing_to": one.growing,
            "checks": [
                {"name": check.name, "up": check.up, "detail": check.detail, "recent": list(check.recent)}
                for check in one.checks
            ],
        }
        for (service, server), one in checked.items()
    ]


def remembered(make: str) -> list[Remembered]:
    """The real servers that are drained or being admitted."""
    from contextlib import closing

    from directrix.draining.remembering import still_meant, weights_here
    from directrix.table.opening import open_table

    entries = weights_here(make).all()
    if not entries:
        return []
    with closing(open_table(create=False)) as table:
        return still_meant(entries, table.services())


def weight_lines(weights: Sequence[Remembered]) -> list[str]:
    """The same for people."""
    if not weights:
        return []
    how = {True: "on its way to", False: "drained; it had"}
    said = [f"  {one.service} -> {one.server}: {how[one.admitting]} weight {one.weight}" for one in weights]
    return ["Leaving and coming back", *said]


def weight_objects(weights: Sequence[Remembered]) -> list[dict[str, object]]:
    """The same as plain data."""
    return [
        {"service": one.service, "server": one.server, "weight": one.weight, "admitting": one.admitting}
        for one in weights
    ]


def show_ipvs(as_json: bool) -> int:
    """Show what the kernel's IPVS says of itself; it attaches to no interface and gives no reasons for packets."""
    import json
    from contextlib import closing
    from dataclasses import asdict

    from directrix.table.opening import IPVS, open_table

    with closing(open_table(create=False)) as table:
        services, (counters, rates), daemons = table.services(), table.totals(), table.daemons()
    servers = [server for service in services for server in service.servers]
    connections = {
        "active": sum(server.active for server in servers),
        "inactive": sum(server.inactive for server in servers),
        "persistent": sum(server.persistent for server in servers),
    }
    roles = [daemon.role.name.lower() for daemon in daemons]
    weights, checked = remembered(IPVS), checked_here(IPVS)
    if as_json:
        known = {"up": True, "table": "ipvs", "services": len(services), "real_servers": len(servers)}
        counts = {"connections": connections, "totals": asdict(counters), "rates": asdict(rates), "daemons": roles}
        rest = {"leaving": weight_objects(weights), "checked": checked_objects(checked)}
        print(json.dumps({**known, **counts, **rest}, indent=2))
        return 0
    print(f"Table\n  the kernel's IPVS: {len(services):,} services, {len(servers):,} real servers")
    print("Connections\n  " + ", ".join(f"{count:,} {kind}" for kind, count in connections.items()))
    print("Packets")
    print(f"  {counters.in_packets:,} in, {counters.in_bytes:,} bytes; {rates.in_packets:,} a second")
    print(f"  {counters.out_packets:,} out, {counters.out_bytes:,} bytes; {rates.out_packets:,} a second")
    if roles:
        print("Synchronization\n  " + ", ".join(roles))
    print("".join(f"{line}\n" for line in (*weight_lines(weights), *checked_lines(checked))), end="")
    return 0


def as_json(
    status: Status | None,
    weights: Sequence[Remembered] = (),
    checked: Mapping[tuple[str, str], Checked] | None = None,
) -> dict[str, object]:
    """The status as plain data; `{"up": false}` if there is none."""
    if status is None:
        return {"up": False}
    from directrix.cli import budget, flood
    from directrix.cli.health import as_object
    from directrix.lvs import endpoint

    return {
        "up": True,
        "table": "xdp",
        "interfaces": [
            {"name": known.name, "ifindex": known.ifindex, "hook": known.hook, "attached": there}
            for known, there in status.attachments
        ],
        "connections": {"used": status.connections, "size": status.max_connections, "memory_bytes": status.memory},
        "verdicts": {verdict.name: {"fate": verdict.fate, "packets": count} for verdict, count in status.verdicts},
        "next_hops": [
            {
                "service": hop.service,
                "server": hop.server,
                "state": hop.state,
                "interface": hop.interface,
                "mac": hop.mac,
            }
            for hop in status.hops
        ],
        "handshakes": [
            {"service": str(key), "server": endpoint(*server), **as_object(one)}
            for key, servers in status.handshakes.items()
            for server, one in servers.items()
        ],
        "flood": flood.as_object(status.flood),
        "budgets": [budget.as_object(key, state) for key, state in status.budgets.items()],
        "leaving": weight_objects(weights),
        "checked": checked_objects(checked or {}),
        "program": {"hash": status.program, "current": status.current},
    }


def hop_lines(hops: Sequence[Hop], *, everything: bool) -> list[str]:
    """Where frames go, for people: of many, those alike in one line, and what can't be sent first."""
    if everything or len(hops) <= _FEW_HOPS:
        return [f"  {hop.service} -> {hop.server}: {_way(hop)}" for hop in hops]
    alike = Counter((hop.server.rpartition(":")[0], hop.state, _way(hop)) for hop in hops)
    found = sorted(alike.items(), key=lambda each: each[0][1] in ("resolved", "this host"))
    text = [f"  {address}: {way}, {count:,} times" for (address, _, way), count in found[:_FEW_HOPS]]
    left = len(found) - len(text)
    return [*text, *([f"  {left:,} more real servers; --all shows each service of each"] if left else [])]


def _way(hop: Hop) -> str:
    return hop.state + (f" {hop.mac}" if hop.mac else "") + (f" on {hop.interface}" if hop.interface else "")


def lines(status: Status, *, everything: bool) -> list[str]:
    """The status for people."""
    from directrix.cli import flood

    text = ["Interfaces"]
    for known, there in status.attachments:
        text.append(f"  {known.name:<16} {known.hook:<12} {'attached' if there else 'GONE: run `directrix up`'}")
    if not status.attachments:
        text.append("  none: no packet is seen")
    share = 100 * status.connections / status.max_connections
    text += [
        "Connections",
        f"  {status.connections:,} of {status.max_connections:,} ({share:.1f} %), {status.memory / 1e6:,.0f} MB",
        *flood.lines(status.flood),
        "Packets",
    ]
    for verdict, count in status.verdicts:
        if count or everything:
            text.append(f"  {verdict.fate:<10} {verdict.name:<14} {count:>14,}  {verdict.meaning}")
    if status.hops:
        text += ["Next hops", *hop_lines(status.hops, everything=everything)]
    if not status.current:
        text.append("The attached programs are of another build: `directrix up` renews them in place.")
    return text
