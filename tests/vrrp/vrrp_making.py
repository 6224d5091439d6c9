"""Short ways to say what tests of VRRP are about."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from directrix.lvs.addresses import Address
from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.effects import Announce, Effect, ReleaseAddresses, SendAdvertisement, StateChanged, TakeAddresses
from directrix.vrrp.packet import Advertisement
from directrix.vrrp.routers import Routers
from directrix.vrrp.values import VirtualAddress

US, LESS, MORE = ip_address("10.0.0.5"), ip_address("10.0.0.4"), ip_address("10.0.0.6")
VIP = VirtualAddress(ip_address("10.0.0.100"), 32)


def instance(name: str = "VI", vrid: int = 51, **changes: Any) -> Instance:
    return Instance(name, changes.pop("interface", "eth0"), vrid, addresses=(VIP,), **changes)


def advert(priority: int, of: Instance | None = None, **changes: Any) -> Advertisement:
    of = of or instance()
    changes.setdefault("interval", of.interval)
    return Advertisement(of.version, of.vrid, priority, addresses=of.advertised, **changes)


def started(*instances: Instance, now: float = 0.0, up: Sequence[str] = ("eth0", "eth1"), **changes: Any) -> Routers:
    """Routers of these instances whose interfaces are up, started."""
    routers = Routers(Configuration(instances, **changes))
    routers.conditions.interfaces = dict.fromkeys(up, True)
    routers.start(now)
    return routers


def run_to(routers: Routers, until: float) -> list[tuple[float, Effect]]:
    """Everything that is due up to a time, each effect with its time."""
    found: list[tuple[float, Effect]] = []
    while (deadline := routers.deadline) is not None and deadline <= until:
        found += [(deadline, effect) for effect in routers.expire(deadline)]
    return found


def hear(routers: Routers, advertisement: Advertisement, source: Address, now: float, name: str = "VI") -> list[Effect]:
    return routers.hear(routers[name], advertisement, source, US, now)


def words(effects: Sequence[Effect]) -> list[str]:
    """Effects in short: `send 100`, `take`, `release`, `announce 5`, `MASTER`."""
    found = []
    for effect in effects:
        match effect:
            case SendAdvertisement(_, priority):
                found.append(f"send {priority}")
            case TakeAddresses():
                found.append("take")
            case ReleaseAddresses():
                found.append("release")
            case Announce(_, rounds):
                found.append(f"announce {rounds}")
            case StateChanged(_, state):
                found.append(state.name)
    return found
