"""Virtual servers, their groups, and real servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from directrix.keepalived.building.checks import build_check
from directrix.keepalived.building.options import budget_of, drain_of, warn_of_slow_start
from directrix.keepalived.building.vrrp import Followed, unique
from directrix.keepalived.faults import Severity, suggestion
from directrix.keepalived.inheritance import of_real_server, of_sorry_server, of_virtual_server
from directrix.keepalived.parts import make
from directrix.keepalived.reading import Reading
from directrix.keepalived.schema.server_words import USUAL_PERSISTENCE
from directrix.keepalived.values import (
    AddressRange,
    AnyCheck,
    GlobalDefinitions,
    GroupMark,
    PassiveHealth,
    RealServer,
    SorryServer,
    VirtualServer,
    VirtualServerGroup,
)
from directrix.lvs import Family, ForwardingMethod, Protocol, SchedulerFlags
from directrix.lvs.addresses import family_of
from directrix.lvs.service import default_netmask

_LONGEST_PREFIX = 128
_FLAGS_OF = {"sh-fallback": "sh", "sh-port": "sh", "mh-fallback": "mh", "mh-port": "mh"}


def build_server_groups(top: Reading) -> tuple[VirtualServerGroup, ...]:
    """All groups. One with nothing in it is left out."""
    groups = []
    for reading in unique(top.readings("server_groups"), "virtual_server_group", Severity.WARNING):
        lines = [entry.value for entry in reading.entries("lines")]
        if not lines:
            reading.warn(f"the group {reading.given['name']!r} has no lines, and is left out")
            continue
        ranges = tuple(line for line in lines if isinstance(line, AddressRange))
        marks = tuple(line for line in lines if isinstance(line, GroupMark))
        groups.append(VirtualServerGroup(reading.given["name"], ranges, marks))
    return tuple(groups)


def build_virtual_servers(
    top: Reading, settings: GlobalDefinitions, groups: tuple[VirtualServerGroup, ...], followed: Followed
) -> tuple[VirtualServer, ...]:
    """All virtual servers. One without real servers is left out, as by keepalived."""
    servers: list[VirtualServer] = []
    places: dict[tuple[Any, ...], Reading] = {}
    names = {group.name: group for group in groups}
    for reading in top.readings("virtual_servers"):
        server = _virtual_server(reading, settings, names, followed)
        if server is None:
            continue
        protocol = None if server.fwmark else server.protocol
        key = (server.address, server.port, server.fwmark, server.group, protocol, server.family)
        if key in places:
            reading.error(f"there is a virtual_server {server.what} already, at {places[key].place()}")
        elif not server.real_servers:
            reading.warn(f"the virtual_server {server.what} has no real servers, and is left out")
        else:
            servers.append(server)
        places.setdefault(key, reading)
    return tuple(servers)


def _virtual_server(
    reading: Reading, settings: GlobalDefinitions, groups: Mapping[str, VirtualServerGroup], followed: Followed
) -> VirtualServer | None:
    given = reading.values()
    default_weight = given.pop("default_weight", 1)
    group = given.get("group", "")
    if group and group not in groups:
        reading.error(f"there is no virtual_server_group {group!r}{suggestion(group, groups)}", "group")
        return None
    found = of_virtual_server(settings) | given
    found["drain"] = drain_of(reading)
    found["budget"] = budget_of(reading)
    found["family"] = _family(reading, found, groups.get(group))
    _default_words(reading, found)
    real_servers = _real_servers(reading, settings, found, default_weight, followed)
    found["real_servers"] = tuple(real_servers)
    _netmask(reading, found)
    _flags(reading, found)
    if found["one_packet"] and found["protocol"] is not Protocol.UDP and not found["fwmark"]:
        reading.warn("ops means something only for UDP", "one_packet")
        found["one_packet"] = False
    if not found["port"] and found["address"] is not None and not found["persistence"]:
        reading.warn(f"a virtual server for every port must be persistent: {USUAL_PERSISTENCE} seconds")
        found["persistence"] = USUAL_PERSISTENCE
    if found["engine"] and not found["persistence"]:
        reading.warn("persistence_engine means something only with persistence_timeout", "engine")
    _quorum(reading, found)
    warn_of_slow_start(reading, found["scheduler"], real_servers)
    found["passive_health"] = _passive_health(reading, len(real_servers))
    _sorry_server(reading, found)
    return make(VirtualServer, found)


def _default_words(reading: Reading, found: dict[str, Any]) -> None:
    """Tell of what keepalived tells of when it is left to a default."""
    if found["fwmark"]:
        if "protocol" in reading.given:
            reading.warn("a firewall mark has no protocol: it is ignored", "protocol")
        found["protocol"] = Protocol.UDP
    elif not reading.said("protocol"):
        reading.warn("no protocol is given, which means UDP, as in keepalived; write protocol TCP if you mean that")
    if not reading.said("scheduler"):
        reading.warn(f"no scheduler is given: {found['scheduler']}")
    if not reading.said("method") and not all(each.said("method") for each in reading.readings("real_servers")):
        reading.warn("no lvs_method is given, which means NAT")


def _family(reading: Reading, found: Mapping[str, Any], group: VirtualServerGroup | None) -> Family:
    if found["address"] is not None:
        family = family_of(found["address"])
        if reading.given.get("family", family) is not family:
            reading.error(f"{found['address']} is not {reading.given['family'].name.lower()}", "family")
        return family
    if "family" in reading.given:
        return Family(reading.given["family"])
    if group is not None and group.ranges:
        return family_of(group.ranges[0].first)
    for each in reading.readings("real_servers"):
        if "address" in each.given:
            return family_of(each.given["address"])
    return Family.INET


def _real_servers(
    reading: Reading, settings: GlobalDefinitions, server: Mapping[str, Any], default_weight: int, followed: Followed
) -> list[RealServer]:
    found: dict[tuple[Any, int], RealServer] = {}
    places: dict[tuple[Any, int], Reading] = {}
    for each in reading.readings("real_servers"):
        real = _real_server(each, settings, server, default_weight, followed)
        if real.method is not ForwardingMethod.TUNNEL and family_of(real.address) is not server["family"]:
            kind = "IPv6" if server["family"] is Family.INET6 else "IPv4"
            each.error(f"{real.address} is not {kind}, as its virtual server is; only a tunnel can change that")
        key = (real.address, real.port)
        if key in places:
            what = f"{real.address} {real.port}" if real.port else str(real.address)
            each.error(f"the virtual server has a real_server {what} already, at {places[key].place()}")
        else:
            found[key], places[key] = real, each
    return list(found.values())


def _real_server(
    reading: Reading, settings: GlobalDefinitions, server: Mapping[str, Any], default_weight: int, followed: Followed
) -> RealServer:
    found = of_real_server(settings, server) | {"weight": default_weight} | reading.values()
    vip = {} if server["address"] is None else {"address": server["address"], "port": server["port"]}
    checks: list[AnyCheck] = []
    for each in reading.readings("checks"):
        check = build_check(each, settings, found, vip, followed)
        if check is not None:
            checks.append(check)
    if server["fwmark"] and found["port"]:
        reading.warn("a real server of a firewall mark has no port: it is used by checks alone", "address")
        found["port"] = 0
    if found["lower_threshold"] and found["lower_threshold"] > found["upper_threshold"]:
        reading.warn("lthreshold is above uthreshold", "lower_threshold")
    found["checks"] = tuple(checks)
    found["drain"] = drain_of(reading) or server["drain"]
    return make(RealServer, found)


def _netmask(reading: Reading, found: dict[str, Any]) -> None:
    """A netmask for IPv4, a prefix length for IPv6."""
    mask = reading.given.get("netmask")
    family = found["family"]
    if mask is None:
        found["netmask"] = default_netmask(family)
    elif family is Family.INET6 and mask > _LONGEST_PREFIX:
        reading.error("persistence_granularity of IPv6 is a prefix length from 1 to 128", "netmask")
    elif family is Family.INET and mask <= 32:
        found["netmask"] = (0xFFFFFFFF << (32 - mask)) & 0xFFFFFFFF
    elif family is Family.INET and mask <= _LONGEST_PREFIX:
        reading.error("persistence_granularity of IPv4 is a netmask, as 255.255.255.0", "netmask")


def _flags(reading: Reading, found: dict[str, Any]) -> None:
    """`sh-…` and `mh-…` count only for those schedulers."""
    word = reading.told.get("scheduler_flags")
    scheduler = _FLAGS_OF.get(word.text) if word is not None else None
    if scheduler is not None and found["scheduler"] != scheduler:
        reading.warn(
            f"{word.text if word else ''} means something only for the scheduler {scheduler}", "scheduler_flags"
        )
        found["scheduler_flags"] = SchedulerFlags.NONE


def _quorum(reading: Reading, found: dict[str, Any]) -> None:
    """keepalived corrects a quorum that can't be reached, and a hysteresis that is no less than it."""
    total = sum(server.weight for server in found["real_servers"])
    if found["quorum"] > total and found["real_servers"]:
        if total:
            reading.warn(f"the quorum {found['quorum']} is more than all weights together: it is {total}", "quorum")
        else:
            reading.warn("the weights of all real servers are 0", "quorum")
        found["quorum"] = max(total, 1)
    if found["hysteresis"] >= found["quorum"]:
        reading.warn(f"the hysteresis must be less than the quorum: it is {found['quorum'] - 1}", "hysteresis")
        found["hysteresis"] = found["quorum"] - 1


def _passive_health(reading: Reading, servers: int) -> PassiveHealth | None:
    inner = reading.given.get("passive_health")
    if not isinstance(inner, Reading):
        return None
    found = PassiveHealth(**inner.values())
    if not 0 < found.out_below < found.back_above:
        told = "out_below" if "out_below" in inner.given else "back_above"
        inner.error(f"out_below ({found.out_below:g}) is above 0 and below back_above ({found.back_above:g})", told)
    if found.most_out >= 1:
        inner.error("most_out is less than 1: not all servers may be out", "most_out")
    if found.hold > found.hold_most:
        told = "hold" if "hold" in inner.given else "hold_most"
        inner.error(f"hold ({found.hold:g}) is not above hold_most ({found.hold_most:g})", told)
    if servers == 1:
        inner.warn("a single real server has no peers to be judged by")
    return found


def _sorry_server(reading: Reading, found: dict[str, Any]) -> None:
    parts = {name: value for name, value in found.items() if name.startswith("sorry_server.")}
    for name in parts:
        del found[name]
    given = {name: parts[name] for name in parts if name in reading.given}
    found["sorry_server"] = None
    if not given:
        return
    if "sorry_server.address" not in given:
        reading.error("there is no sorry_server this could be about", next(iter(given)))
        return
    fields = of_sorry_server(found["method"], found["tunnel"]) | given
    server = make(SorryServer, {name.removeprefix("sorry_server."): value for name, value in fields.items()})
    if server.method is not ForwardingMethod.TUNNEL and family_of(server.address) is not found["family"]:
        kind = "IPv6" if found["family"] is Family.INET6 else "IPv4"
        reading.error(f"{server.address} is not {kind}, as its virtual server is", "sorry_server.address")
    found["sorry_server"] = server
