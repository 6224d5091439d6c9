"""Whole files: keepalived's own samples, and such as people have. All load, and read back to the same values."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from directrix.keepalived import load, loads, written
from directrix.keepalived.values import (
    AgentCheck,
    AuthenticationType,
    DnsCheck,
    DrCheck,
    HttpCheck,
    InitialState,
    MiscCheck,
    PingCheck,
    Script,
    TcpCheck,
    Track,
    UdpCheck,
    VrrpInstance,
)
from directrix.lvs import (
    Family,
    ForwardingMethod,
    Protocol,
    SchedulerFlags,
    ServiceKey,
    Tunnel,
    TunnelFlags,
    TunnelType,
)

HERE = Path(__file__).resolve().parent / "configurations"
SAMPLES = sorted(Path("/usr/share/doc/keepalived/samples").glob("keepalived.conf*"))


@pytest.mark.skipif(not SAMPLES, reason="keepalived's samples are not installed")
@pytest.mark.parametrize("config_id", ["", "high", "low"])
def test_keepalived_s_own_samples_load_and_read_back(config_id: str) -> None:
    for sample in SAMPLES:
        configuration = load(str(sample), config_id).configuration
        assert loads(written(configuration)).configuration == configuration, sample.name


@pytest.mark.parametrize("path", sorted(HERE.glob("*.conf")), ids=lambda path: path.stem)
@pytest.mark.parametrize("config_id", ["a", "b"])
def test_files_such_as_people_have_load_and_read_back(path: Path, config_id: str) -> None:
    configuration = load(str(path), config_id).configuration
    again = loads(written(configuration))
    assert again.configuration == configuration
    assert not [
        warning for warning in again.warnings if "means nothing" in str(warning) or "deprecated" in str(warning)
    ]


def instance(name: str, file: str, config_id: str = "a") -> VrrpInstance:
    (found,) = (each for each in load(str(HERE / file), config_id).configuration.instances if each.name == name)
    return found


def test_a_web_farm_is_understood() -> None:
    loaded = load(str(HERE / "web-farm.conf"), "a")
    configuration = loaded.configuration
    assert [str(warning).partition("web-farm.conf")[2] for warning in loaded.warnings] == [
        ":78:13: warning: nb_get_retry is deprecated; write retry"
    ]
    assert configuration.globals.mail.recipients == ("ops@example.com", "oncall@example.com")
    (group,) = configuration.sync_groups
    assert (group.instances, group.notify.smtp_alert) == (("VI_OUT", "VI_IN"), True)
    assert group.notify.master == Script(("/usr/local/sbin/lvs-state", "master"))
    out = instance("VI_OUT", "web-farm.conf")
    assert (out.priority, out.preempt, out.version, out.multicast) == (150, False, 2, IPv4Address("224.0.0.18"))
    assert out.authentication is not None
    assert (out.authentication.type, out.authentication.password) == (AuthenticationType.PASS, b"s3cr3t")
    assert [(str(each.address), each.prefix, each.label) for each in out.addresses] == [
        ("192.0.2.10", 24, "eth0:1"),
        ("192.0.2.11", 24, ""),
    ]
    (server,) = configuration.virtual_servers
    assert (server.scheduler, server.method, server.persistence, server.netmask) == (
        "wlc",
        ForwardingMethod.DIRECT,
        300,
        0xFFFFFF00,
    )
    assert (server.quorum, server.hysteresis, server.inhibit_on_failure) == (2, 1, True)
    assert server.sorry_server is not None
    assert (str(server.sorry_server.address), server.sorry_server.method) == ("127.0.0.1", ForwardingMethod.DIRECT)
    first, second, third = server.real_servers
    assert [real.weight for real in server.real_servers] == [100, 50, 0]
    assert {real.method for real in server.real_servers} == {ForwardingMethod.DIRECT}
    assert all(real.inhibit_on_failure for real in server.real_servers)
    (check,) = first.checks
    assert isinstance(check, HttpCheck)
    assert (check.connect_ip, check.connect_port, check.connect_timeout) == (IPv4Address("10.0.0.11"), 80, 3.0)
    assert (check.retry, check.delay_before_retry, check.delay_loop, check.warmup) == (3, 2.0, 6.0, 6.0)
    assert [(url.path, url.status_codes, url.digest is None) for url in check.urls] == [
        ("/health", ((200, 200),), True),
        ("/version.txt", ((200, 299),), False),
    ]
    assert (second.checks[0].retry, second.checks[0].delay_before_retry) == (1, 3.0)  # type: ignore[union-attr]
    assert isinstance(third.checks[0], TcpCheck)


def test_groups_marks_definitions_and_checks_are_understood() -> None:
    configuration = load(str(HERE / "marks-and-groups.conf"), "a").configuration
    public, marked, names, six = configuration.virtual_servers
    keys = list(configuration.service_keys(public))
    assert len(keys) == 1 + 8 + 8 + 1
    assert keys[1] == ServiceKey.of(Protocol.TCP, IPv4Address("198.51.100.16"), 443)
    assert keys[-1] == ServiceKey.mark(7)
    assert public.scheduler_flags == SchedulerFlags.FLAG_1 | SchedulerFlags.FLAG_2
    assert (public.alpha, public.omega, len(public.real_servers)) == (True, True, 4)
    last = public.real_servers[-1]
    assert last.notify_down == Script(("/usr/local/sbin/server-down", "10.1.0.14", "443"))
    (check,) = last.checks
    assert isinstance(check, HttpCheck)
    assert (check.tls, check.enable_sni, check.connect_port, check.alpha, check.retry) == (True, True, 8443, True, 2)
    assert (check.urls[0].path, check.urls[0].virtualhost) == ("/ping?from=lvs", "www.example.com")
    assert check.urls[0].status_codes == ((200, 204), (401, 401))
    assert public.sorry_server is not None
    assert public.sorry_server.inhibit

    assert list(configuration.service_keys(marked)) == [ServiceKey.mark(9)]
    assert marked.real_servers[0].tunnel == Tunnel(TunnelType.GUE, 6080, TunnelFlags.CSUM)
    assert [type(check) for check in marked.real_servers[1].checks] == [TcpCheck, UdpCheck]

    dns, misc, ping = names.real_servers[0].checks
    assert isinstance(dns, DnsCheck)
    assert isinstance(misc, MiscCheck)
    assert isinstance(ping, PingCheck)
    assert (dns.type, dns.name, dns.retry, dns.delay_before_retry) == ("A", "example.com", 3, 60.0)
    assert misc.misc_path.words[-2:] == ("-a", "192.0.2.1 192.0.2.2")
    assert (misc.misc_path.user, misc.misc_timeout, misc.misc_dynamic, misc.retry) == ("nobody", 5, True, 0)
    assert (ping.retry, ping.delay_before_retry) == (2, 1.0)

    direct, agent = six.real_servers[0].checks
    assert isinstance(direct, DrCheck)
    assert isinstance(agent, AgentCheck)
    assert (str(direct.connect_ip), direct.connect_port) == ("2001:db8::80", 80)
    assert (str(agent.connect_ip), agent.connect_port) == ("2001:db8:1::1", 9707)
    assert (six.family, six.persistence, six.netmask) == (Family.INET6, 360, 64)


def test_one_file_serves_both_hosts_with_what_it_includes() -> None:
    ours, theirs = (instance("VI_1", "cloud-unicast.conf", config_id) for config_id in "ab")
    assert (ours.priority, theirs.priority) == (110, 100)
    assert [str(each) for each in (ours.source, theirs.source)] == ["10.2.0.1", "10.2.0.2"]
    assert [[str(peer.address) for peer in each.unicast_peers] for each in (ours, theirs)] == [
        ["10.2.0.2"],
        ["10.2.0.1"],
    ]
    assert (ours.version, ours.advert_int, ours.preempt_delay, ours.check_unicast_source) == (3, 0.25, 30.0, True)
    assert (ours.garp.master_delay, ours.garp.lower_prio_delay, ours.garp.master_refresh) == (1, 5, 60)
    assert ours.track_script == (Track("chk_haproxy", 2), Track("chk_maintenance", -50))
    assert (ours.track_process, ours.track_file) == ((Track("nginx", 10),), (Track("offset", 1),))
    default, blackhole, several = ours.routes
    assert (str(default.destination), str(default.via), default.metric, default.table) == (
        "0.0.0.0/0",
        "10.2.0.254",
        10,
        "200",
    )
    assert (blackhole.type, blackhole.destination) == ("blackhole", ip_network("10.99.0.0/16"))
    assert [(str(hop.via), hop.weight) for hop in several.next_hops] == [("10.2.0.253", 2), ("10.2.0.252", 1)]
    assert [(rule.table, rule.preference, rule.negate, rule.track) for rule in ours.rules] == [
        ("200", 100, False, True),
        ("200", 101, True, False),
    ]
    configuration = load(str(HERE / "cloud-unicast.conf"), "a").configuration
    maintenance = configuration.scripts[1]
    assert maintenance.script == Script(("/bin/sh", "-c", "[ ! -e /etc/keepalived/down ]"), "nobody", "nogroup")
    fifo = configuration.globals.vrrp_notify_fifo
    assert fifo is not None
    assert fifo.script == Script(("/usr/local/sbin/on-vrrp", "--json"))
    daemon = configuration.globals.sync_daemon
    assert daemon is not None
    assert (daemon.interface, daemon.instance, daemon.sync_id) == ("eth0", "VI_1", 51)


def test_strict_mode_ipv6_and_virtual_macs_are_understood() -> None:
    four, six = instance("V4", "vmac-ipv6.conf"), instance("V6", "vmac-ipv6.conf")
    for each in (four, six):
        assert (each.strict, each.accept, each.lower_prio_no_advert, each.garp.lower_prio_repeat) == (
            True,
            False,
            True,
            0,
        )
        assert each.version == 3
    assert six.family is Family.INET6
    assert (str(six.multicast), six.state) == ("ff02::12", InitialState.BACKUP)
    assert six.virtual_mac is not None
    assert six.virtual_mac.mac == bytes.fromhex("02005e100007")
    assert [each.preferred_lifetime for each in six.addresses] == [None, None, 0]
