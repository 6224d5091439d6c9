"""What operators define, services and real servers, in the fields of their records. `reading.py` is the way back."""

from __future__ import annotations

from directrix.lvs import Family, RealServer, VirtualService
from directrix.lvs.errors import NoSuchScheduler, NotSupportedYet
from directrix.lvs.service import PERSISTENCE_ENGINES
from directrix.table.interface import check_netmask
from directrix.table.xdp import layout, tunnels
from directrix.table.xdp.clock import Ticks


def service_fields(service: VirtualService, ticks: Ticks) -> dict[str, int | bytes]:
    """Those of struct service.

    Raises:
        NoSuchScheduler: it names a scheduler or a persistence engine that nobody has.
        NotSupportedYet: it names a persistence engine of IPVS.
        InvalidRequest: its netmask can't be.
    """
    from directrix.scheduling import registry  # listings start quicker without it

    if service.scheduler != registry.NO_SCHEDULER:
        registry.algorithm(service.scheduler)
    if service.engine in PERSISTENCE_ENGINES:
        raise NotSupportedYet(f"the persistence engine {service.engine}")
    if service.engine:
        raise NoSuchScheduler(service.engine)
    check_netmask(service)
    flags = (layout.SERVICE_PERSISTENT if service.persistence else 0) | (
        layout.SERVICE_ONE_PACKET if service.one_packet else 0
    )
    return {
        "scheduler": layout.SCHEDULERS.index(service.scheduler),
        "flags": flags,
        "scheduler_flags": int(service.scheduler_flags),
        "persistence": ticks.from_seconds(service.persistence),
        "persistence_seconds": service.persistence,
        "mask": _mask_bytes(service),
        "netmask": service.netmask,
    }


def server_fields(server: RealServer) -> dict[str, int | bytes]:
    """Those of struct server. The last weight is only among them if it changes."""
    values: dict[str, int | bytes] = {
        "method": int(server.method),
        "weight": server.weight,
        "upper_threshold": server.upper_threshold,
        "lower_threshold": server.lower_threshold,
        **tunnels.fields(server),
    }
    if server.weight:
        values["last_weight"] = server.weight
    return values


def _mask_bytes(service: VirtualService) -> bytes:
    """The persistence mask as the bytes a client's address is and-ed with."""
    if service.key.family is Family.INET:
        return service.netmask.to_bytes(4, "big").ljust(16, b"\0")
    length = min(max(service.netmask, 0), 128)
    return (((1 << length) - 1) << (128 - length)).to_bytes(16, "big")
