"""Virtual servers, groups of them, and real servers."""

from __future__ import annotations

from directrix.keepalived.commands import ScriptKind
from directrix.keepalived.kinds import Bit, Choice, Number, Presence, Seconds, Switch, Text
from directrix.keepalived.schema.check_words import CHECKS
from directrix.keepalived.schema.option_words import OF_BOTH, OF_VIRTUAL_SERVER
from directrix.keepalived.schema.server_kinds import (
    FAMILIES,
    Endpoint,
    Forwarding,
    Granularity,
    GroupLine,
    ServiceHeader,
    Share,
)
from directrix.keepalived.words import Block, Header, Keyword, Section, unused
from directrix.lvs import Protocol, SchedulerFlags

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos")
"""What IPVS has; `scheduling` has the algorithms, and a test holds the two together."""

LONGEST_PERSISTENCE = 2678400
USUAL_PERSISTENCE = 360
"""Seconds of `persistence_timeout` without a number."""

_SNMP = "there is no SNMP; `directrix run` has an HTTP API and metrics"
_WEIGHTS = 2**31 - 1
_YEAR = 366 * 86400.0

DEFAULTS = (
    Keyword("virtualhost", Text("a host"), "default Host header of HTTP checks"),
    Keyword("connect_timeout", Seconds(0.000001), "default of the checks: to wait for an answer"),
    Keyword("retry", Number(1, 0xFFFFFFFF), "default of the checks: failures that are forgiven"),
    Keyword("delay_before_retry", Seconds(), "default of the checks: from a failure to the next attempt"),
    Keyword("warmup", Seconds(), "default of the checks: random time before the first"),
    Keyword("delay_loop", Seconds(0.000001), "default of the checks: from one to the next"),
)
"""Of virtual and of real servers."""

REAL_SERVER = Block(
    "real_server",
    (
        Keyword("weight", Number(0, _WEIGHTS), "its share of new connections; 0 for none"),
        Keyword("lvs_method", Forwarding(), "how packets get there", "method"),
        Keyword("uthreshold", Number(0, 0xFFFFFFFF), "connections from which on it gets no more", "upper_threshold"),
        Keyword("lthreshold", Number(0, 0xFFFFFFFF), "connections below which it gets some again", "lower_threshold"),
        Keyword("inhibit_on_failure", Switch(), "a failure sets the weight to 0 and no more"),
        Keyword("notify_up", ScriptKind(), "run as it comes into service"),
        Keyword("notify_down", ScriptKind(), "run as it goes out of service"),
        Keyword("smtp_alert", Switch(), "mail as it comes and goes"),
        Keyword("alpha", Switch(), "default of the checks: out of service until first checked"),
        *DEFAULTS,
        *OF_BOTH,
        unused("snmp_name", _SNMP, "<NAME>"),
        *CHECKS,
    ),
)
"""Fields are those of `RealServer`."""

_FLAGS = (
    ("flag-1", SchedulerFlags.FLAG_1, "scheduler flag 1"),
    ("flag-2", SchedulerFlags.FLAG_2, "scheduler flag 2"),
    ("flag-3", SchedulerFlags.FLAG_3, "scheduler flag 3"),
    ("sh-fallback", SchedulerFlags.FLAG_1, "of sh: another server where the one is out of service"),
    ("sh-port", SchedulerFlags.FLAG_2, "of sh: the client's port counts, too"),
    ("mh-fallback", SchedulerFlags.FLAG_1, "of mh: another server where the one is out of service"),
    ("mh-port", SchedulerFlags.FLAG_2, "of mh: the client's port counts, too"),
)

PASSIVE_HEALTH = Block(
    "passive_health",
    (
        Keyword("out_below", Share(), "part of its peers' share below which a server is taken out; 0.5", ours=True),
        Keyword("back_above", Share(), "part of it from which on one that came back is well; 0.8", ours=True),
        Keyword("sample", Number(1, 0xFFFFFFFF), "recent connections it takes to judge a server; 20", ours=True),
        Keyword("most_out", Share(), "part of the servers that may be out at a time; 0.5", ours=True),
        Keyword("hold", Seconds(0.001, _YEAR), "how long one is out, each time in a row twice as long; 60", ours=True),
        Keyword("hold_most", Seconds(0.001, _YEAR), "how long it is out at most; 3600", ours=True),
    ),
)
"""Fields are those of `PassiveHealth`."""

VIRTUAL_SERVER = Block(
    "virtual_server",
    (
        Keyword("ip_family", Choice(FAMILIES), "of a firewall mark whose servers tunnel", "family"),
        Keyword(
            "protocol", Choice({protocol.name: protocol for protocol in Protocol}, any_case=True), "UDP by default!"
        ),
        Keyword(
            "lvs_sched",
            Choice({name: name for name in SCHEDULERS}, "scheduler"),
            "scheduler; wlc by default",
            "scheduler",
            also=("lb_algo",),
        ),
        *(Keyword(name, Bit(flag), meaning, "scheduler_flags") for name, flag, meaning in _FLAGS),
        Keyword(
            "lvs_method", Forwarding(), "how packets get to real servers; NAT by default", "method", also=("lb_kind",)
        ),
        Keyword(
            "persistence_timeout",
            Number(0, LONGEST_PERSISTENCE, bare=USUAL_PERSISTENCE),
            "seconds a client stays with its server; 360 without a number, 0 for no persistence",
            "persistence",
        ),
        Keyword("persistence_granularity", Granularity(), "which clients count as one", "netmask"),
        Keyword("persistence_engine", Choice({"sip": "sip"}), "what tells clients apart", "engine"),
        Keyword("ops", Presence(), "schedule every UDP datagram for itself", "one_packet"),
        Keyword("ha_suspend", Presence(), "no checks while the VIP is not here"),
        Keyword("alpha", Presence(), "servers are out of service until first checked"),
        Keyword("omega", Presence(), "at the end, scripts are run as if all were lost"),
        Keyword("quorum", Number(1, 0xFFFFFFFF), "sum of weights it takes to serve"),
        Keyword("hysteresis", Number(0, 0xFFFFFFFF), "more to gain the quorum, and less to lose it"),
        Keyword("quorum_up", ScriptKind(), "run as the quorum comes"),
        Keyword("quorum_down", ScriptKind(), "run as the quorum goes"),
        Keyword("smtp_alert", Switch(), "mail as the quorum comes and goes"),
        *DEFAULTS,
        Keyword("inhibit_on_failure", Presence(), "default of the servers: a failure sets the weight to 0 and no more"),
        Keyword("weight", Number(1, _WEIGHTS), "default weight of its servers", "default_weight", shorthand=True),
        Keyword(
            "passive_health",
            Section(PASSIVE_HEALTH, merged=True, telling=True),
            "judge servers by clients' handshakes, too",
            ours=True,
        ),
        *OF_BOTH,
        *OF_VIRTUAL_SERVER,
        unused("snmp_name", _SNMP, "<NAME>"),
        unused("nat_mask", "IPVS has none, and keepalived dropped it long ago", "<NETMASK>"),
        Keyword(
            "sorry_server",
            Endpoint(("sorry_server.address", "sorry_server.port")),
            "takes over while the quorum is lost",
            "sorry_server.address",
        ),
        Keyword(
            "sorry_server_lvs_method",
            Forwarding(("sorry_server.method", "sorry_server.tunnel")),
            "how packets get there",
            "sorry_server.method",
        ),
        Keyword("sorry_server_inhibit", Presence(), "it stays in the table with weight 0", "sorry_server.inhibit"),
        Keyword(
            "real_server",
            Section(REAL_SERVER, Header(Endpoint())),
            "a server; there may be several",
            "real_servers",
        ),
    ),
)
"""Fields are those of `VirtualServer`."""

GROUP = Block("virtual_server_group", (), line=GroupLine(), line_field="lines")

TLS = Block(
    "SSL",
    (
        Keyword("password", Text("a password"), "of the key"),
        Keyword("ca", Text("a file"), "whom to trust", also=("cafile",)),
        Keyword("certificate", Text("a file"), "to show", also=("certfile",)),
        Keyword("key", Text("a file"), "its key", also=("keyfile",)),
    ),
)

LVS = (
    Keyword("SSL", Section(TLS, merged=True), "what SSL_GET shows and trusts", "tls"),
    Keyword(
        "virtual_server_group",
        Section(GROUP, Header(Text(), "name")),
        "addresses and firewall marks served alike",
        "server_groups",
    ),
    Keyword(
        "virtual_server",
        Section(VIRTUAL_SERVER, Header(ServiceHeader())),
        "a virtual server",
        "virtual_servers",
    ),
)
"""Words of LVS outside of all blocks."""
