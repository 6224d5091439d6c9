"""Taking real servers out of service and bringing them back: weight 0, with the old weight remembered.

What is to be remembered is written before a weight is changed: if the command dies in between, a server that still has
its weight is remembered as out, which the next judgement takes for somebody's decision and forgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from directrix.health import memory
from directrix.health.rule import Absence, By, Judgement, Rule, ServerKey, judge
from directrix.lvs import RealServer, ServiceKey
from directrix.lvs.errors import NoSuchServer, NoSuchService, NotSupportedYet
from directrix.table.interface import Table


def directory_here() -> Path:
    """Where the absences of this network namespace's table are remembered: beside its record."""
    from directrix.table.xdp.pins import here

    return here().own


def clock() -> float:
    """Seconds since boot: what absences are dated by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def judged(table: Table, remembered: memory.Remembered, now: float, rule: Rule) -> dict[ServiceKey, list[Judgement]]:
    """Judge every service of a table.

    Raises:
        NotSupportedYet: this table does not watch handshakes.
    """
    handshakes = table.handshakes()
    if handshakes is None:
        raise NotSupportedYet("watching clients' handshakes, which the kernel's IPVS does not do,")
    found = {}
    for state in table.services():
        key = state.service.key
        seen = handshakes.get(key, {})
        servers = [(one.server, seen[one.server.key]) for one in state.servers if one.server.key in seen]
        found[key] = judge(servers, remembered.get(key, {}), now, rule)
    return found


def judge_and_apply(
    table: Table, directory: Path, rule: Rule, chosen: Callable[[ServiceKey], bool], now: float
) -> dict[ServiceKey, list[Judgement]]:
    """Judge the chosen services once, and do what the judgements say. Absences of what is gone are forgotten."""
    with memory.changing(directory) as remembered:
        everything = judged(table, remembered, now, rule)
        found = {key: judgements for key, judgements in everything.items() if chosen(key)}
        for key in list(remembered):
            if key not in everything:
                del remembered[key]
        for key, judgements in found.items():
            remembered[key] = {one.server.key: one.absence for one in judgements if one.absence}
        memory.write(directory, remembered)
        for key, judgements in found.items():
            for one in judgements:
                if one.weight is not None:
                    with suppress(NoSuchService, NoSuchServer):  # somebody removed it meanwhile
                        _weigh(table, key, one.server.key, one.weight)
    return found


def take_out(table: Table, directory: Path, key: ServiceKey, server: ServerKey, now: float) -> None:
    """Quiesce a real server by hand and remember its weight; nothing to do if it has none.

    Raises:
        NoSuchService, NoSuchServer: there is none.
    """
    with memory.changing(directory) as remembered:
        weight = find(table, key, server).weight
        if weight:
            remembered.setdefault(key, {})[server] = Absence(weight, now, by=By.OPERATOR)
            memory.write(directory, remembered)
            _weigh(table, key, server, 0)


def bring_back(table: Table, directory: Path, key: ServiceKey, servers: Iterable[ServerKey]) -> list[RealServer]:
    """Give quiesced real servers the weight they had, or 1 if nobody remembers; returns those that had none.

    Raises:
        NoSuchService, NoSuchServer: there is none.
    """
    returned = []
    with memory.changing(directory) as remembered:
        known = remembered.get(key, {})
        for server in servers:
            found = find(table, key, server)
            absence = known.pop(server, None)
            if found.weight == 0:
                _weigh(table, key, server, absence.weight if absence else 1)
                returned.append(find(table, key, server))
    return returned


def find(table: Table, key: ServiceKey, server: ServerKey) -> RealServer:
    """A real server as it is.

    Raises:
        NoSuchService, NoSuchServer: there is none.
    """
    for one in table.service(key).servers:
        if one.server.key == server:
            return one.server
    raise NoSuchServer(f"{server[0]}:{server[1]}")


def _weigh(table: Table, key: ServiceKey, server: ServerKey, weight: int) -> None:
    table.edit_server(key, replace(find(table, key, server), weight=weight))
