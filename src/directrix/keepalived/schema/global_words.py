"""`global_defs`, and the global words that stand outside of it."""

from __future__ import annotations

from directrix.keepalived.commands import ScriptKind, User
from directrix.keepalived.kinds import (
    INTERFACE,
    AddressKind,
    Anything,
    Choice,
    Entries,
    Number,
    Presence,
    Seconds,
    Switch,
    Text,
)
from directrix.keepalived.schema.garp_words import garp_words
from directrix.keepalived.schema.global_kinds import (
    DynamicInterfaces,
    FifoKind,
    FlushOnStopKind,
    LvsTimeoutsKind,
    MailServer,
    MinimalGarp,
    SyncDaemonKind,
    Umask,
)
from directrix.keepalived.values import MailTls
from directrix.keepalived.words import Block, Keyword, unused

_ONE_PROCESS = "directrix is one process"
_BUFFERS = "netlink sockets get the room they need"
_SCHEDULING = "systemd schedules the service: CPUSchedulingPolicy=, Nice=, CPUAffinity= in its unit"
_SNMP = "there is no SNMP; `directrix run` has an HTTP API and metrics"
_DBUS = "there is no D-Bus interface; `directrix run` has an HTTP API and metrics"
_FIREWALL = "no firewall is needed: packets to VIPs that aren't accepted are dropped without one"
_CHECKED = "a reload is always read whole and checked first, and refused if there is a mistake"
_FIFO = ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo")
_FIFO_OF = {"notify_fifo": "all events", "vrrp_notify_fifo": "VRRP events", "lvs_notify_fifo": "events of checks"}


def _fifo_words() -> tuple[Keyword, ...]:
    words = []
    for name in _FIFO:
        pipe = FifoKind((f"{name}.path", f"{name}.user", f"{name}.group"))
        words.append(Keyword(name, pipe, f"named pipe that {_FIFO_OF[name]} are written to", f"{name}.path"))
        reader = f"program that reads `{name}`; its path is the last argument"
        words.append(Keyword(f"{name}_script", ScriptKind(), reader, f"{name}.script"))
    return tuple(words)


def _process_words() -> tuple[Keyword, ...]:
    """The words of which there is one for each of keepalived's processes."""
    words = []
    for process in ("vrrp", "checker", "bfd"):
        words += [
            unused(f"{process}_process_name", _ONE_PROCESS, "<NAME>"),
            unused(f"{process}_priority", _SCHEDULING, "<-20..19>"),
            unused(f"{process}_no_swap", _SCHEDULING),
            unused(f"{process}_cpu_affinity", _SCHEDULING, "<CPU>…"),
            unused(f"{process}_rt_priority", _SCHEDULING, "<1-99>"),
            unused(f"{process}_rlimit_rttime", _SCHEDULING, "<NUMBER>", also=(f"{process}_rlimit_rtime",)),
        ]
    for socket in ("vrrp_netlink_cmd", "vrrp_netlink_monitor", "lvs_netlink_cmd", "lvs_netlink_monitor"):
        words.append(unused(f"{socket}_rcv_bufs", _BUFFERS, "<BYTES>"))
        words.append(unused(f"{socket}_rcv_bufs_force", _BUFFERS, "<BOOL>"))
    return tuple(words)


GLOBAL_DEFS = Block(
    "global_defs",
    (
        Keyword("router_id", Text(), "name of this director; its host's name by default", old=("lvs_id",)),
        Keyword("notification_email", Entries(Text("a mail address"), many=True), "whom to mail", "mail.recipients"),
        Keyword("notification_email_from", Text("a mail address"), "sender of mail", "mail.sender"),
        Keyword("smtp_server", MailServer(), "where to hand in mail", "mail.server"),
        Keyword("smtp_helo_name", Text(), "name to give to the mail server", "mail.helo_name"),
        Keyword("smtp_connect_timeout", Number(0, 4294), "seconds to wait for it", "mail.connect_timeout"),
        Keyword(
            "smtp_tls",
            Choice({mode.value: mode for mode in MailTls}),
            "whether to speak TLS to it: not, after STARTTLS, or from the first byte",
            "mail.tls",
            ours=True,
        ),
        Keyword("smtp_user", Text("a user"), "log in to it as", "mail.user", ours=True),
        Keyword("smtp_password", Text("a password"), "log in to it with", "mail.password", ours=True),
        Keyword("smtp_alert", Switch(), "default of every `smtp_alert`"),
        Keyword("smtp_alert_vrrp", Switch(), "default of `smtp_alert` in VRRP"),
        Keyword("smtp_alert_checker", Switch(), "default of `smtp_alert` in virtual and real servers"),
        Keyword("no_email_faults", Presence(), "no mail about faults of instances", "mail.no_faults"),
        Keyword("no_checker_emails", Presence(), "mail only as servers come and go", "mail.no_checkers"),
        Keyword("checker_log_all_failures", Switch(), "log also failures that are forgiven"),
        Keyword("rs_init_notifies", Switch(), "run scripts also for what servers are at the start"),
        Keyword("startup_script", ScriptKind(), "run before everything"),
        Keyword("startup_script_timeout", Number(1, 1000), "seconds it may take"),
        Keyword("shutdown_script", ScriptKind(), "run after everything"),
        Keyword("shutdown_script_timeout", Number(1, 1000), "seconds it may take"),
        Keyword("script_user", User(("script_user", "script_group")), "whom scripts run as that name nobody"),
        Keyword("enable_script_security", Presence(), "refuse scripts that others than root could change"),
        *_fifo_words(),
        Keyword("fifo_write_vrrp_states_on_reload", Presence(), "tell all states again after a reload"),
        Keyword("default_interface", INTERFACE, "where static addresses go that name none"),
        Keyword("dynamic_interfaces", DynamicInterfaces(), "interfaces may come later"),
        Keyword("disable_local_igmp", Presence(), "report no memberships of 224.0.0.0/24"),
        Keyword("umask", Umask(), "of files that are made"),
        Keyword("lvs_sync_daemon", SyncDaemonKind(), "synchronise connections with the other director", "sync_daemon"),
        Keyword("lvs_timeouts", LvsTimeoutsKind(), "idle times of connections"),
        Keyword("lvs_flush", Presence(), "empty the table at the start"),
        Keyword(
            "lvs_flush_on_stop",
            FlushOnStopKind(),
            "empty the table at the end, in one stroke",
            old=("lvs_flush_onstop",),
        ),
        Keyword("vrrp_version", Number(2, 3), "default version of the protocol"),
        Keyword("vrrp_strict", Switch(), "keep to the RFC strictly"),
        Keyword("vrrp_mcast_group4", AddressKind(4, multicast=True), "where adverts go"),
        Keyword("vrrp_mcast_group6", AddressKind(6, multicast=True), "where adverts go"),
        Keyword("vrrp_min_garp", MinimalGarp(), "one gratuitous ARP, and no second set", shorthand=True),
        *garp_words("vrrp_"),
        Keyword("vrrp_garp_interval", Seconds(), "between gratuitous ARPs of an interface", "garp_interval"),
        Keyword("vrrp_gna_interval", Seconds(), "between neighbour advertisements of an interface", "gna_interval"),
        Keyword("vrrp_down_timer_adverts", Number(1, 100), "adverts that may be lost before the master is down"),
        Keyword("vrrp_lower_prio_no_advert", Switch(), "leave adverts of lower priority unanswered"),
        Keyword("vrrp_higher_prio_send_advert", Switch(), "answer adverts of higher priority before stepping back"),
        Keyword("vrrp_check_unicast_src", Presence(), "drop what comes from no peer"),
        Keyword("vrrp_skip_check_adv_addr", Switch(), "compare the addresses in adverts only when the sender changed"),
        Keyword("vrrp_notify_priority_changes", Switch(), "tell named pipes of changed priorities"),
        Keyword("vrrp_startup_delay", Seconds(0.001), "from the start to the first instance"),
        Keyword("log_unknown_vrids", Presence(), "log adverts for VRIDs nobody has configured"),
        Keyword("vmac_prefix", Text("a prefix", 11), "how names of virtual-MAC interfaces begin"),
        Keyword("vmac_addr_prefix", Text("a prefix", 11), "the same for those of VIPs on other interfaces"),
        unused("tmp_config_directory", "no copy of the configuration is kept", "<DIRECTORY>"),
        unused("config_save_dir", "no copy of the configuration is kept", "<DIRECTORY>"),
        unused("process_names", _ONE_PROCESS),
        unused("process_name", _ONE_PROCESS, "<NAME>"),
        unused("lvs_process_name", _ONE_PROCESS, "<NAME>"),
        unused("vrrp_iptables", _FIREWALL, "[<CHAIN> [<CHAIN>]]"),
        unused("vrrp_ipsets", _FIREWALL, "[<NAME>…]"),
        unused("iptables", _FIREWALL, "[<CHAIN> [<CHAIN>]]"),
        unused("nftables", _FIREWALL, "[<TABLE>]"),
        unused("nftables_priority", _FIREWALL, "<NUMBER>"),
        unused("nftables_counters", _FIREWALL),
        unused("nftables_ifindex", _FIREWALL),
        unused("namespace_with_ipsets", _FIREWALL),
        unused("nftables_ipvs", "a group needs no firewall marks to be quick", "[<TABLE>]"),
        unused("nftables_ipvs_priority", "a group needs no firewall marks to be quick", "<NUMBER>"),
        unused("nftables_ipvs_start_fwmark", "a group needs no firewall marks to be quick", "<NUMBER>"),
        unused("max_auto_priority", _SCHEDULING, "[<-1..99>]"),
        unused("min_auto_priority_delay", _SCHEDULING, "<MICROSECONDS>"),
        *_process_words(),
        unused("process_monitor_rcv_bufs", _BUFFERS, "<BYTES>"),
        unused("process_monitor_rcv_bufs_force", _BUFFERS, "<BOOL>"),
        unused("vrrp_rx_bufs_policy", "sockets have the system's buffers", "MTU|ADVERT|<NUMBER>"),
        unused("vrrp_rx_bufs_multiplier", "sockets have the system's buffers", "<NUMBER>"),
        unused("snmp_socket", _SNMP, "<SOCKET>"),
        unused("enable_snmp_vrrp", _SNMP, also=("enable_snmp_keepalived",)),
        unused("enable_snmp_checker", _SNMP),
        unused("enable_snmp_rfc", _SNMP),
        unused("enable_snmp_rfcv2", _SNMP),
        unused("enable_snmp_rfcv3", _SNMP),
        unused("enable_traps", _SNMP),
        unused("enable_dbus", _DBUS),
        unused("dbus_service_name", _DBUS, "<NAME>"),
        unused("reload_check_config", _CHECKED, "[<FILE>]"),
        unused("reload_time_file", "a systemd timer can reload at a given time", "<FILE>"),
        unused("reload_repeat", "a systemd timer can reload at a given time"),
        unused("reload_file", "files are read in one go; replace them by renaming", "[<FILE>]"),
        unused(
            "data_use_instance", "there are no data files; `directrix show` tells what the daemon knows", "[<BOOL>]"
        ),
        Keyword("random_seed", Number(0, 0xFFFFFFFF), "make `${_RANDOM}` repeatable", heeded=True),
        Keyword("include_check", Anything("[<CHECK>…]"), "which missing include files are mistakes", heeded=True),
    ),
)
"""Words of `global_defs`; fields are those of `GlobalDefinitions`."""

OUTSIDE = (
    Keyword("net_namespace", Text(), "network namespace to work in", "globals.net_namespace"),
    Keyword("net_namespace_ipvs", Text(bare=True), "network namespace of the table", "globals.net_namespace_ipvs"),
    Keyword("instance", Text(), "what tells this director from others on the same host", "globals.instance"),
    unused("namespace_with_ipsets", _FIREWALL),
    unused("use_pid_dir", "there are no PID files; systemd knows the process"),
    unused("linkbeat_use_polling", "the kernel tells of links by itself"),
    unused("child_wait_time", _ONE_PROCESS, "<SECONDS>"),
)
"""Global words outside of `global_defs`."""
