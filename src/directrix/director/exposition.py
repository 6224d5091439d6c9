"""Metrics in Prometheus' text format, by the names that node_exporter and keepalived-exporter gave them.

So dashboards that are there already go on working; what is ours alone begins with `directrix_`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from directrix import __version__
from directrix.checks.actions import ServerKey
from directrix.checks.history import History, Result
from directrix.checks.pool_values import ServerView
from directrix.lvs import ServiceKey
from directrix.lvs.budget import BudgetState
from directrix.lvs.flood import Flood
from directrix.table.interface import Table
from directrix.vrrp.bad_packet import Cause
from directrix.vrrp.states import State
from directrix.vrrp.status import InstanceStatus

if TYPE_CHECKING:
    from directrix.director.daemon import Director

Sample = tuple[Mapping[str, str], float]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric, as they are asked for; none if it has no samples."""
    for number, (labels, value) in enumerate(samples):
        if not number:
            yield f"# HELP {name} {meaning}"
            yield f"# TYPE {name} {kind}"
        yield f"{name}{_labels(labels)} {value:.17g}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return plain.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def exposition(director: Director, of_table: Iterable[str]) -> Iterator[str]:
    """Everything there is to measure, line by line; what `of_table` gave is among it."""
    for lines in (
        family("directrix_build_info", "gauge", "Version of directrix.", [({"version": __version__}, 1)]),
        of_table,
        family("keepalived_up", "gauge", "Status.", [({}, 1)]),
        of_vrrp(director.statuses()),
        _of_tracked(director),
        _of_services(director),
        _of_checks(director),
    ):
        for line in lines:
            yield f"{line}\n"


_COUNTERS = (
    ("connections", "connections", "The total number of connections made."),
    ("incoming_packets", "in_packets", "The total number of incoming packets."),
    ("outgoing_packets", "out_packets", "The total number of outgoing packets."),
    ("incoming_bytes", "in_bytes", "The total amount of incoming data."),
    ("outgoing_bytes", "out_bytes", "The total amount of outgoing data."),
)


def of_table(table: Table) -> list[str]:
    """The metrics of node_exporter's ipvs collector, and those of floods and budgets.

    Raises:
        TableError: the table can't be read.
    """
    return list(_of_table(table))


def _of_table(table: Table) -> Iterator[str]:
    services, (totals, _) = table.services(), table.totals()
    for name, field, meaning in _COUNTERS:
        yield from family(f"node_ipvs_{name}_total", "counter", meaning, [({}, getattr(totals, field))])
    entries = [
        (_backend(state.service.key, str(entry.server.address), entry.server.port), entry)
        for state in services
        for entry in state.servers
    ]
    name = "node_ipvs_backend"
    active = [(labels, float(entry.active)) for labels, entry in entries]
    yield from family(f"{name}_connections_active", "gauge", "The current active connections.", active)
    inactive = [(labels, float(entry.inactive)) for labels, entry in entries]
    yield from family(f"{name}_connections_inactive", "gauge", "The current inactive connections.", inactive)
    weights = [(labels, float(entry.server.weight)) for labels, entry in entries]
    yield from family(f"{name}_weight", "gauge", "The current backend weight.", weights)
    yield from of_flood(table.flood())
    yield from of_budgets(table.budgets())


def _backend(key: ServiceKey, address: str, port: int) -> dict[str, str]:
    service = _service(key)
    local = {name: service.pop(name) for name in ("local_address", "local_port")}
    return {**local, "remote_address": address, "remote_port": str(port), **service}


def _service(key: ServiceKey) -> dict[str, str]:
    return {
        "local_address": "" if key.address is None else str(key.address),
        "local_port": str(key.port),
        "proto": "FWM" if key.protocol is None else key.protocol.name,
        "local_mark": f"{key.fwmark:08X}" if key.fwmark else "",
    }


_FLOODS = (
    ("unentered", "SYNs that were sent on without an entry of the table, in floods."),
    ("admitted", "Clients that came back in a flood and got an entry."),
    ("ended", "Half-open connections ended in floods."),
)


def of_flood(flood: Flood | None) -> Iterator[str]:
    """Whether the table is under flood, and what floods did; nothing of a table that does not watch for them."""
    if flood is None:
        return
    yield from family("directrix_flood", "gauge", "Whether the table is under flood.", [({}, float(flood.on))])
    yield from family("directrix_floods_total", "counter", "How many floods there were.", [({}, float(flood.floods))])
    for name, meaning in _FLOODS:
        counts = [(_service(key), float(getattr(one, name))) for key, one in flood.services.items()]
        yield from family(f"directrix_flood_{name}_total", "counter", meaning, counts)


def of_budgets(budgets: Mapping[ServiceKey, BudgetState]) -> Iterator[str]:
    """What was refused for want of a budget; `of` says whose."""
    refused = [
        ({**_service(key), "of": whose}, float(count))
        for key, state in budgets.items()
        for whose, rate, count in (
            ("service", state.budget.service, state.over),
            ("source", state.budget.source, state.source_over),
        )
        if rate is not None
    ]
    yield from family("directrix_over_budget_total", "counter", "New connections refused by budgets.", refused)


_SENT = (
    ("advertisements_received", "Advertisements received."),
    ("advertisements_sent", "Advertisements sent."),
    ("become_master", "Times it became master."),
    ("release_master", "Times it released master."),
    ("priority_zero_received", "Priority zero received."),
    ("priority_zero_sent", "Priority zero sent."),
)

_ERRORS = (
    ("packet_length_errors", Cause.LENGTH, "Packets of a wrong length."),
    ("advertisements_interval_errors", Cause.INTERVAL, "Adverts with another interval."),
    ("ip_ttl_errors", Cause.TTL, "Packets with a wrong TTL."),
    ("invalid_type_received", Cause.TYPE, "Packets of an unknown type."),
    ("address_list_errors", Cause.ADDRESSES, "Adverts with other addresses."),
    ("authentication_invalid", Cause.AUTH_TYPE, "Authentication types that don't exist."),
    ("authentication_mismatch", Cause.AUTH_MISMATCH, "Other authentication types."),
    ("authentication_failure", Cause.AUTH_FAILURE, "Authentication that failed."),
)


def of_vrrp(statuses: Iterable[InstanceStatus]) -> Iterator[str]:
    """The metrics of keepalived-exporter."""
    found = [({"iname": one.name, "intf": one.interface, "vrid": str(one.vrid)}, one) for one in statuses]
    states = [
        ({**labels, "ip_address": address}, float(one.state if one.state is not State.LEAVING else State.MASTER))
        for labels, one in found
        for address in one.addresses
    ]
    yield from family("keepalived_vrrp_state", "gauge", "State of vrrp: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT.", states)
    delays = [(labels, one.garp_delay) for labels, one in found]
    yield from family("keepalived_gratuitous_arp_delay_total", "counter", "Gratuitous ARP delay.", delays)
    for name, meaning in _SENT:
        counts = [(labels, float(getattr(one.statistics, name))) for labels, one in found]
        yield from family(f"keepalived_{name}_total", "counter", meaning, counts)
    for name, cause, meaning in _ERRORS:
        errors = [(labels, float(one.statistics.rejected[cause])) for labels, one in found]
        yield from family(f"keepalived_{name}_total", "counter", meaning, errors)


def _of_tracked(director: Director) -> Iterator[str]:
    scripts = [thing for thing in director.vrrp.tracked() if thing.kind == "script"]
    status = [({"name": one.name}, float(one.well)) for one in scripts if one.well is not None]
    yield from family("keepalived_script_status", "gauge", "Tracker Script Status: 0 bad, 1 good.", status)
    state = [({"name": one.name}, float(one.running)) for one in scripts]
    yield from family("keepalived_script_state", "gauge", "Tracker Script State: 0 idle, 1 running.", state)


def _of_services(director: Director) -> Iterator[str]:
    pools = tuple(director.balancer.pools.items())
    quorums = [({"service": name}, float(pool.quorum_up)) for name, pool in pools]
    yield from family("directrix_quorum_up", "gauge", "Whether a virtual server has its quorum.", quorums)

    def servers(value: Callable[[ServerView], float]) -> Iterator[Sample]:
        for name, pool in pools:
            for settings in pool.settings.servers:
                with suppress(KeyError):  # a reload may come in between
                    yield _server_labels(name, settings.key), float(value(pool.server(settings.key)))

    meaning = "Whether no check of a real server fails."
    yield from family("directrix_server_alive", "gauge", meaning, servers(lambda view: view.alive))
    meaning = "Whether a real server is kept from new connections by the operator, its agent or passive health."
    yield from family("directrix_server_quiesced", "gauge", meaning, servers(lambda view: view.quiesced))
    meaning = "What weight a real server has when it has grown, by slow_start."
    yield from family("directrix_server_full_weight", "gauge", meaning, servers(lambda view: view.full_weight))
    yield from of_drains(director)


def of_drains(director: Director) -> Iterator[str]:
    """How many connections are left where servers are drained."""
    going = [name for name, order in tuple(director.balancer.orders.items()) if order.kind == "drain"]
    progress = [(name, director.orders.progress(name)) for name in going]
    left = [(_server_labels(*name), float(seen.seen.left)) for name, seen in progress if seen is not None]
    meaning = "Connections left at a real server that is drained."
    yield from family("directrix_server_draining_connections", "gauge", meaning, left)


_OF_CHECKS: tuple[tuple[str, str, str, Callable[[History, Result], float]], ...] = (
    ("up", "gauge", "What a check says of its real server: 1 up, 0 down.", lambda _, last: last.up),
    ("attempts_total", "counter", "How often a check was made.", lambda history, _: history.attempts),
    ("failures_total", "counter", "How often it failed.", lambda history, _: history.failures),
    ("duration_seconds", "gauge", "How long it took, the last time.", lambda _, last: last.took),
    ("last_timestamp_seconds", "gauge", "When it was made last, in seconds since 1970.", lambda _, last: last.at),
)


def _of_checks(director: Director) -> Iterator[str]:
    for name, kind, meaning, value in _OF_CHECKS:
        yield from family(f"directrix_check_{name}", kind, meaning, _check_samples(director, value))


def _check_samples(director: Director, value: Callable[[History, Result], float]) -> Iterator[Sample]:
    for (service, key), checks in tuple(director.balancer.setup.checks.items()):
        for check in checks:
            with suppress(KeyError):
                history = director.balancer.checks.history((service, key, check.name))
                if (last := history.last) is not None:
                    yield {**_server_labels(service, key), "check": check.name}, float(value(history, last))


def _server_labels(service: str, key: ServerKey) -> dict[str, str]:
    return {"service": service, "remote_address": str(key[0]), "remote_port": str(key[1])}
