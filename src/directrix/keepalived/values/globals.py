"""The global definitions."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from directrix.keepalived.values.instance import GratuitousArp
from directrix.keepalived.values.scripts import Fifo, Script
from directrix.lvs import Address

VRRP_GROUP4 = IPv4Address("224.0.0.18")
VRRP_GROUP6 = IPv6Address("ff02::12")
"""Where VRRP is spoken (RFC 5798, section 5.1)."""


class MailTls(enum.StrEnum):
    """How mail is kept from being read on its way: not at all, by STARTTLS, or TLS from the first byte."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Where alerts go.

    Attributes:
        recipients: addresses (`notification_email`); nobody is told if there are none.
        sender: empty for `keepalived@` and the host's name.
        server, port: of the mail server; no mail is sent without a server.
        helo_name: empty for the host's name.
        connect_timeout: seconds.
        tls, user, password: directrix's own.
        no_faults: don't tell of faults of VRRP instances.
        no_checkers: tell of real servers only as they come and go, not of each check.
    """

    recipients: tuple[str, ...] = ()
    sender: str = ""
    server: str = ""
    port: int = 25
    helo_name: str = ""
    connect_timeout: int = 30
    tls: MailTls = MailTls.NONE
    user: str = ""
    password: str = ""
    no_faults: bool = False
    no_checkers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDaemonSettings:
    """`lvs_sync_daemon`: IPVS's connection synchronisation.

    Attributes:
        interface: where messages are sent and heard.
        instance: VRRP instance whose state chooses between master and backup; empty for both at once.
        sync_id: 0 to 255; None for the instance's VRID, or 0.
        max_length, port, ttl: 0 for IPVS's own.
        group: None for IPVS's own.
    """

    interface: str
    instance: str = ""
    sync_id: int | None = None
    max_length: int = 0
    port: int = 0
    ttl: int = 0
    group: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LvsTimeouts:
    """`lvs_timeouts`: seconds; 0 leaves one as it is."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


class FlushOnStop(enum.StrEnum):
    """What is taken out of the table at the end: each server and service, each service, or everything."""

    SERVERS = "servers"
    SERVICES = "services"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalDefinitions:
    """`global_defs`, with the few words that stand outside of it.

    What is only a default for instances or real servers is worked out there, and stands here as it was given.

    Attributes:
        router_id: name of this director; empty for the host's name.
        net_namespace, net_namespace_ipvs: network namespaces to work in; empty for the one started in.
        instance: told apart from others by this name.
        mail: see `Mail`.
        smtp_alert, smtp_alert_vrrp, smtp_alert_checker: None if not given.
        checker_log_all_failures: default of the checks.
        rs_init_notifies: scripts are run also for what real servers are at the start.
        default_interface: of static addresses.
        sync_daemon: None without.
        lvs_timeouts: see `LvsTimeouts`.
        lvs_flush: the table is emptied at the start.
        lvs_flush_on_stop: see `FlushOnStop`.
        garp, garp_interval, gna_interval: defaults of the instances; intervals in seconds.
        vrrp_version, vrrp_strict, vrrp_mcast_group4, vrrp_mcast_group6, vrrp_skip_check_adv_addr,
            vrrp_check_unicast_src, vrrp_lower_prio_no_advert, vrrp_higher_prio_send_advert,
            vrrp_down_timer_adverts, vrrp_notify_priority_changes: defaults of the instances.
        vrrp_startup_delay: seconds from the start to the first instance.
        notify_fifo, vrrp_notify_fifo, lvs_notify_fifo: None without.
        fifo_write_vrrp_states_on_reload: tell all states again.
        startup_script, shutdown_script: run before everything, after everything; timeouts in seconds.
        script_user, script_group: of scripts without one of their own; empty for `keepalived_script`
            if there is such a user, else root.
        enable_script_security: refuse scripts that others than root could change.
        dynamic_interfaces: interfaces may come later.
        allow_if_changes: and come back as others.
        disable_local_igmp: don't report memberships of 224.0.0.0/24.
        log_unknown_vrids: log adverts for VRIDs nobody has configured.
        vmac_prefix, vmac_addr_prefix: names of virtual-MAC interfaces.
        umask: of files that are made.
    """

    router_id: str = ""
    net_namespace: str = ""
    net_namespace_ipvs: str = ""
    instance: str = ""
    mail: Mail = Mail()
    smtp_alert: bool | None = None
    smtp_alert_vrrp: bool | None = None
    smtp_alert_checker: bool | None = None
    checker_log_all_failures: bool = False
    rs_init_notifies: bool = False
    default_interface: str = "eth0"
    sync_daemon: SyncDaemonSettings | None = None
    lvs_timeouts: LvsTimeouts = LvsTimeouts()
    lvs_flush: bool = False
    lvs_flush_on_stop: FlushOnStop = FlushOnStop.SERVERS
    garp: GratuitousArp = field(default_factory=GratuitousArp)
    garp_interval: float = 0.0
    gna_interval: float = 0.0
    vrrp_version: int = 2
    vrrp_strict: bool = False
    vrrp_mcast_group4: IPv4Address = VRRP_GROUP4
    vrrp_mcast_group6: IPv6Address = VRRP_GROUP6
    vrrp_skip_check_adv_addr: bool = False
    vrrp_check_unicast_src: bool = False
    vrrp_lower_prio_no_advert: bool = False
    vrrp_higher_prio_send_advert: bool = False
    vrrp_down_timer_adverts: int = 3
    vrrp_notify_priority_changes: bool = False
    vrrp_startup_delay: float = 0.0
    notify_fifo: Fifo | None = None
    vrrp_notify_fifo: Fifo | None = None
    lvs_notify_fifo: Fifo | None = None
    fifo_write_vrrp_states_on_reload: bool = False
    startup_script: Script | None = None
    startup_script_timeout: int = 10
    shutdown_script: Script | None = None
    shutdown_script_timeout: int = 10
    script_user: str = ""
    script_group: str = ""
    enable_script_security: bool = False
    dynamic_interfaces: bool = False
    allow_if_changes: bool = False
    disable_local_igmp: bool = False
    log_unknown_vrids: bool = False
    vmac_prefix: str = "vrrp"
    vmac_addr_prefix: str = "vrrp"
    umask: int = 0o022
