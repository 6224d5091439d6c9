"""What an instance is told to do, in parts: addresses, authentication, peers, announcements, notifications."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address

from directrix.lvs.addresses import Address, Family
from directrix.system.interfaces import AddressFlag


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
class Fifo:
    """A named pipe that is told of every change, whose it is, and a program started with its path to read it."""

    path: str
    user: str = ""
    group: str = ""
    reader: Command | None = None
