"""What outlives the director: what checks believed, what the operator set, which services and budgets are its own,
which weights were growing, and which servers were on their way out.

A director that was killed and comes back goes on from there: a real server that was down doesn't come back into the
table only because nobody has asked it yet. The file lies in /run, so it doesn't outlive the machine, and a stop in good
order removes it.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from directrix.checks.growth import Growth
from directrix.director.orders import Kind, Order
from directrix.keepalived.values import RealServer
from directrix.lvs import Family, ForwardingMethod, Protocol, ServiceKey, Tunnel, TunnelFlags, TunnelType
from directrix.lvs.addresses import parse_address
from directrix.lvs.budget import Budget, Rate

_log = logging.getLogger("directrix.director")

_VERSION = 2


@dataclass(frozen=True, slots=True)
class Belief:
    """What a checker believed: that its server is up or not, and what it added to the weight."""

    up: bool
    adds: int = 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was remembered.

    Attributes:
        services: those that the director had put into the table.
        beliefs: by virtual server, real server (address and port as one text) and checker.
        orders: what the operator has ordered, by virtual server and real server.
        growths: slow starts that go on, dated by the machine's monotonic clock, by the same names.
        leaving: servers on their way out, by the same names: as much of them as the table wants to know.
        budgets: those that the director had put into the table.
    """

    services: frozenset[ServiceKey] = frozenset()
    beliefs: dict[tuple[str, str, str], Belief] = field(default_factory=dict)
    orders: dict[tuple[str, str], Order] = field(default_factory=dict)
    growths: dict[tuple[str, str], Growth] = field(default_factory=dict)
    leaving: dict[tuple[str, str], RealServer] = field(default_factory=dict)
    budgets: dict[ServiceKey, Budget] = field(default_factory=dict)


class Memory:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._broken = False

    def recall(self) -> Remembered:
        """What is remembered; nothing if there is no file, or one that can't be understood."""
        try:
            return _read(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return Remembered()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("%s can't be understood, and is not heeded: %s", self._path, error)
            return Remembered()

    def keep(self, remembered: Remembered) -> None:
        """Remember; a reader never sees half of it. A full disk costs the memory and nothing else."""
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(_written(remembered)))
            os.replace(fresh, self._path)
            self._broken = False
        except OSError as error:
            if not self._broken:
                _log.warning("what checks found can't be remembered: %s", error)
            self._broken = True

    def forget(self) -> None:
        """Remember nothing."""
        with suppress(OSError):
            self._path.unlink()


def _written(remembered: Remembered) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "services": [_key_written(key) for key in remembered.services],
        "beliefs": [[*names, belief.up, belief.adds] for names, belief in remembered.beliefs.items()],
        "orders": [[*names, asdict(order)] for names, order in remembered.orders.items()],
        "growths": [[*names, growth.began, growth.over] for names, growth in remembered.growths.items()],
        "leaving": [[*names, _server_written(server)] for names, server in remembered.leaving.items()],
        "budgets": [[_key_written(key), asdict(budget)] for key, budget in remembered.budgets.items()],
    }


def _key_written(key: ServiceKey) -> list[Any]:
    return [key.family.value, key.protocol and key.protocol.value, str(key.address or ""), key.port, key.fwmark]


def _server_written(server: RealServer) -> dict[str, Any]:
    tunnel = server.tunnel
    return {
        "address": str(server.address),
        "port": server.port,
        "method": server.method.value,
        "tunnel": [tunnel.type.value, tunnel.port, tunnel.flags.value],
        "upper_threshold": server.upper_threshold,
        "lower_threshold": server.lower_threshold,
    }


def _read(found: dict[str, Any]) -> Remembered:
    if found["version"] != _VERSION:
        raise ValueError(f"it is of version {found['version']}")
    return Remembered(
        frozenset(_key(*fields) for fields in found["services"]),
        {(virtual, server, name): Belief(up, adds) for virtual, server, name, up, adds in found["beliefs"]},
        {(virtual, server): _order(fields) for virtual, server, fields in found["orders"]},
        # a director of an earlier version wrote none of these
        {(virtual, server): Growth(began, over) for virtual, server, began, over in found.get("growths", ())},
        {(virtual, server): _server(fields) for virtual, server, fields in found.get("leaving", ())},
        {_key(*key): _budget(fields) for key, fields in found.get("budgets", ())},
    )


def _key(family: int, protocol: int | None, address: str, port: int, fwmark: int) -> ServiceKey:
    return ServiceKey(
        Family(family),
        Protocol(protocol) if protocol else None,
        parse_address(address) if address else None,
        port,
        fwmark,
    )


def _server(fields: dict[str, Any]) -> RealServer:
    kind, port, flags = fields["tunnel"]
    known: dict[str, Any] = {
        "address": parse_address(fields["address"]),
        "method": ForwardingMethod(fields["method"]),
        "tunnel": Tunnel(TunnelType(kind), port, TunnelFlags(flags)),
    }
    return RealServer(**{**fields, **known}, weight=0)


def _budget(fields: dict[str, Any]) -> Budget:
    rates = {name: None if fields[name] is None else Rate(**fields[name]) for name in ("service", "source")}
    return Budget(**{**fields, **rates})


def _order(fields: dict[str, Any]) -> Order:
    return Order(**{**fields, "kind": Kind(fields["kind"])})
