"""VRRP: what is followed, instances, sync groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from directrix.keepalived.faults import Severity, suggestion
from directrix.keepalived.inheritance import OWNER, STRICT, of_group, of_instance
from directrix.keepalived.parts import defaults, make
from directrix.keepalived.reading import Reading
from directrix.keepalived.values import (
    Authentication,
    AuthenticationType,
    GarpGroup,
    GlobalDefinitions,
    InitialState,
    SyncGroup,
    Track,
    TrackFile,
    TrackGroup,
    TrackProcess,
    VirtualMac,
    VrrpInstance,
    VrrpScript,
)
from directrix.lvs import Family
from directrix.lvs.addresses import family_of

Tracked = VrrpScript | TrackProcess | TrackFile

LONGEST_V3 = 40.95
"""Seconds between adverts that version 3 can tell (RFC 5798: 12 bits of hundredths)."""

_MAC_LENGTH = 6


@dataclass
class Followed:
    """What can be followed, by kind and name; None for what was left out with a warning."""

    scripts: dict[str, Tracked | None] = field(default_factory=dict)
    processes: dict[str, Tracked | None] = field(default_factory=dict)
    files: dict[str, Tracked | None] = field(default_factory=dict)


def unique(readings: list[Reading], what: str, again: Severity = Severity.ERROR) -> list[Reading]:
    """The first with each name. A name that comes again is a mistake, or a warning where keepalived says nothing."""
    seen: dict[str, Reading] = {}
    for reading in readings:
        name = reading.given["name"]
        if name in seen and again is Severity.WARNING:
            reading.warn(f"there is a {what} {name!r} already, at {seen[name].place()}: the first one counts")
        elif name in seen:
            reading.error(f"there is a {what} {name!r} already, at {seen[name].place()}")
        else:
            seen[name] = reading
    return list(seen.values())


def build_followed(top: Reading) -> Followed:
    """Scripts, processes and files."""
    followed = Followed()
    for reading in unique(top.readings("scripts"), "vrrp_script", Severity.WARNING):
        name = reading.given["name"]
        followed.scripts[name] = None
        if "script.words" in reading.given:
            followed.scripts[name] = make(VrrpScript, defaults(VrrpScript) | reading.values())
        else:
            reading.warn(f"the vrrp_script {name!r} has no script, and is left out")
    for reading in unique(top.readings("track_processes"), "vrrp_track_process", Severity.WARNING):
        followed.processes[reading.given["name"]] = _process(reading)
    for reading in unique(top.readings("track_files"), "track_file", Severity.WARNING):
        name = reading.given["name"]
        followed.files[name] = None
        if reading.needs("file", f"the track_file {name!r} needs a file"):
            followed.files[name] = make(TrackFile, defaults(TrackFile) | reading.values())
    return followed


def _process(reading: Reading) -> TrackProcess | None:
    given = reading.values()
    if not reading.needs("process", f"the vrrp_track_process {given['name']!r} needs a process"):
        return None
    if "param_match" in given and given["arguments"] is None:
        given["arguments"] = ()
    process = make(TrackProcess, defaults(TrackProcess) | given)
    if process.quorum_max is not None and 0 < process.quorum_max < process.quorum:
        reading.error(f"quorum_max {process.quorum_max} is less than the quorum {process.quorum}", "quorum_max")
    return process


def _tracks(reading: Reading, followed: Followed, own_interface: str = "") -> dict[str, tuple[Track, ...]]:
    """What an instance or a group follows, with the weights of what is followed."""
    found: dict[str, tuple[Track, ...]] = {}
    known: Mapping[str, tuple[str, Mapping[str, Tracked | None] | None]] = {
        "track_interface": ("interface", None),
        "track_script": ("vrrp_script", followed.scripts),
        "track_process": ("vrrp_track_process", followed.processes),
        "track_file": ("track_file", followed.files),
    }
    for name, (what, things) in known.items():
        tracks: dict[str, Track] = {}
        for entry in reading.entries(name):
            thing, weight, reverse = entry.value
            if things is not None and thing not in things:
                near = suggestion(thing, things)
                reading.faults.error(entry.word.place, f"there is no {what} {thing!r} to follow{near}")
            elif things is not None and things[thing] is None:
                reading.faults.warn(entry.word.place, f"the {what} {thing!r} is left out, and not followed")
            elif things is None and thing == own_interface:
                reading.faults.warn(entry.word.place, f"{thing} is followed anyhow: it is the instance's own interface")
            elif thing in tracks:
                reading.faults.warn(entry.word.place, f"{thing!r} is followed already: the first one counts")
            else:
                own = things[thing] if things is not None else None
                if weight is None and own is not None:
                    weight, reverse = own.weight, own.reverse or reverse
                tracks[thing] = Track(thing, weight or 0, reverse)
        if name in reading.given:
            found[name] = tuple(tracks.values())
    return found


_PLAIN = ("track_interface", "track_script", "track_process", "track_file")


def build_instances(top: Reading, settings: GlobalDefinitions, followed: Followed) -> tuple[VrrpInstance, ...]:
    """All instances. Two must not be the same virtual router."""
    instances: list[VrrpInstance] = []
    places: dict[tuple[Any, ...], str] = {}
    for reading in unique(top.readings("instances"), "vrrp_instance"):
        instance = _instance(reading, settings, followed)
        if instance is None:
            continue
        instances.append(instance)
        peers = frozenset(peer.address for peer in instance.unicast_peers)
        key = (instance.interface or instance.vrf, instance.family, instance.virtual_router_id)
        for peer in peers or {instance.multicast}:
            if (*key, peer) in places:
                reading.error(
                    f"{instance.name} and {places[(*key, peer)]} are one virtual router: both have the VRID"
                    f" {instance.virtual_router_id} on {key[0] or 'every interface'}",
                    "virtual_router_id",
                )
                break
            places[(*key, peer)] = instance.name
    return tuple(instances)


def _instance(reading: Reading, settings: GlobalDefinitions, followed: Followed) -> VrrpInstance | None:
    given = reading.values(*_PLAIN)
    name = given["name"]
    if not reading.needs("virtual_router_id", f"{name} needs a virtual_router_id"):
        return None
    given["family"] = _family(reading)
    found = of_instance(settings, given) | given
    found |= _tracks(reading, followed, found["interface"])
    _adjust(reading, found)
    if not found["interface"] and not found["unicast_peers"] and not reading.said("interface"):
        reading.error(f"{name} needs an interface; only with unicast_peer it can be without")
    if found["vrf"] and found["interface"]:
        reading.error(f"{name} has an interface, and so can't be given a vrf", "vrf")
    _check_families(reading, found["family"])
    return make(VrrpInstance, found)


def _family(reading: Reading) -> Family:
    """That of the first VIP, else of the peers or addresses given, else that of the first excluded VIP."""
    for name in ("addresses", "unicast_peers", "excluded_addresses"):
        for entry in reading.entries(name):
            return family_of(entry.value.address)
        source = reading.given.get("source")
        if name == "addresses" and source is not None:
            return family_of(source)
    return Family.INET


def _check_families(reading: Reading, family: Family) -> None:
    ours = "IPv6" if family is Family.INET6 else "IPv4"
    for name, what in (("addresses", "virtual_ipaddress"), ("unicast_peers", "unicast_peer")):
        for entry in reading.entries(name):
            if family_of(entry.value.address) is not family:
                hint = "; write it in virtual_ipaddress_excluded" if name == "addresses" else ""
                reading.faults.error(entry.word.place, f"this {what} is not {ours}, as the instance is{hint}")
    for name in ("source", "multicast"):
        address = reading.given.get(name)
        if address is not None and family_of(address) is not family:
            reading.error(f"{address} is not {ours}, as the instance is", name)
    for entry in reading.entries("unicast_peers"):
        if entry.value.min_ttl > entry.value.max_ttl:
            reading.faults.error(entry.word.place, "min_ttl is above max_ttl: nothing from this peer would be heard")


def _adjust(reading: Reading, found: dict[str, Any]) -> None:
    """What can't be as it was told, or needs a word."""
    if found["family"] is Family.INET6 and found["version"] == 2:
        reading.warn("VRRP for IPv6 has version 3", "version")
        found["version"] = 3
    if found["state"] is InitialState.MASTER and not reading.said("priority"):
        reading.warn("without a priority, state MASTER means priority 255: owning the addresses", "state")
    _authentication(reading, found)
    _preemption(reading, found)
    interval = found["advert_int"]
    if found["version"] == 2 and interval != int(interval):
        found["advert_int"] = float(max(1, int(interval + 0.5)))
        reading.warn(f"version 2 has whole seconds between adverts: {found['advert_int']:.0f}", "advert_int")
    elif found["version"] == 3:
        found["advert_int"] = min(round(interval, 2), LONGEST_V3)
        if found["advert_int"] != interval:
            reading.warn(f"version 3 has hundredths, to {LONGEST_V3}: {found['advert_int']}", "advert_int")
    if found["strict"]:
        for name, value in STRICT.items():
            if found[name] != value:
                reading.warn("strict_mode leaves no choice about this", name)
        found |= STRICT
    if not reading.entries("addresses") and not reading.said("addresses"):
        reading.warn(f"{found['name']} has no virtual_ipaddress; at least one is sensible")
    if found["unicast_peers"]:
        if any(peer.min_ttl > 0 or peer.max_ttl < 255 for peer in found["unicast_peers"]):
            found["check_unicast_source"] = True
        if found["virtual_mac"] is not None and not found["vmac_xmit_base"]:
            reading.warn("unicast with use_vmac sends by the interface itself, as with vmac_xmit_base", "virtual_mac")
            found["vmac_xmit_base"] = True
    mac = found["virtual_mac"]
    if mac is not None and mac.mac is not None and len(mac.mac) < _MAC_LENGTH:
        found["virtual_mac"] = VirtualMac(mac.interface, mac.mac + bytes([found["virtual_router_id"]]))
    if mac is None and found["vmac_xmit_base"]:
        reading.warn("vmac_xmit_base means something only with use_vmac", "vmac_xmit_base")
        found["vmac_xmit_base"] = False


def _authentication(reading: Reading, found: dict[str, Any]) -> None:
    kind = found.pop("authentication.type", None)
    password = found.pop("authentication.password", b"")
    found["authentication"] = None
    if kind is None:
        if password:
            reading.warn("auth_pass without auth_type authenticates nothing", "authentication.password")
        return
    if not password:
        reading.error(f"auth_type {kind} needs an auth_pass", "authentication.type")
    elif found["version"] == 3:
        reading.warn("VRRP version 3 has no authentication; it is left out", "authentication.type")
    elif found["strict"]:
        reading.warn("strict_mode has no authentication; it is left out", "authentication.type")
    else:
        found["authentication"] = Authentication(kind, password)
        if kind is AuthenticationType.AH and found["state"] is InitialState.MASTER and found["priority"] != OWNER:
            reading.warn("with auth_type AH an instance begins as BACKUP", "state")
            found["state"] = InitialState.BACKUP


def _preemption(reading: Reading, found: dict[str, Any]) -> None:
    owner, master = found["priority"] == OWNER, found["state"] is InitialState.MASTER
    why = "priority 255" if owner else "state MASTER" if master else ""
    if why and not found["preempt"]:
        reading.warn(f"nopreempt does nothing with {why}", "preempt")
        found["preempt"] = True
    if found["preempt_delay"] and (why or found["strict"] or not found["preempt"]):
        reading.warn(
            f"preempt_delay does nothing with {why or ('strict_mode' if found['strict'] else 'nopreempt')}",
            "preempt_delay",
        )
        found["preempt_delay"] = 0.0


def build_groups(top: Reading, settings: GlobalDefinitions, followed: Followed) -> tuple[SyncGroup, ...]:
    """All sync groups. An instance is in one of them at most."""
    instances = [reading.given["name"] for reading in top.readings("instances")]
    groups: list[SyncGroup] = []
    taken: dict[str, str] = {}
    for reading in unique(top.readings("sync_groups"), "vrrp_sync_group"):
        name = reading.given["name"]
        members: list[str] = []
        for entry in reading.entries("written_bare"):
            if entry.value not in instances:
                known = reading.section.block.by_spelling if reading.section else {}
                near = suggestion(entry.value, known)
                reading.faults.error(entry.word.place, f"{entry.value!r} is no keyword in vrrp_sync_group{near}")
            else:
                reading.faults.warn(
                    entry.word.place,
                    f"{entry.value!r} is taken as a member of the group; write it inside group {{ … }}",
                )
        for entry in [*reading.entries("instances"), *reading.entries("written_bare")]:
            member = entry.value
            if member not in instances:
                if entry not in reading.entries("written_bare"):
                    near = suggestion(member, instances)
                    reading.faults.error(entry.word.place, f"there is no vrrp_instance {member!r}{near}")
            elif member in taken:
                reading.faults.error(entry.word.place, f"{member!r} is in the sync group {taken[member]!r} already")
            else:
                taken[member] = name
                members.append(member)
        if not members:
            reading.warn(f"the sync group {name!r} has no instances, and is left out")
            continue
        fields = of_group(settings) | reading.values(*_PLAIN, "instances", "written_bare")
        groups.append(make(SyncGroup, fields | _tracks(reading, followed) | {"instances": tuple(members)}))
    return tuple(groups)


def build_track_groups(top: Reading) -> tuple[TrackGroup, ...]:
    """Groups of instances that follow what is static."""
    instances = [reading.given["name"] for reading in top.readings("instances")]
    groups = []
    for reading in unique(top.readings("track_groups"), "track_group"):
        for entry in reading.entries("instances"):
            if entry.value not in instances:
                near = suggestion(entry.value, instances)
                reading.faults.error(entry.word.place, f"there is no vrrp_instance {entry.value!r}{near}")
        groups.append(TrackGroup(reading.given["name"], tuple(entry.value for entry in reading.entries("instances"))))
    for name in ("static_addresses", "static_routes", "static_rules"):
        for entry in top.entries(name):
            if entry.value.track_group and entry.value.track_group not in [group.name for group in groups]:
                near = suggestion(entry.value.track_group, [group.name for group in groups])
                top.faults.error(entry.word.place, f"there is no track_group {entry.value.track_group!r}{near}")
    return tuple(groups)


def build_garp_groups(top: Reading) -> tuple[GarpGroup, ...]:
    """Intervals over interfaces."""
    groups = []
    for reading in top.readings("garp_groups"):
        given = reading.values("interfaces", "interface")
        interfaces = [entry.value for entry in reading.entries("interfaces")]
        if "interface" in reading.given:
            interfaces.insert(0, reading.given["interface"])
        if not interfaces:
            reading.warn("this garp_group has no interface, and is left out")
        elif not given:
            reading.warn("this garp_group has neither garp_interval nor gna_interval, and is left out")
        else:
            groups.append(GarpGroup(interfaces=tuple(dict.fromkeys(interfaces)), **given))
    return tuple(groups)
