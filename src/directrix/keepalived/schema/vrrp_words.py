"""Everything about VRRP: instances, sync groups, what they follow, and what is static beside them."""

from __future__ import annotations

from directrix.keepalived.commands import CommandKind, ScriptKind, User
from directrix.keepalived.interface_addresses import InterfaceAddressLine
from directrix.keepalived.kinds import (
    INTERFACE,
    AddressKind,
    Anything,
    Choice,
    Entries,
    Kind,
    Number,
    Presence,
    Present,
    Seconds,
    Switch,
    Text,
)
from directrix.keepalived.routes import RouteLine
from directrix.keepalived.rules import RuleLine
from directrix.keepalived.schema.garp_words import garp_words
from directrix.keepalived.schema.vrrp_kinds import (
    BothDelays,
    InitFile,
    InterfaceDelayLine,
    NotifyDeleted,
    OldChecksum,
    Password,
    Process,
    TrackLine,
    UnicastPeerLine,
    VirtualMacKind,
    Weight,
)
from directrix.keepalived.values import AuthenticationType, InitialState, ParameterMatch
from directrix.keepalived.words import Block, Header, Keyword, Section, unused

_BFD = "BFD is not spoken here; follow an interface, a script or a file"
_NAME = Header(Text(), "name")
FILE_WEIGHT = (-(2**31) + 1, 2**31 - 1)

_TRACKS = (
    Keyword("track_interface", Entries(TrackLine(-253, 253)), "interfaces to follow"),
    Keyword("track_script", Entries(TrackLine(-253, 253)), "vrrp_scripts to follow"),
    Keyword("track_process", Entries(TrackLine(-254, 254)), "vrrp_track_processes to follow"),
    Keyword("track_file", Entries(TrackLine(-254, 254)), "track_files to follow"),
    unused("track_bfd", _BFD, "{ <NAME> … }"),
)


def _notify(name: str, meaning: str, kind: Kind | None = None) -> Keyword:
    field = "any" if name == "notify" else name.removeprefix("notify_")
    return Keyword(name, kind or ScriptKind(), meaning, f"notify.{field}")


_NOTIFY = (
    _notify("notify_master", "run on becoming master"),
    _notify("notify_backup", "run on becoming backup"),
    _notify("notify_fault", "run on a fault"),
    _notify("notify_stop", "run at the end"),
    _notify("notify_deleted", "tell DELETED of what a reload removes, and run this", NotifyDeleted()),
    _notify("notify", "run on every change, with its kind, name, state and priority as last arguments"),
    _notify("notify_priority_changes", "tell named pipes of changed priorities", Switch()),
    Keyword("smtp_alert", Switch(), "mail on every change", "notify.smtp_alert"),
)

AUTHENTICATION = Block(
    "authentication",
    (
        Keyword(
            "auth_type",
            Choice({"PASS": AuthenticationType.PASS, "AH": AuthenticationType.AH}, "kind of authentication"),
            "a password in clear, or IPsec's AH",
            "authentication.type",
        ),
        Keyword("auth_pass", Password(), "the password; eight bytes count", "authentication.password"),
    ),
)

INSTANCE = Block(
    "vrrp_instance",
    (
        Keyword("state", Choice({state.value: state for state in InitialState}), "the state to begin in"),
        Keyword("interface", INTERFACE, "where adverts are sent and heard"),
        Keyword("vrf", INTERFACE, "of an instance with unicast and without interface"),
        Keyword("version", Number(2, 3), "of the protocol; IPv6 always has 3"),
        Keyword("virtual_router_id", Number(1, 255), "what tells instances on one network apart"),
        Keyword("priority", Number(1, 255), "the highest becomes master; 255 owns the addresses"),
        Keyword("advert_int", Seconds(0.01, 255.0), "from one advert to the next"),
        Keyword("authentication", Section(AUTHENTICATION, inline=True), "how adverts prove where they come from"),
        Keyword("use_vmac", VirtualMacKind(), "work on a virtual-MAC interface", "virtual_mac"),
        Keyword("use_vmac_addr", Presence(), "virtual MACs also for VIPs on other interfaces", "vmac_addr"),
        Keyword("vmac_xmit_base", Presence(), "adverts nevertheless by `interface`"),
        unused("use_ipvlan", "VIPs are put on the interface itself", "[<INTERFACE>] [<IPADDR>] [bridge|private|vepa]"),
        unused("native_ipv6", "the addresses tell which IP it is"),
        Keyword("dont_track_primary", Presence(), "the state of `interface` doesn't matter"),
        *_TRACKS,
        Keyword("mcast_src_ip", AddressKind(), "source address of adverts", "source", also=("unicast_src_ip",)),
        Keyword("track_src_ip", Presence(), "the loss of that address is a fault", "track_source"),
        Keyword("mcast_dst_ip", AddressKind(multicast=True), "group that adverts go to", "multicast"),
        Keyword("unicast_peer", Entries(UnicastPeerLine()), "send adverts to these one by one", "unicast_peers"),
        Keyword("unicast_fault_no_peer", Presence(), "without a peer there is a fault, not multicast"),
        Keyword("unicast_ttl", Number(0, 255), "TTL or hop limit towards peers"),
        Keyword("check_unicast_src", Presence(), "drop what comes from no peer", "check_unicast_source"),
        Keyword("old_unicast_checksum", OldChecksum(), "checksums of version 3 as keepalived had them to 1.3.6"),
        *garp_words(""),
        Keyword("down_timer_adverts", Number(1, 100), "adverts that may be lost before the master is down"),
        Keyword("lower_prio_no_advert", Switch(), "leave adverts of lower priority unanswered"),
        Keyword("higher_prio_send_advert", Switch(), "answer adverts of higher priority before stepping back"),
        Keyword("virtual_ipaddress", Entries(InterfaceAddressLine()), "VIPs, told in adverts", "addresses"),
        Keyword(
            "virtual_ipaddress_excluded",
            Entries(InterfaceAddressLine()),
            "further ones, not told",
            "excluded_addresses",
        ),
        Keyword("promote_secondaries", Presence(), "set that sysctl on the interface"),
        Keyword("virtual_routes", Entries(RouteLine()), "routes that come and go with the VIPs", "routes"),
        Keyword("virtual_rules", Entries(RuleLine()), "rules that come and go with the VIPs", "rules"),
        Keyword("accept", Present(True), "take packets to the VIPs also without owning them"),
        Keyword("no_accept", Present(False), "take packets to the VIPs only as their owner", "accept"),
        Keyword("nopreempt", Present(False), "leave a master of lower priority alone", "preempt"),
        Keyword("preempt", Present(True), "take over from a master of lower priority"),
        Keyword("preempt_delay", Seconds(0.0, 1000.0), "before taking over"),
        Keyword("skip_check_adv_addr", Switch(), "compare the addresses in adverts only when the sender changed"),
        Keyword("strict_mode", Switch(), "keep to the RFC strictly", "strict"),
        *_NOTIFY,
        _notify("notify_master_rx_lower_pri", "run when a master hears an advert of lower priority"),
        Keyword("kernel_rx_buf_size", Number(0, 2**31 - 1), "bytes of the receive buffer", "rx_buffer"),
        Keyword("debug", Number(0, 4), "how much to log of this instance"),
        unused("linkbeat_use_polling", "the kernel tells of links by itself"),
        unused(
            "lvs_sync_daemon_interface",
            "write lvs_sync_daemon in global_defs",
            "<INTERFACE>",
            also=("lvs_sync_daemon_inteface",),
        ),
    ),
)
"""Fields are those of `VrrpInstance`."""

SYNC_GROUP = Block(
    "vrrp_sync_group",
    (
        Keyword("group", Entries(Text("a VRRP instance"), many=True), "instances that change together", "instances"),
        *_TRACKS,
        *_NOTIFY,
        Keyword(
            "sync_group_tracking_weight", Presence(), "weights may differ between the instances", "tracking_weight"
        ),
        unused("global_tracking", "deprecated; write track_interface, track_script and track_file in the group"),
    ),
    line=Text("a VRRP instance"),
    line_field="written_bare",
)
"""Fields are those of `SyncGroup`. In old times the instances stood in the block as they were."""

SCRIPT = Block(
    "vrrp_script",
    (
        Keyword("script", CommandKind(), "command to run", "script.words"),
        Keyword("interval", Number(1, 4294), "seconds from one run to the next"),
        Keyword("timeout", Number(0, 4294), "seconds after which a run has failed; `interval` by default"),
        Keyword("weight", Weight(-253, 253), "added to priorities; 0 makes a failure a fault"),
        Keyword("rise", Number(1, 2**31 - 1), "successes in a row that make it well"),
        Keyword("fall", Number(1, 2**31 - 1), "failures in a row that make it ill"),
        Keyword("user", User(("script.user", "script.group")), "whom it runs as"),
        Keyword("init_fail", Presence(), "it counts as ill until it has succeeded"),
    ),
)
"""Fields are those of `VrrpScript`."""

TRACK_PROCESS = Block(
    "vrrp_track_process",
    (
        Keyword("process", Process(), "program to look for, and its arguments"),
        Keyword(
            "param_match",
            Choice({"initial": ParameterMatch.INITIAL, "partial": ParameterMatch.PARTIAL}),
            "more arguments may follow, or the last may be longer",
        ),
        Keyword("weight", Weight(-254, 254), "added to priorities; 0 makes a failure a fault"),
        Keyword("quorum", Number(1, 65535), "how many must run"),
        Keyword("quorum_max", Number(0, 65535), "how many may run"),
        Keyword("delay", BothDelays(), "until a change of the number counts", shorthand=True),
        Keyword("fork_delay", Seconds(), "until a rise of the number counts"),
        Keyword("terminate_delay", Seconds(), "until a fall of the number counts"),
        Keyword("full_command", Presence(), "compare with the command line, not with the process's name"),
    ),
)
"""Fields are those of `TrackProcess`."""

TRACK_FILE = Block(
    "track_file",
    (
        Keyword("file", Text("a path"), "file that holds a number"),
        Keyword("weight", Weight(*FILE_WEIGHT), "the number is multiplied by this; with 0 it must be 0"),
        Keyword("init_file", InitFile(), "write this to it at the start", "init_value"),
    ),
)
"""Fields are those of `TrackFile`."""

TRACK_GROUP = Block(
    "track_group",
    (Keyword("group", Entries(Text("a VRRP instance"), many=True), "instances that follow", "instances"),),
)

GARP_GROUP = Block(
    "garp_group",
    (
        Keyword("garp_interval", Seconds(), "between gratuitous ARPs"),
        Keyword("gna_interval", Seconds(), "between neighbour advertisements"),
        Keyword("interface", INTERFACE, "the interface, if there is one", shorthand=True),
        Keyword("interfaces", Entries(INTERFACE, many=True), "interfaces on one switch"),
    ),
)

BFD_INSTANCE = Block(
    "bfd_instance",
    tuple(
        unused(name, _BFD, words)
        for name, words in (
            ("neighbor_ip", "<IPADDR>"),
            ("neighbour_ip", "<IPADDR>"),
            ("source_ip", "<IPADDR>"),
            ("min_rx", "<MILLISECONDS>"),
            ("min_tx", "<MILLISECONDS>"),
            ("idle_tx", "<MILLISECONDS>"),
            ("multiplier", "<NUMBER>"),
            ("passive", ""),
            ("ttl", "<NUMBER>"),
            ("hoplimit", "<NUMBER>"),
            ("max_hops", "<NUMBER>"),
            ("weight", "<NUMBER> [reverse]"),
            ("vrrp", ""),
            ("checker", ""),
        )
    ),
)

VRRP = (
    Keyword("vrrp_script", Section(SCRIPT, _NAME), "a command whose success is followed", "scripts"),
    Keyword("vrrp_track_process", Section(TRACK_PROCESS, _NAME), "processes that are followed", "track_processes"),
    Keyword(
        "track_file",
        Section(TRACK_FILE, _NAME),
        "a file whose number is followed",
        "track_files",
        old=("vrrp_track_file",),
    ),
    Keyword("vrrp_sync_group", Section(SYNC_GROUP, _NAME), "instances that change state together", "sync_groups"),
    Keyword("vrrp_instance", Section(INSTANCE, _NAME), "a virtual router", "instances"),
    Keyword("garp_group", Section(GARP_GROUP), "intervals over interfaces of one switch", "garp_groups"),
    Keyword("track_group", Section(TRACK_GROUP, _NAME), "instances that follow what is static", "track_groups"),
    Keyword("static_ipaddress", Entries(InterfaceAddressLine(static=True)), "addresses", "static_addresses"),
    Keyword("static_routes", Entries(RouteLine(static=True)), "routes"),
    Keyword("static_rules", Entries(RuleLine(static=True)), "rules"),
    Keyword(
        "interface_up_down_delays",
        Entries(InterfaceDelayLine()),
        "how long a change of an interface must last to count",
        "interface_delays",
    ),
    Keyword("bfd_instance", Section(BFD_INSTANCE, _NAME), "a BFD session", unused=_BFD),
    Keyword(
        "linkbeat_interfaces",
        Anything("{ <INTERFACE> [MII|ETHTOOL|IOCTL] … }"),
        "interfaces to poll",
        unused="the kernel tells of links by itself",
    ),
)
"""Words of VRRP outside of all blocks."""
