"""VRRP instances and sync groups."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.keepalived.values.addresses import InterfaceAddress
from directrix.keepalived.values.routes import Route, Rule
from directrix.keepalived.values.scripts import Script
from directrix.keepalived.values.tracking import Track
from directrix.lvs import Address, Family


class InitialState(enum.StrEnum):
    """The state an instance wants to begin in."""

    MASTER = "MASTER"
    BACKUP = "BACKUP"


class AuthenticationType(enum.StrEnum):
    """Authentication of VRRP version 2 (RFC 2338): a password in clear, or IPsec's AH."""

    PASS = "PASS"
    AH = "AH"


@dataclass(frozen=True, slots=True)
class Authentication:
    """How adverts prove where they come from. `password` has at most eight bytes, as keepalived cuts it."""

    type: AuthenticationType
    password: bytes


@dataclass(frozen=True, slots=True)
class VirtualMac:
    """The virtual-MAC interface (macvlan) an instance works on.

    Attributes:
        interface: its name; empty for `vmac_prefix` of the global definitions, a dot and the VRID.
        mac: six bytes; None for the one RFC 5798 gives to the VRID.
    """

    interface: str = ""
    mac: bytes | None = None


@dataclass(frozen=True, slots=True)
class UnicastPeer:
    """A peer that adverts go to one by one; what comes from it is dropped outside these TTLs."""

    address: Address
    min_ttl: int = 0
    max_ttl: int = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class GratuitousArp:
    """How many gratuitous ARPs and unsolicited neighbour advertisements are sent, and when.

    Attributes:
        master_delay: seconds from becoming master to the second set; 0 for no second one.
        master_repeat: how many a set.
        lower_prio_delay, lower_prio_repeat: the same after an advert of lower priority was seen.
        master_refresh: seconds between sets while master; 0 for none.
        master_refresh_repeat: how many those are.
        extra_interval: seconds between sets on other interfaces that have VIPs; 0 for none.
        extra_all: on all of them, not only on virtual-MAC ones.
    """

    master_delay: int = 5
    master_repeat: int = 5
    lower_prio_delay: int = 5
    lower_prio_repeat: int = 5
    master_refresh: int = 0
    master_refresh_repeat: int = 1
    extra_interval: int = 0
    extra_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Scripts to run on changes of state, and who else is told.

    Attributes:
        master, backup, fault, stop, deleted: the `notify_*` scripts of each new state.
        any: `notify`, run after those with four more arguments: `GROUP` or `INSTANCE`, the name,
            the state, the priority.
        master_rx_lower_pri: run when a master hears an advert of lower priority.
        deleted_state: tell `DELETED`, not `FAULT`, of an instance that a reload removes.
        smtp_alert: send an e-mail.
        priority_changes: tell FIFOs of changed priorities.
    """

    master: Script | None = None
    backup: Script | None = None
    fault: Script | None = None
    stop: Script | None = None
    deleted: Script | None = None
    any: Script | None = None
    master_rx_lower_pri: Script | None = None
    deleted_state: bool = False
    smtp_alert: bool = False
    priority_changes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VrrpInstance:
    """`vrrp_instance`, with everything it takes over from the global definitions worked out.

    Attributes:
        name: unique.
        family: that of its first VIP; of what else it has, if it has none.
        state: where it begins; keepalived starts as backup unless its priority is 255.
        interface: where adverts are sent and heard; empty only with unicast.
        vrf: of an instance without interface.
        version: of the protocol, 2 or 3; IPv6 always has 3.
        virtual_router_id: 1 to 255.
        priority: 1 to 255; 255 owns the addresses.
        advert_int: seconds between adverts; whole ones in version 2, to the hundredth in version 3.
        authentication: version 2 only.
        virtual_mac: None without `use_vmac`.
        vmac_addr: virtual-MAC interfaces also for VIPs on other interfaces.
        vmac_xmit_base: send and hear adverts on `interface`, not on the virtual-MAC one.
        source: source address of adverts; None for the interface's own.
        track_source: its removal from the interface is a fault.
        multicast: group adverts go to without unicast peers.
        unicast_peers: all the others; adverts go to them one by one, not to `multicast`, if there are any.
        unicast_fault_no_peer: never multicast: without a peer the instance has a fault.
        unicast_ttl: TTL or hop limit of what is sent to peers.
        check_unicast_source: drop what doesn't come from a peer.
        old_unicast_checksum: True: as keepalived to 1.3.6; False: never; None: as the peer does.
        garp: gratuitous ARP.
        down_timer_adverts: lost adverts after which the master counts as down.
        lower_prio_no_advert: leave an advert of lower priority unanswered.
        higher_prio_send_advert: answer one of higher priority before stepping back.
        addresses: VIPs, told in adverts.
        excluded_addresses: further ones, not told.
        promote_secondaries: set that sysctl on the interface.
        routes, rules: come and go with the addresses.
        accept: take packets to the VIPs also without owning them.
        preempt: take over from a master of lower priority.
        preempt_delay: seconds to wait before doing so.
        skip_check_adv_addr: compare the addresses in adverts only when the sender changed.
        strict: keep to the RFC strictly.
        dont_track_primary: the state of `interface` doesn't matter.
        track_interface, track_script, track_process, track_file: what is followed.
        notify: whom to tell.
        debug: 0 to 4.
        rx_buffer: bytes of the receive buffer; 0 for the system's.
    """

    name: str
    family: Family = Family.INET
    state: InitialState = InitialState.BACKUP
    interface: str = ""
    vrf: str = ""
    version: int = 2
    virtual_router_id: int
    priority: int = 100
    advert_int: float = 1.0
    authentication: Authentication | None = None
    virtual_mac: VirtualMac | None = None
    vmac_addr: bool = False
    vmac_xmit_base: bool = False
    source: Address | None = None
    track_source: bool = False
    multicast: Address
    unicast_peers: tuple[UnicastPeer, ...] = ()
    unicast_fault_no_peer: bool = False
    unicast_ttl: int = 255
    check_unicast_source: bool = False
    old_unicast_checksum: bool | None = None
    garp: GratuitousArp = GratuitousArp()
    down_timer_adverts: int = 3
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    addresses: tuple[InterfaceAddress, ...] = ()
    excluded_addresses: tuple[InterfaceAddress, ...] = ()
    promote_secondaries: bool = False
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    accept: bool = True
    preempt: bool = True
    preempt_delay: float = 0.0
    skip_check_adv_addr: bool = False
    strict: bool = False
    dont_track_primary: bool = False
    track_interface: tuple[Track, ...] = ()
    track_script: tuple[Track, ...] = ()
    track_process: tuple[Track, ...] = ()
    track_file: tuple[Track, ...] = ()
    notify: Notify = Notify()
    debug: int = 0
    rx_buffer: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncGroup:
    """`vrrp_sync_group`: instances that change state together.

    Attributes:
        name: unique.
        instances: their names.
        track_*: followed on behalf of all of them.
        tracking_weight: weights may differ between the instances (`sync_group_tracking_weight`).
        notify: whom to tell.
    """

    name: str
    instances: tuple[str, ...]
    track_interface: tuple[Track, ...] = ()
    track_script: tuple[Track, ...] = ()
    track_process: tuple[Track, ...] = ()
    track_file: tuple[Track, ...] = ()
    tracking_weight: bool = False
    notify: Notify = Notify()


@dataclass(frozen=True, slots=True, kw_only=True)
class GarpGroup:
    """`garp_group`: seconds between gratuitous ARPs and neighbour advertisements over these interfaces together."""

    interfaces: tuple[str, ...]
    garp_interval: float = 0.0
    gna_interval: float = 0.0
