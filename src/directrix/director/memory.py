"""What outlives the director: what checks believed, what the operator set, and which services are its own.

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

from directrix.director.orders import Kind, Order
from directrix.lvs import Family, Protocol, ServiceKey
from directrix.lvs.addresses import parse_address

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
    """

    services: frozenset[ServiceKey] = frozenset()
    beliefs: dict[tuple[str, str, str], Belief] = field(default_factory=dict)
    orders: dict[tuple[str, str], Order] = field(default_factory=dict)


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
        "services": [
            [key.family.value, key.protocol and key.protocol.value, str(key.address or ""), key.port, key.fwmark]
            for key in remembered.services
        ],
        "beliefs": [[*names, belief.up, belief.adds] for names, belief in remembered.beliefs.items()],
        "orders": [[*names, asdict(order)] for names, order in remembered.orders.items()],
    }


def _read(found: dict[str, Any]) -> Remembered:
    if found["version"] != _VERSION:
        raise ValueError(f"it is of version {found['version']}")
    return Remembered(
        frozenset(
            ServiceKey(
                Family(family),
                Protocol(protocol) if protocol else None,
                parse_address(address) if address else None,
                port,
                fwmark,
            )
            for family, protocol, address, port, fwmark in found["services"]
        ),
        {(virtual, server, name): Belief(up, adds) for virtual, server, name, up, adds in found["beliefs"]},
        {(virtual, server): _order(fields) for virtual, server, fields in found["orders"]},
    )


def _order(fields: dict[str, Any]) -> Order:
    return Order(**{**fields, "kind": Kind(fields["kind"])})
