"""What VRRP is told to do: values, checked for what no router could keep to.

The daemon fills them from keepalived.conf; the words are that language's. Times are seconds, but the advertisement
interval, which is hundredths of a second as on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from directrix.lvs.addresses import Address, Family, family_of
from directrix.vrrp.tracked import File, LinkDelay, Process, Script, Tracking
from directrix.vrrp.values import (
    Authentication,
    AuthenticationType,
    Fifo,
    Gratuitous,
    InvalidConfiguration,
    Notify,
    OldChecksum,
    Peer,
    Routing,
    VirtualAddress,
    VirtualMac,
)

_Value = TypeVar("_Value")

OWNER = 255
"""The priority of the router whose own addresses the virtual ones are."""

MULTICAST: dict[Family, Address] = {
    Family.INET: IPv4Address("224.0.0.18"),
    Family.INET6: IPv6Address("ff02::12"),
}

_LONGEST = {2: 25_500, 3: 4_095}
"""The longest advertisement interval of a version, in hundredths of a second: 8 bits of seconds, 12 of hundredths."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A virtual router (`vrrp_instance`).

    Attributes:
        name: unique.
        interface: where its routers meet. With peers, a source and devices for its addresses it may be empty: then the
            routing table says which way adverts go.
        vrid: virtual router id, 1 to 255.
        priority: 1 to 255; 255 is the owner's.
        version: 2 (RFC 3768) or 3 (RFC 5798).
        family: of adverts and of `addresses`.
        starts_as_master: `state MASTER`: an owner is master at once.
        interval: between two adverts, in hundredths of a second. Version 2 knows whole seconds.
        addresses, excluded: virtual addresses, and those that adverts don't mention (either family).
        routes, rules: what is given to `ip route add` and `ip rule add` by the master.
        authentication: of version 2 over IPv4.
        source: where adverts come from; None for the interface's first address (IPv6: link-local).
        track_source: FAULT while `source` is not on the interface (`track_src_ip`).
        peers: speak to these by unicast instead of multicast.
        fault_without_peer: never by multicast: without peers it is in FAULT (`unicast_fault_no_peer`).
        unicast_ttl: of adverts to peers.
        check_unicast_source: drop adverts of routers that are no peers.
        group: multicast address; None for that of the protocol.
        nopreempt: leave a weaker master in place.
        preempt_delay: seconds that a weaker master may stay after it was first heard.
        accept: what arrives for the virtual addresses is accepted also by one who is not their owner.
        promote_secondaries: set that parameter of the interface, so that removing an address takes no other away.
        down_adverts: how many adverts may be missing (`down_timer_adverts`).
        lower_prio_no_advert: don't answer a weaker master.
        higher_prio_send_advert: answer a stronger one before giving way.
        skip_check_addresses: compare addresses only in the first advert of a master (`skip_check_adv_addr`).
        track_interface: the interface itself is tracked (not so with `dont_track_primary`).
    """

    name: str
    interface: str
    vrid: int
    priority: int = 100
    version: int = 2
    family: Family = Family.INET
    starts_as_master: bool = False
    interval: int = 100
    addresses: tuple[VirtualAddress, ...] = ()
    excluded: tuple[VirtualAddress, ...] = ()
    routes: tuple[Routing, ...] = ()
    rules: tuple[Routing, ...] = ()
    authentication: Authentication | None = None
    source: Address | None = None
    track_source: bool = False
    peers: tuple[Peer, ...] = ()
    fault_without_peer: bool = False
    unicast_ttl: int = 255
    check_unicast_source: bool = False
    old_checksum: OldChecksum = OldChecksum.DETECT
    group: Address | None = None
    virtual_mac: VirtualMac | None = None
    nopreempt: bool = False
    preempt_delay: float = 0.0
    accept: bool = True
    promote_secondaries: bool = False
    gratuitous: Gratuitous = field(default_factory=Gratuitous)
    down_adverts: int = 3
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    skip_check_addresses: bool = False
    track_interface: bool = True
    tracking: Tracking = field(default_factory=Tracking)
    notify: Notify = field(default_factory=Notify)

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise InvalidConfiguration(f"vrrp_instance {self.name}: {fault}")

    @property
    def key(self) -> tuple[str, Family, int]:
        """What tells one virtual router of this machine from another."""
        return self.interface, self.family, self.vrid

    @property
    def authentication_type(self) -> AuthenticationType:
        """How its adverts are vouched for."""
        return AuthenticationType.NONE if self.authentication is None else self.authentication.type

    @property
    def multicast_group(self) -> Address:
        """Where its adverts go without peers."""
        return self.group or MULTICAST[self.family]

    @property
    def device(self) -> str:
        """Where its virtual addresses are put: the interface, or that of the virtual MAC."""
        if self.virtual_mac is None:
            return self.interface
        return self.virtual_mac.name or f"vrrp{'' if self.family is Family.INET else 6}.{self.vrid}"

    @property
    def transmits_from(self) -> str:
        """The interface its adverts come and go by."""
        from_base = self.virtual_mac is not None and self.virtual_mac.transmit_from_base
        return self.interface if from_base else self.device

    @property
    def mac(self) -> bytes:
        """The virtual router's MAC address (RFC 5798 section 7.3)."""
        if self.virtual_mac is not None and self.virtual_mac.address:
            return self.virtual_mac.address
        return bytes((0x00, 0x00, 0x5E, 0x00, 0x01 if self.family is Family.INET else 0x02, self.vrid))

    @property
    def advertised(self) -> tuple[Address, ...]:
        """The addresses in its adverts."""
        return tuple(virtual.address for virtual in self.addresses)

    def _faults(self) -> Iterator[str]:
        if not 1 <= self.vrid <= 255:
            yield f"virtual_router_id {self.vrid}: it goes from 1 to 255"
        if not 1 <= self.priority <= 255:
            yield f"priority {self.priority}: it goes from 1 to 255"
        if self.version not in (2, 3):
            yield f"version {self.version}: there are 2 and 3"
        elif not 1 <= self.interval <= _LONGEST[self.version]:
            longest = _LONGEST[self.version] / 100
            yield f"advert_int {self.interval / 100:g}: version {self.version} knows 0.01 to {longest:g} seconds"
        elif self.version == 2 and self.interval % 100:
            yield f"advert_int {self.interval / 100:g}: version 2 knows whole seconds; use version 3"
        if len(self.addresses) > 255:
            yield f"{len(self.addresses)} addresses: an advert has room for 255; make the rest excluded ones"
        for virtual in self.addresses:
            if family_of(virtual.address) is not self.family:
                yield f"{virtual.address} among addresses of the other family: make it an excluded one"
        for address in (self.source, self.group, *(peer.address for peer in self.peers)):
            if address is not None and family_of(address) is not self.family:
                yield f"{address}: its adverts are of the other family"
        if self.authentication is not None and (self.version != 2 or self.family is not Family.INET):
            yield "authentication: only version 2 over IPv4 has one"
        if not self.interface and not (self.peers and self.source):
            yield "no interface: that takes unicast peers and a source address"
        if not self.interface and self.virtual_mac is not None:
            yield "no interface: a virtual MAC address needs one"
        if self.down_adverts < 1:
            yield f"down_timer_adverts {self.down_adverts}: at least 1"


@dataclass(frozen=True, slots=True)
class Group:
    """Instances that are master together or not at all (`vrrp_sync_group`).

    Attributes:
        tracking: tracked for all members.
        weights_count: also what single members track may change their priorities; else it counts as if it had weight 0
            (`sync_group_tracking_weight`). What the group tracks has its weights in any case.
    """

    name: str
    members: tuple[str, ...]
    tracking: Tracking = field(default_factory=Tracking)
    weights_count: bool = False
    notify: Notify = field(default_factory=Notify)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All virtual routers of this machine (of this network namespace).

    Attributes:
        startup_delay: seconds after the start before anything of VRRP happens.
    """

    instances: tuple[Instance, ...] = ()
    groups: tuple[Group, ...] = ()
    scripts: tuple[Script, ...] = ()
    processes: tuple[Process, ...] = ()
    files: tuple[File, ...] = ()
    fifos: tuple[Fifo, ...] = ()
    link_delays: tuple[LinkDelay, ...] = ()
    startup_delay: float = 0.0

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise InvalidConfiguration(fault)

    def _faults(self) -> Iterator[str]:
        names = [instance.name for instance in self.instances]
        yield from (f"two instances are called {name}" for name in _twice(names))
        for interface, family, vrid in _twice([instance.key for instance in self.instances]):
            yield f"two instances have virtual_router_id {vrid} on {interface} for {family.name}"
        grouped = [member for group in self.groups for member in group.members]
        yield from (f"instance {name} is in two groups" for name in _twice(grouped))
        yield from (f"a group names {name}, and there is no such instance" for name in grouped if name not in names)
        known = {
            "scripts": {script.name for script in self.scripts},
            "processes": {process.name for process in self.processes},
            "files": {file.name for file in self.files},
        }
        trackers = [(instance.name, instance.tracking) for instance in self.instances]
        trackers += [(group.name, group.tracking) for group in self.groups]
        for name, tracking in trackers:
            for kind, there in known.items():
                for tracked in getattr(tracking, kind):
                    if tracked.name not in there:
                        yield f"{name} tracks {tracked.name}, which is not among the {kind}"


def _twice(values: list[_Value]) -> Iterator[_Value]:
    seen: set[_Value] = set()
    for value in values:
        if value in seen:
            yield value
        seen.add(value)
