"""What VRRP is told to do: values, checked for what no router could keep to.

The daemon fills them from keepalived.conf; the words are that language's. Times are seconds, but the advertisement
interval, which is hundredths of a second as on the wire.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from directrix.lvs.addresses import Address, Family, family_of
from directrix.system.interfaces import AddressFlag

_Value = TypeVar("_Value")

OWNER = 255
"""The priority of the router whose own addresses the virtual ones are."""

MULTICAST: dict[Family, Address] = {
    Family.INET: IPv4Address("224.0.0.18"),
    Family.INET6: IPv6Address("ff02::12"),
}

_LONGEST = {2: 25_500, 3: 4_095}
"""The longest advertisement interval of a version, in hundredths of a second: 8 bits of seconds, 12 of hundredths."""


class InvalidConfiguration(ValueError):
    """A value that no virtual router can have: what was asked, and what is possible."""


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address that goes with the mastership.

    Attributes:
        address: it.
        prefix_length: of its network; 32 or 128 by default in keepalived.conf.
        device: where it is put; empty for the instance's own interface.
        broadcast: its broadcast address, if it shall have one.
        label: the name ifconfig(8) shows it by (IPv4).
        scope: as in rtnetlink(7): 0 global, 253 link, 254 host.
        peer: the address at the other end of a point-to-point link.
        flags: more than that. IPv6 addresses are usable at once: no duplicate address detection without being asked.
        deprecated: not to be chosen as a source address (IPv6). keepalived does so with every /128.
    """

    address: Address
    prefix_length: int
    device: str = ""
    broadcast: IPv4Address | None = None
    label: str = ""
    scope: int = 0
    peer: Address | None = None
    flags: AddressFlag = AddressFlag.NODAD
    deprecated: bool = False

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_length}"


@dataclass(frozen=True, slots=True)
class Routing:
    """A route or a rule that goes with the mastership: of which family, and the words behind `ip route add`."""

    family: Family
    words: tuple[str, ...]


class AuthenticationType(enum.IntEnum):
    """How a version 2 advertisement is vouched for; the numbers are those on the wire (RFC 2338)."""

    NONE = 0
    PASS = 1
    AH = 2


@dataclass(frozen=True, slots=True)
class Authentication:
    """Authentication of version 2 over IPv4.

    Attributes:
        type: PASS or AH.
        password: at most eight bytes; longer ones are cut by keepalived, so they are refused here.
    """

    type: AuthenticationType
    password: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.password) <= 8:
            raise InvalidConfiguration(f"a password of {len(self.password)} bytes: VRRP has room for 1 to 8")

    @property
    def data(self) -> bytes:
        """The eight bytes on the wire, and the key of AH."""
        return self.password.ljust(8, b"\0")


@dataclass(frozen=True, slots=True)
class Peer:
    """A router that is spoken to by unicast; adverts from it must come with a TTL between these, if they are given."""

    address: Address
    min_ttl: int = 0
    max_ttl: int = 255


class OldChecksum(enum.Enum):
    """Whether unicast adverts of version 3 over IPv4 are summed as old keepalived did: as if they were multicast."""

    DETECT = "detect"
    """As soon as a peer is heard that does so."""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class VirtualMac:
    """The interface of the virtual MAC address (`use_vmac`), a macvlan above the instance's interface.

    Attributes:
        name: its name; empty for `vrrp.VRID` (IPv6: `vrrp6.VRID`).
        transmit_from_base: adverts come from the interface below and its MAC (`vmac_xmit_base`).
        address: another MAC address than the RFC's; empty for the RFC's.
    """

    name: str = ""
    transmit_from_base: bool = False
    address: bytes = b""


@dataclass(frozen=True, slots=True)
class Gratuitous:
    """When neighbours are told where the virtual addresses are: gratuitous ARP, unsolicited neighbour advertisements.

    Attributes:
        master_delay: seconds after becoming master until they are told again; 0 for never.
        master_repeat: how often they are told each time.
        refresh, refresh_repeat: tell again every so many seconds (0 for never), so often.
        lower_prio_delay, lower_prio_repeat: the same after an advert of a weaker master; None for the master values.
        arp_interval, na_interval: seconds between two messages on an interface.
    """

    master_delay: float = 5.0
    master_repeat: int = 5
    refresh: float = 0.0
    refresh_repeat: int = 1
    lower_prio_delay: float | None = None
    lower_prio_repeat: int | None = None
    arp_interval: float = 0.0
    na_interval: float = 0.0

    @property
    def after_weaker(self) -> tuple[int, float]:
        """How often after an advert of a weaker master, and after how many seconds once more."""
        repeat = self.master_repeat if self.lower_prio_repeat is None else self.lower_prio_repeat
        delay = self.master_delay if self.lower_prio_delay is None else self.lower_prio_delay
        return repeat, delay


@dataclass(frozen=True, slots=True)
class Command:
    """A program to be run: its words, and the user and group it runs as (empty for our own)."""

    words: tuple[str, ...]
    user: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.words:
            raise InvalidConfiguration("a command without words: name the program to be run")


@dataclass(frozen=True, slots=True)
class Notify:
    """What is run when a state changes.

    Attributes:
        master, backup, fault, stop: on entering that state. They get no arguments of ours.
        deleted: when a reload has taken the instance away.
        deleted_state: then DELETED is told; without it FAULT is, and `fault` run, as keepalived does.
        any: on every change, with `INSTANCE|GROUP NAME STATE PRIORITY` behind its own words.
        master_rx_lower_pri: when a master hears a weaker one.
        priority_changes: also tell the FIFO of changed priorities.
    """

    master: Command | None = None
    backup: Command | None = None
    fault: Command | None = None
    stop: Command | None = None
    deleted: Command | None = None
    deleted_state: bool = False
    any: Command | None = None
    master_rx_lower_pri: Command | None = None
    priority_changes: bool = False


@dataclass(frozen=True, slots=True)
class Tracked:
    """Something whose state decides on mastership.

    Attributes:
        name: of the interface, script, process or file.
        weight: what it adds to the priority when it is well (positive), or takes off when it is not (negative). With 0
            the instance is in FAULT while it is not well. None for the weight its definition has.
        reverse: well and not well change places. None for what its definition says.
    """

    name: str
    weight: int | None = None
    reverse: bool | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """All that an instance or a group tracks."""

    interfaces: tuple[Tracked, ...] = ()
    scripts: tuple[Tracked, ...] = ()
    processes: tuple[Tracked, ...] = ()
    files: tuple[Tracked, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A program whose exit status is tracked (`vrrp_script`).

    Attributes:
        interval: seconds from one start to the next.
        timeout: seconds it may take; None for `interval`.
        rise, fall: how many results in a row change its state.
        initially_failed: counts as failed until it succeeded (`init_fail`), else it is waited for.
    """

    name: str
    command: Command
    interval: float = 1.0
    timeout: float | None = None
    weight: int = 0
    reverse: bool = False
    rise: int = 1
    fall: int = 1
    initially_failed: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file whose first number is tracked (`track_file`); one that is not there counts as 0.

    Its number times the weight is added to the priority; -254 or less is FAULT. With weight 0, any number but 0 is.
    `initial` is written into it at the start if it is not there (`init_file`), or anyway if `overwrite`.
    """

    name: str
    path: str
    weight: int = 1
    reverse: bool = False
    initial: int | None = None
    overwrite: bool = False


class ParameterMatch(enum.Enum):
    """How the parameters of a tracked process are compared."""

    EXACT = "exact"
    INITIAL = "initial"
    """Those that are named come first; the last may be the beginning of one."""
    PARTIAL = "partial"
    """Those that are named come first; more may follow."""


@dataclass(frozen=True, slots=True)
class Process:
    """A program of which so many must run (`vrrp_track_process`).

    Attributes:
        program: its name, or its path as it was started if it has a slash.
        parameters: compare these too, by `match`; None for any.
        full_command: compare the command line as it was given instead of the kernel's name of the process.
        quorum, quorum_max: how many must run at least and at most; None for any number.
        start_delay, end_delay: seconds that a gained or lost quorum must last (`fork_delay`, `terminate_delay`).
    """

    name: str
    program: str
    parameters: tuple[str, ...] | None = None
    match: ParameterMatch = ParameterMatch.EXACT
    full_command: bool = False
    weight: int = 1
    reverse: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    start_delay: float = 0.0
    end_delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Instance:
    """A virtual router (`vrrp_instance`).

    Attributes:
        name: unique.
        interface: where its routers meet.
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
    unicast_ttl: int = 255
    check_unicast_source: bool = False
    old_checksum: OldChecksum = OldChecksum.DETECT
    group: Address | None = None
    virtual_mac: VirtualMac | None = None
    nopreempt: bool = False
    preempt_delay: float = 0.0
    accept: bool = True
    promote_secondaries: bool = False
    gratuitous: Gratuitous = Gratuitous()
    down_adverts: int = 3
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    skip_check_addresses: bool = False
    track_interface: bool = True
    tracking: Tracking = Tracking()
    notify: Notify = Notify()

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
    tracking: Tracking = Tracking()
    weights_count: bool = False
    notify: Notify = Notify()


@dataclass(frozen=True, slots=True)
class Fifo:
    """A named pipe that is told of every change, whose it is, and a program started with its path to read it."""

    path: str
    user: str = ""
    group: str = ""
    reader: Command | None = None


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
