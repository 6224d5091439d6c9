"""Random configurations, as reading would make them: everything that is taken over is taken over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from hypothesis import strategies as st

from directrix.keepalived import inheritance
from directrix.keepalived.schema.check_words import RECORD_TYPES
from directrix.keepalived.schema.server_kinds import REGEX_OPTIONS
from directrix.keepalived.schema.server_words import SCHEDULERS
from directrix.keepalived.values import (
    AddressRange,
    AgentCheck,
    Authentication,
    AuthenticationType,
    Configuration,
    DnsCheck,
    Drain,
    DrCheck,
    Fifo,
    FileCheck,
    FlushOnStop,
    GarpGroup,
    GlobalDefinitions,
    GratuitousArp,
    GroupMark,
    HttpCheck,
    HttpProtocol,
    InitialState,
    InterfaceAddress,
    InterfaceDelay,
    LvsTimeouts,
    Mail,
    MailTls,
    MiscCheck,
    NextHop,
    Notify,
    ParameterMatch,
    PassiveHealth,
    Pattern,
    PingCheck,
    RealServer,
    Route,
    Rule,
    Script,
    SmtpCheck,
    SmtpHost,
    SorryServer,
    SyncDaemonSettings,
    SyncGroup,
    TcpCheck,
    TlsSettings,
    Track,
    TrackFile,
    TrackGroup,
    TrackProcess,
    UdpCheck,
    UnicastPeer,
    Url,
    VirtualMac,
    VirtualServer,
    VirtualServerGroup,
    VrrpInstance,
    VrrpScript,
)
from directrix.lvs import Family, ForwardingMethod, Protocol, SchedulerFlags, Tunnel, TunnelFlags, TunnelType
from directrix.lvs.addresses import family_of
from directrix.lvs.budget import Budget, Rate
from directrix.lvs.service import default_netmask

Draw = Callable[[st.SearchStrategy[Any]], Any]

_PLAIN = st.text(st.sampled_from("abcXYZ019_.-/:@~#!$={}\"'\\ \tü€()[],|*"), min_size=1, max_size=12)
words = _PLAIN.filter(lambda text: "${" not in text) | st.sampled_from(
    ["include", "}", "$A", "a b", '"', "'", "\\", "@x", "~SEQ(A,1)"]
)
"""What any word can be. A parameter in it that is defined would be replaced, so there is none."""

arguments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | words
"""Arguments of scripts can hold line ends and control characters, too."""

names = (
    st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda text: not text.startswith("include"))
    | words
)
interfaces = st.sampled_from(["eth0", "eth1", "bond0.100", "a-b", "lan#1"])
booleans = st.booleans()
ports = st.integers(1, 65535)
v4 = st.integers(1, 2**32 - 1).map(IPv4Address)
v6 = st.integers(1, 2**128 - 1).map(IPv6Address)
marks = st.integers(1, 2**32 - 1)


def seconds(low: float = 0.0, high: float = 1000.0) -> st.SearchStrategy[float]:
    """To the microsecond."""
    return st.integers(round(low * 1e6), round(high * 1e6)).map(lambda micro: micro / 1e6)


def addresses_of(family: Family) -> st.SearchStrategy[Any]:
    return v6 if family is Family.INET6 else v4


scripts = st.builds(
    Script,
    st.tuples(arguments.filter(bool), arguments, arguments) | st.tuples(arguments.filter(bool)),
    st.just("") | words,
).flatmap(lambda script: st.sampled_from([script, replace(script, group="staff")] if script.user else [script]))
maybe_script = st.none() | scripts


def some(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


def varied(draw: Draw, usual: dict[str, Any], **choices: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Fields as they are by default, some of them drawn."""
    chosen = draw(st.sets(st.sampled_from(sorted(choices)), max_size=len(choices)))
    return usual | {name: draw(choices[name]) for name in sorted(chosen)}


garps = st.builds(
    GratuitousArp,
    master_delay=st.integers(0, 4294),
    master_repeat=st.integers(1, 99),
    lower_prio_delay=st.integers(0, 4294),
    lower_prio_repeat=st.integers(0, 99),
    master_refresh=st.integers(0, 4294),
    master_refresh_repeat=st.integers(1, 99),
    extra_interval=st.integers(0, 86400),
    extra_all=booleans,
)


@st.composite
def settings(draw: Draw) -> GlobalDefinitions:
    fifo = st.builds(Fifo, words, st.just("") | names, script=maybe_script)
    log_in = draw(st.sampled_from([{}, {"user": "u", "password": 'p"w #1'}]))
    mail = Mail(
        recipients=draw(some(words)),
        sender=draw(st.just("") | words),
        server=draw(st.just("") | words),
        helo_name=draw(st.just("") | words),
        connect_timeout=draw(st.integers(0, 4294)),
        tls=draw(st.sampled_from(MailTls)),
        no_faults=draw(booleans),
        no_checkers=draw(booleans),
        **log_in,
    )
    if mail.server:
        mail = replace(mail, port=draw(ports))
    usual = {each.name: getattr(GlobalDefinitions(), each.name) for each in fields(GlobalDefinitions)}
    prefix = draw(st.sampled_from(["vrrp", "v", "vm-"]))
    found = varied(
        draw,
        usual,
        router_id=words,
        net_namespace=words,
        net_namespace_ipvs=words,
        instance=words,
        mail=st.just(mail),
        smtp_alert=booleans,
        smtp_alert_vrrp=booleans,
        smtp_alert_checker=booleans,
        checker_log_all_failures=booleans,
        rs_init_notifies=booleans,
        default_interface=interfaces,
        sync_daemon=st.builds(
            SyncDaemonSettings,
            interface=interfaces,
            sync_id=st.none() | st.integers(0, 255),
            max_length=st.integers(0, 65507),
            port=st.just(0) | ports,
            ttl=st.integers(0, 255),
            group=st.sampled_from([None, IPv4Address("224.0.0.81"), IPv6Address("ff02::81")]),
        ),
        lvs_timeouts=st.builds(
            LvsTimeouts, tcp=st.integers(0, 9999), tcp_fin=st.integers(0, 999), udp=st.integers(0, 999)
        ),
        lvs_flush=booleans,
        lvs_flush_on_stop=st.sampled_from(FlushOnStop),
        garp=garps,
        garp_interval=seconds(0.000001),
        gna_interval=seconds(0.000001),
        vrrp_version=st.sampled_from([2, 3]),
        vrrp_strict=booleans,
        vrrp_mcast_group4=st.just(IPv4Address("224.0.0.99")),
        vrrp_mcast_group6=st.just(IPv6Address("ff02::99")),
        vrrp_skip_check_adv_addr=booleans,
        vrrp_check_unicast_src=booleans,
        vrrp_lower_prio_no_advert=booleans,
        vrrp_higher_prio_send_advert=booleans,
        vrrp_down_timer_adverts=st.integers(1, 100),
        vrrp_notify_priority_changes=booleans,
        vrrp_startup_delay=seconds(0.001),
        notify_fifo=fifo.map(lambda pipe: replace(pipe, path="1" + pipe.path)),
        vrrp_notify_fifo=fifo.map(lambda pipe: replace(pipe, path="2" + pipe.path)),
        lvs_notify_fifo=fifo.map(lambda pipe: replace(pipe, path="3" + pipe.path)),
        fifo_write_vrrp_states_on_reload=booleans,
        startup_script=scripts,
        startup_script_timeout=st.integers(1, 1000),
        shutdown_script=scripts,
        shutdown_script_timeout=st.integers(1, 1000),
        script_user=words,
        enable_script_security=booleans,
        dynamic_interfaces=booleans,
        disable_local_igmp=booleans,
        log_unknown_vrids=booleans,
        vmac_prefix=st.just(prefix),
        umask=st.integers(0, 0o777),
    )
    found["vmac_addr_prefix"] = draw(st.sampled_from([found["vmac_prefix"], "other"]))
    if found["script_user"]:
        found["script_group"] = draw(st.just("") | words)
    found["allow_if_changes"] = found["dynamic_interfaces"] and draw(booleans)
    return GlobalDefinitions(**found)


@st.composite
def interface_addresses(
    draw: Draw, family: Family | None = None, track_groups: tuple[str, ...] | None = None
) -> InterfaceAddress:
    """Static ones if there may be track groups."""
    address = draw(v4 | v6 if family is None else addresses_of(family))
    prefix = draw(st.integers(0, address.max_prefixlen) | st.just(address.max_prefixlen))
    found = varied(
        draw,
        {"preferred_lifetime": 0 if prefix == 128 else None},
        interface=interfaces,
        broadcast=st.sampled_from(["+", "-", "10.0.0.255"]),
        scope=st.sampled_from(["link", "global", "200"]),
        label=st.just("eth0:1"),
        peer=addresses_of(family_of(address)),
        home=booleans,
        no_dad=booleans,
        manage_temporary=booleans,
        no_prefix_route=booleans,
        auto_join=booleans,
        preferred_lifetime=st.none() | st.integers(0, 999),
    )
    if track_groups is None:
        found |= {"use_vmac": draw(booleans), "track": draw(booleans)}
    elif track_groups:
        found["track_group"] = draw(st.sampled_from(["", *track_groups]))
    return InterfaceAddress(address=address, prefix=prefix, **found)


@st.composite
def networks(draw: Draw, family: Family) -> Any:
    bits = 128 if family is Family.INET6 else 32
    return ip_network((draw(addresses_of(family)), draw(st.integers(0, bits))), strict=False)


families = st.sampled_from([Family.INET, Family.INET6])
_options = some(
    st.sampled_from(
        [("mtu", "lock", "1400"), ("rtt", "4ms"), ("encap", "ip", "id", "5", "dst", "1.2.3.4"), ("realms", "a/b")]
    )
)


@st.composite
def routes(draw: Draw, track_groups: tuple[str, ...] | None = None) -> Route:
    family = draw(families)
    destination = draw(networks(family))
    several = draw(booleans)
    gateway = st.none() | (v4 | v6 if destination.prefixlen or family is Family.INET else v6)
    hops = st.builds(
        NextHop,
        via=gateway,
        interface=st.just("") | interfaces,
        weight=st.integers(1, 256),
        on_link=booleans,
        options=some(st.sampled_from([("realms", "1/2"), ("encap", "mpls", "16/17")])),
    )
    return Route(
        family=family,
        destination=destination,
        type=draw(st.sampled_from(["unicast", "blackhole", "prohibit"])),
        via=None if several else draw(gateway),
        interface=draw(st.just("") | interfaces),
        source=draw(st.none() | addresses_of(family)),
        table=draw(st.just("") | names),
        metric=draw(st.none() | st.integers(0, 2**32 - 1)),
        scope=draw(st.sampled_from(["", "link", "253"])),
        on_link=draw(booleans),
        options=draw(_options),
        next_hops=draw(st.lists(hops, min_size=1, max_size=3).map(tuple)) if several else (),
        append=draw(booleans),
        track=draw(booleans) if track_groups is None else True,
        track_group=draw(st.sampled_from(["", *(track_groups or ())])),
    )


@st.composite
def rules(draw: Draw, track_groups: tuple[str, ...] | None = None) -> Rule:
    family = draw(families)
    # "everything" is the same word for both families, so it can't tell which is meant
    network = networks(family).filter(lambda network: network.prefixlen > 0)
    action = draw(st.sampled_from(["lookup", "goto", "blackhole", "l3mdev"]))
    options = draw(
        some(st.sampled_from([("fwmark", "24/12"), ("iif", "eth0"), ("uidrange", "1-2"), ("ipproto", "UDP")]))
    )
    return Rule(
        family=family,
        action=action,
        table=draw(names) if action == "lookup" else "",
        target=draw(st.integers(0, 2**32 - 1)) if action == "goto" else None,
        negate=draw(booleans),
        source=draw(st.none() | network),
        destination=draw(st.none() | network),
        preference=draw(st.none() | st.integers(0, 2**32 - 1)),
        options=(*options, ("l3mdev",)) if action == "l3mdev" else options,
        track=draw(booleans) if track_groups is None else True,
        track_group=draw(st.sampled_from(["", *(track_groups or ())])),
    )


notifies = st.builds(
    Notify,
    **dict.fromkeys(("master", "backup", "fault", "stop", "deleted", "any", "master_rx_lower_pri"), maybe_script),
    deleted_state=booleans,
    smtp_alert=booleans,
    priority_changes=booleans,
).map(lambda notify: replace(notify, deleted_state=notify.deleted_state or notify.deleted is not None))


def tracks(known: list[str], low: int, high: int) -> st.SearchStrategy[tuple[Track, ...]]:
    if not known:
        return st.just(())
    track = st.builds(Track, st.sampled_from(known), st.integers(low, high), booleans)
    return st.lists(track, max_size=3, unique_by=lambda each: each.name).map(tuple)


@st.composite
def all_tracks(draw: Draw, followed: dict[str, list[str]]) -> dict[str, tuple[Track, ...]]:
    return {
        "track_interface": draw(tracks(["ethA", "ethB"], -253, 253)),
        "track_script": draw(tracks(followed["scripts"], -253, 253)),
        "track_process": draw(tracks(followed["processes"], -254, 254)),
        "track_file": draw(tracks(followed["files"], -254, 254)),
    }


@st.composite
def instances(
    draw: Draw, name: str, number: int, globals_: GlobalDefinitions, followed: dict[str, list[str]]
) -> VrrpInstance:
    family = draw(families)
    six = family is Family.INET6
    version = 3 if six else draw(st.sampled_from([2, 3]))
    strict = draw(booleans)
    master = draw(booleans)
    priority = draw(st.integers(1, 255))
    addresses = draw(st.lists(interface_addresses(family), min_size=1, max_size=3).map(tuple))
    peers = draw(some(st.builds(UnicastPeer, addresses_of(family), st.integers(0, 100), st.integers(100, 255))))
    vmac = draw(st.none() | st.builds(VirtualMac, st.just("") | interfaces, st.none() | st.just(b"\x02\0\0\0\0\x05")))
    filtered = any(peer.min_ttl or peer.max_ttl < 255 for peer in peers)
    password = draw(st.none() | st.binary(min_size=1, max_size=8).filter(_fits_a_line))
    kind = draw(st.sampled_from(AuthenticationType))
    if kind is AuthenticationType.AH and priority != 255:
        master = False
    usual = inheritance.of_instance(
        globals_,
        {
            "family": family,
            "strict": strict,
            "state": InitialState.MASTER if master else InitialState.BACKUP,
            "priority": priority,
        },
    )
    usual = {"garp": draw(garps), "notify": draw(notifies)} | {
        key: value for key, value in usual.items() if "." not in key
    }
    found = varied(
        draw,
        usual,
        multicast=st.just(IPv6Address("ff02::55") if six else IPv4Address("224.0.0.55")),
        vmac_addr=booleans,
        source=addresses_of(family),
        track_source=booleans,
        unicast_fault_no_peer=booleans,
        unicast_ttl=st.integers(0, 255),
        check_unicast_source=st.just(True),
        old_unicast_checksum=booleans,
        down_timer_adverts=st.integers(1, 100),
        lower_prio_no_advert=booleans,
        higher_prio_send_advert=booleans,
        excluded_addresses=some(interface_addresses()),
        promote_secondaries=booleans,
        routes=some(routes()),
        rules=some(rules()),
        accept=booleans,
        preempt=booleans if not master and priority != 255 else st.just(True),
        skip_check_adv_addr=booleans,
        dont_track_primary=booleans,
        rx_buffer=st.integers(0, 2**31 - 1),
        debug=st.integers(0, 4),
    )
    delayed = not (strict or master or priority == 255) and found["preempt"]
    found |= {
        "name": name,
        "family": family,
        "state": InitialState.MASTER if master else InitialState.BACKUP,
        "interface": draw(interfaces),
        "version": version,
        "virtual_router_id": number,
        "priority": priority,
        "advert_int": draw(
            st.integers(1, 255).map(float) if version == 2 else st.integers(1, 4095).map(lambda each: each / 100)
        ),
        "authentication": None if version == 3 or strict or password is None else Authentication(kind, password),
        "virtual_mac": vmac,
        "vmac_xmit_base": vmac is not None and (bool(peers) or draw(booleans)),
        "unicast_peers": peers,
        "addresses": addresses,
        "preempt_delay": draw(seconds(0, 1000)) if delayed else 0.0,
        "strict": strict,
        **draw(all_tracks(followed)),
    }
    if not draw(booleans):
        found["source"] = None
    if filtered:
        found["check_unicast_source"] = True
    if strict:
        found |= {"lower_prio_no_advert": True, "higher_prio_send_advert": False}
        found["garp"] = replace(found["garp"], lower_prio_delay=0, lower_prio_repeat=0)
    # what can only be switched on can't be told to be off where the global definitions say on
    for field, default in (("check_unicast_source", globals_.vrrp_check_unicast_src),):
        found[field] = found[field] or default
    return VrrpInstance(**found)


def _fits_a_line(password: bytes) -> bool:
    return b"\n" not in password and b"${_" not in password and not password.startswith(b"\xef\xbb\xbf")


@st.composite
def sync_groups(draw: Draw, name: str, members: tuple[str, ...], followed: dict[str, list[str]]) -> SyncGroup:
    notify = replace(draw(notifies), master_rx_lower_pri=None)
    return SyncGroup(
        name=name, instances=members, notify=notify, tracking_weight=draw(booleans), **draw(all_tracks(followed))
    )


_weights = st.integers(-(2**31) + 1, 2**31 - 1)
_tunnels = st.sampled_from(
    [
        Tunnel(),
        Tunnel(TunnelType.GUE, 5000),
        Tunnel(TunnelType.GUE, 6, TunnelFlags.REMCSUM),
        Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM),
    ]
)


@st.composite
def forwarding(draw: Draw) -> tuple[ForwardingMethod, Tunnel]:
    method = draw(st.sampled_from([ForwardingMethod.DIRECT, ForwardingMethod.MASQUERADE, ForwardingMethod.TUNNEL]))
    return method, draw(_tunnels) if method is ForwardingMethod.TUNNEL else Tunnel()


@st.composite
def urls(draw: Draw, virtualhost: str) -> Url:
    found: dict[str, Any] = {"virtualhost": virtualhost}
    if draw(booleans):
        found["virtualhost"] = draw(words)
    if draw(booleans):
        found |= {
            "regex": draw(arguments),
            "regex_no_match": draw(booleans),
            "regex_options": tuple(draw(st.lists(st.sampled_from(REGEX_OPTIONS), unique=True, max_size=3))),
            "regex_min_offset": draw(st.integers(0, 99)),
            "regex_max_offset": draw(st.none() | st.integers(99, 200)),
        }
    ranges = st.tuples(st.integers(100, 500), st.integers(500, 999)) | st.integers(100, 999).map(
        lambda code: (code, code)
    )
    return Url(
        path=draw(words),
        status_codes=draw(st.lists(ranges, min_size=1, max_size=3).map(tuple)),
        digest=draw(st.none() | st.binary(min_size=16, max_size=16)),
        **found,
    )


@st.composite
def checks(
    draw: Draw, globals_: GlobalDefinitions, server: dict[str, Any], vip: dict[str, Any], files: list[str]
) -> Any:
    kinds = [TcpCheck, PingCheck, HttpCheck, SmtpCheck, DnsCheck, UdpCheck, MiscCheck, DrCheck, AgentCheck, FileCheck]
    cls = draw(st.sampled_from([kind for kind in kinds if kind is not FileCheck or files]))
    if cls is FileCheck:
        return FileCheck(
            track_file=draw(st.sampled_from(files)),
            weight=draw(_weights),
            reverse=draw(booleans),
            dynamic=draw(booleans),
        )
    delay_loop = draw(st.sampled_from([server["delay_loop"], 7.0]))
    usual = inheritance.of_check(cls, globals_, server, {"delay_loop": delay_loop}, vip)
    found = varied(
        draw,
        usual | {"delay_loop": delay_loop},
        alpha=booleans,
        warmup=seconds(),
        retry=st.integers(0, 2**32 - 1),
        delay_before_retry=seconds(),
        log_all_failures=booleans,
    )
    if cls is MiscCheck:
        found.pop("misc_path.words", None)
        found = {key: value for key, value in found.items() if "." not in key}
        return MiscCheck(
            **found
            | {"misc_path": draw(scripts), "misc_timeout": draw(st.integers(0, 4294)), "misc_dynamic": draw(booleans)}
        )
    found = varied(
        draw,
        found,
        connect_ip=v4 | v6,
        connect_port=ports,
        bindto=v4 | v6,
        bind_port=ports,
        bind_if=interfaces,
        fwmark=marks,
        connect_timeout=seconds(0.000001),
    )
    virtualhost = server["virtualhost"]
    if cls is HttpCheck:
        tls = draw(booleans)
        found |= {
            "urls": draw(st.lists(urls(virtualhost), min_size=1, max_size=2).map(tuple)),
            "tls": tls,
            "enable_sni": tls and draw(booleans),
            "http_protocol": draw(st.sampled_from(HttpProtocol)),
            "fast_recovery": draw(booleans),
        }
    elif cls is SmtpCheck:
        host = st.builds(
            SmtpHost, connect_ip=v4, connect_port=ports, bind_if=st.just("") | interfaces, connect_timeout=seconds(0.1)
        )
        found |= {"helo_name": draw(st.just("") | words), "hosts": draw(some(host))}
    elif cls is DnsCheck:
        found |= {"type": draw(st.sampled_from(RECORD_TYPES)), "name": draw(words)}
    elif cls is UdpCheck:
        masks = st.lists(st.sampled_from([0x00, 0x0F, 0xF0, 0xFF]), min_size=1, max_size=4)
        pattern = masks.map(lambda mask: Pattern(bytes(0x5A & each for each in mask), bytes(mask)))
        found |= {
            "payload": draw(st.none() | st.binary(min_size=1, max_size=5)),
            "require_reply": draw(booleans),
            "min_reply_length": draw(st.integers(0, 100)),
            "max_reply_length": draw(st.integers(100, 65535)),
        }
        found["reply"] = draw(st.none() | pattern) if found["require_reply"] else None
    elif cls is DrCheck:
        found["connect_ip"] = found["connect_ip"] or draw(v4)
        found |= {"url": draw(st.none() | urls(virtualhost)), "http_protocol": draw(st.sampled_from(HttpProtocol))}
    elif cls is AgentCheck:
        found["connect_port"] = draw(ports)
        found["send"] = draw(st.just("") | words)
    return cls(**found)


def _paced(draw: Draw, usual: dict[str, Any]) -> dict[str, Any]:
    return varied(
        draw,
        usual,
        virtualhost=words,
        connect_timeout=seconds(0.000001),
        retry=st.integers(1, 2**32 - 1),
        delay_before_retry=seconds(),
        warmup=seconds(),
        delay_loop=seconds(0.000001),
    )


@st.composite
def virtual_servers(
    draw: Draw, globals_: GlobalDefinitions, number: int, groups: tuple[VirtualServerGroup, ...], files: list[str]
) -> VirtualServer:
    family = draw(families)
    found = _paced(
        draw, {key: value for key, value in inheritance.of_virtual_server(globals_).items() if "." not in key}
    )
    kind = draw(st.sampled_from(["address", "fwmark", *(["group"] if groups else [])]))
    if kind == "address":
        found |= {"address": draw(addresses_of(family)), "port": number}
    elif kind == "fwmark":
        found["fwmark"] = number
    else:
        # one virtual server a group: which one is told by its number
        found["group"] = groups[number % len(groups)].name
    method, tunnel = draw(forwarding())
    found |= {"family": family, "method": method, "tunnel": tunnel}
    found["protocol"] = draw(st.sampled_from(Protocol)) if kind != "fwmark" else Protocol.UDP
    masks = st.integers(1, 128) if family is Family.INET6 else st.integers(129, 2**32 - 1)
    found = varied(
        draw,
        found | {"netmask": default_netmask(family)},
        scheduler=st.sampled_from(SCHEDULERS),
        scheduler_flags=st.integers(0, 7).map(lambda bits: SchedulerFlags(bits * 8)),
        persistence=st.integers(1, 2678400),
        netmask=masks,
        ha_suspend=booleans,
        alpha=booleans,
        omega=booleans,
        quorum_up=scripts,
        quorum_down=scripts,
        smtp_alert=booleans,
        inhibit_on_failure=booleans,
        slow_start=seconds(),
        drain=st.none() | drains(),
        budget=st.none() | budgets(),
    )
    found["one_packet"] = found["protocol"] is Protocol.UDP and draw(booleans)
    found["engine"] = draw(st.sampled_from(["", "sip"])) if found["persistence"] else ""
    vip = {"address": found["address"], "port": found["port"]} if kind == "address" else {}
    reals = draw(
        st.lists(
            real_servers(globals_, found, vip, files),
            min_size=1,
            max_size=3,
            unique_by=lambda real: (real.address, real.port),
        )
    )
    found["real_servers"] = tuple(reals)
    total = max(1, sum(real.weight for real in reals))
    found["quorum"] = draw(st.integers(1, min(total, 2**32 - 1)))
    found["hysteresis"] = draw(st.integers(0, found["quorum"] - 1))
    found["passive_health"] = draw(st.none() | passive_healths())
    if draw(booleans):
        method, tunnel = draw(forwarding())
        found["sorry_server"] = SorryServer(
            address=draw(addresses_of(family)),
            port=draw(st.integers(0, 65535)),
            method=method,
            tunnel=tunnel,
            inhibit=draw(booleans),
        )
    else:
        found["sorry_server"] = None
    return VirtualServer(**found)


@st.composite
def passive_healths(draw: Draw) -> PassiveHealth:
    low, high = sorted(draw(st.lists(st.integers(1, 100), min_size=2, max_size=2, unique=True)))
    hold = draw(seconds(0.001))
    return PassiveHealth(
        out_below=low / 100,
        back_above=high / 100,
        sample=draw(st.integers(1, 2**32 - 1)),
        most_out=draw(st.integers(0, 99)) / 100,
        hold=hold,
        hold_most=draw(st.sampled_from([hold, 86400.0])),
    )


@st.composite
def drains(draw: Draw) -> Drain:
    deadline = draw(st.none() | seconds())
    return Drain(deadline=deadline, expire=deadline is not None and draw(booleans), udp_now=draw(booleans))


@st.composite
def budgets(draw: Draw) -> Budget:
    rates = st.builds(Rate, st.integers(100, 10_000), st.sampled_from([1, 60, 3600]), st.integers(1, 1000))
    service, source = draw(st.tuples(rates, st.none() | rates) | st.tuples(st.none(), rates))
    if source is None:
        return Budget(service)
    return Budget(service, source, draw(st.integers(1, 32)), draw(st.integers(1, 128)))


@st.composite
def real_servers(
    draw: Draw, globals_: GlobalDefinitions, server: dict[str, Any], vip: dict[str, Any], files: list[str]
) -> RealServer:
    found = inheritance.of_real_server(globals_, server) | {"address": draw(addresses_of(server["family"]))}
    found = varied(
        draw,
        _paced(draw, found) | {"port": 0 if server["fwmark"] else draw(st.just(0) | ports)},
        weight=st.integers(0, 2**31 - 1),
        upper_threshold=st.integers(0, 2**32 - 1),
        inhibit_on_failure=booleans,
        notify_up=scripts,
        notify_down=scripts,
        smtp_alert=booleans,
        alpha=booleans,
        slow_start=seconds(),
        drain=st.just(server["drain"]) | drains(),
    )
    found["lower_threshold"] = draw(st.integers(0, found["upper_threshold"]))
    if draw(booleans):
        found["method"], found["tunnel"] = draw(forwarding())
    found["checks"] = draw(some(checks(globals_, found, vip, files)))
    return RealServer(**found)


@st.composite
def server_groups(draw: Draw, name: str) -> VirtualServerGroup:
    low, high = draw(st.tuples(v4, v4)) if draw(booleans) else draw(st.tuples(v6, v6))
    low, high = min(low, high), max(low, high)
    ranges = draw(some(st.builds(AddressRange, st.just(low), st.just(high), st.integers(0, 65535))))
    group_marks = draw(some(st.builds(GroupMark, marks, st.none() | families)))
    return VirtualServerGroup(name, ranges or (AddressRange(low, low, 80),), group_marks)


def unique_names(most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names, max_size=most, unique=True)


@st.composite
def configurations(draw: Draw) -> Configuration:
    globals_ = draw(settings())
    script_names, process_names, file_names = (draw(unique_names(2)) for _ in range(3))
    followed = {"scripts": script_names, "processes": process_names, "files": file_names}
    instance_names = draw(unique_names(3))
    made = tuple(draw(instances(name, number, globals_, followed)) for number, name in enumerate(instance_names, 1))
    groups = tuple(draw(server_groups(name)) for name in draw(unique_names(2)))
    track_groups = tuple(TrackGroup(name, tuple(instance_names)) for name in draw(unique_names(2)))
    group_names = tuple(group.name for group in track_groups)
    servers: dict[Any, VirtualServer] = {}
    for number in range(1, draw(st.integers(1, 4))):
        server = draw(virtual_servers(globals_, number, groups, file_names))
        servers[server.group or (server.port, server.fwmark)] = server
    return Configuration(
        globals=globals_,
        interface_delays=draw(some(st.builds(InterfaceDelay, interfaces, seconds(0, 255), seconds(0, 255)))),
        track_groups=track_groups,
        static_addresses=draw(some(interface_addresses(None, group_names))),
        static_routes=draw(some(routes(group_names))),
        static_rules=draw(some(rules(group_names))),
        garp_groups=draw(
            some(
                st.builds(
                    GarpGroup,
                    interfaces=st.lists(interfaces, min_size=1, unique=True).map(tuple),
                    garp_interval=seconds(0.000001),
                )
            )
        ),
        scripts=tuple(
            VrrpScript(
                name=name,
                script=draw(scripts),
                interval=draw(st.integers(1, 4294)),
                timeout=draw(st.integers(0, 4294)),
                weight=draw(st.integers(-253, 253)),
                reverse=draw(booleans),
                rise=draw(st.integers(1, 9)),
                fall=draw(st.integers(1, 9)),
                init_fail=draw(booleans),
            )
            for name in script_names
        ),
        track_processes=tuple(draw(processes(name)) for name in process_names),
        track_files=tuple(
            TrackFile(
                name=name,
                file=draw(words),
                weight=draw(_weights),
                reverse=draw(booleans),
                init_value=(init := draw(st.none() | st.integers(-(2**31), 2**31 - 1))),
                overwrite=init is not None and draw(booleans),
            )
            for name in file_names
        ),
        sync_groups=tuple(
            draw(sync_groups(f"G {name}", (name,), followed))
            for name in draw(st.lists(st.sampled_from(instance_names), unique=True))
        )
        if instance_names
        else (),
        instances=made,
        tls=draw(st.builds(TlsSettings, *(st.just("") | words for _ in range(4)))),
        server_groups=groups,
        virtual_servers=tuple(servers.values()),
    )


@st.composite
def processes(draw: Draw, name: str) -> TrackProcess:
    listed = draw(st.none() | st.lists(arguments, max_size=3).map(tuple))
    match = (
        draw(st.sampled_from([ParameterMatch.INITIAL, ParameterMatch.PARTIAL]))
        if listed == ()
        else draw(st.sampled_from(ParameterMatch))
    )
    quorum = draw(st.integers(1, 99))
    return TrackProcess(
        name=name,
        process=draw(arguments.filter(bool)),
        arguments=listed,
        param_match=ParameterMatch.EXACT if listed is None else match,
        full_command=draw(booleans),
        weight=draw(st.integers(-254, 254)),
        reverse=draw(booleans),
        quorum=quorum,
        quorum_max=draw(st.none() | st.just(0) | st.integers(quorum, 65535)),
        fork_delay=draw(seconds()),
        terminate_delay=draw(seconds()),
    )
