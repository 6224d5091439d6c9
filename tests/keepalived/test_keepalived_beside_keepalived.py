"""Beside the real keepalived: whatever `keepalived -t` complains about we tell of, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from directrix.keepalived import FaultyConfiguration, load, loads, written

pytestmark = pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")

_SERVER = (
    "virtual_server 10.0.0.99 80 {\n protocol TCP\n lb_algo rr\n lb_kind DR\n real_server 10.1.0.1 80 {\n%s\n}\n}\n"
)
SAMPLES = sorted(Path("/usr/share/doc/keepalived/samples").glob("keepalived.conf*"))

AROUND = {
    "top": "%s\n",
    "global": "global_defs {\n%s\n}\n",
    "instance": "vrrp_instance VI {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1 }\n%s\n}\n",
    "virtual": _SERVER.replace("{\n%s\n}", "{ }\n%s"),
    "server": _SERVER,
    "tcp": _SERVER % "TCP_CHECK {\n%s\n}",
    "http": _SERVER % "HTTP_GET {\n url { path / }\n%s\n}",
    "url": _SERVER % "HTTP_GET {\n url {\n path /\n%s\n}\n}",
    "udp": _SERVER % "UDP_CHECK {\n%s\n}",
    "dns": _SERVER % "DNS_CHECK {\n%s\n}",
    "smtp": _SERVER % "SMTP_CHECK {\n%s\n}",
}
"""What a snippet stands in."""

SNIPPETS = """
top: instance a
top: nonsense
top: }
top: vrrp_instance VI
top: vrrp_instance VI {
top: virtual_server foo 80 { }
top: virtual_server 10.0.0.97 foo { }
top: virtual_server 10.0.0.97 80 { }
top: virtual_server 10.0.0.98 { / protocol TCP / lb_algo rr / lb_kind DR / real_server 10.1.0.1 80 { } / }
top: virtual_server 10.0.0.98 80 { / real_server 10.1.0.1 80 { } / }
top: virtual_server fwmark 4 { / lb_algo rr / lb_kind DR / real_server 10.1.0.1 { } / }
top: virtual_server fwmark 4 { / protocol TCP / lb_algo rr / lb_kind DR / real_server 10.1.0.1 { } / }
top: virtual_server fwmark 4 { / lb_algo rr / lb_kind DR / real_server 10.1.0.1 80 { } / }
top: virtual_server_group G { / 10.0.0.1 80 / fwmark 4 / }
top: virtual_server_group G { / }
top: virtual_server_group G { / 10.0.0.300 80 / }
top: virtual_server_group G { / 10.0.0.1 99999 / }
top: virtual_server_group G { / 10.0.0.20-10 80 / }
top: virtual_server_group G { / 10.0.0.2-10.0.1.5 80 / 10.0.2.0~29 80 / 10.0.0.9 / }
top: virtual_server_group G { / fwmark 0x10 / }
top: virtual_server_group G { / fwmark 3 foo / }
top: SSL { / password x / ca ~nope / }
top: track_group G { / VI_1 / }
top: vrrp_track_process P { / process nginx / weight 10 / }
top: vrrp_track_process P { / process nginx / weight 300 / }
top: vrrp_track_process P { / weight 3 / }
top: track_process P { / process nginx / }
top: track_file P { / weight 5 / }
top: vrrp_script s { / script ~bin~true / interval 2 / weight -10 reverse / rise 2 / fall 3 / init_fail / }
top: vrrp_script s { / script ~bin~true / interval 0.1 / }
top: vrrp_script s { / script ~bin~true / interval 0 / }
top: vrrp_script s { / script ~bin~true / weight 254 / }
top: vrrp_script s { / script ~bin~true / rise 0 / }
top: vrrp_script s { / interval 2 / }
top: interface_up_down_delays { / eth0 300 / }
top: static_ipaddress { / 10.0.0.1~24 dev eth0 scope global label eth0:1 / ::1~64 dev eth0 preferred_lft 5 / }
top: static_ipaddress { / 10.0.0.1~24 dev eth0 label eth0:aaaaaaaaaaaaaaaaaaaa / }
top: static_ipaddress { / 10.0.0.1~24 dev eth0 scope foo / }
top: static_ipaddress { / 10.0.0.1~40 dev eth0 / }
top: static_ipaddress { / 10.0.0.1~24 dev eth0 nonsense / }
top: static_routes { / default via 10.0.0.1 dev eth0 / 10.2.0.0~16 dev eth0 metric 5 table main / }
top: static_routes { / 10.2.0.0~16 dev eth0 foo / }
top: static_rules { / from 10.0.0.0~24 table 5 preference 7 / iif eth0 table 5 priority 8 / }
top: static_rules { / from 10.0.0.0~24 / }
top: static_rules { / from 10.0.0.0~24 table 5 / }
top: static_rules { / foo / }
top: vrrp_sync_group G { / group { / VI / } / }
top: vrrp_sync_group G { / group { / } / }
top: vrrp_sync_group G { / }
top: vrrp_instance VI { / virtual_router_id 1 / virtual_ipaddress { 10.0.0.1 } / }
top: vrrp_instance VI { / interface eth0 / virtual_ipaddress { 10.0.0.1 } / }
top: vrrp_instance VI { / interface eth0 / virtual_router_id 1 / }
top: ~~SEQ(A, 1, 2) instance x$A
top: ~~SEQ(A, 2, 1, 3) instance x$A
top: ~~LST(A) instance x
top: include nothing-here.conf
top: include nothing*.conf
global: router_id a
global: router_id "a b"
global: nonsense 12
global: smtp_connect_timeout abc
global: smtp_connect_timeout 10
global: notification_email a@b
global: smtp_alert maybe
global: smtp_server 10.0.0.1 25
global: smtp_server 10.0.0.1 99999
global: vrrp_version 4
global: vrrp_garp_master_delay 1.5
global: vrrp_garp_interval 0.0000001
global: vrrp_garp_interval 0.000001
global: vrrp_garp_master_repeat -1
global: vrrp_mcast_group4 10.0.0.1
global: vrrp_mcast_group6 fe80::1
global: vrrp_mcast_group6 ff02::13
global: lvs_sync_daemon eth0 id 300
global: lvs_sync_daemon eth0 id 30 maxlen 1000 port 8849 ttl 5 group 224.0.0.82
global: lvs_sync_daemon eth0 ttl 0
global: lvs_sync_daemon eth0 id 3 bogus
global: lvs_timeouts tcp 100 tcpfin 10 udp 30
global: lvs_timeouts udp x
global: lvs_flush_on_stop VS
global: lvs_flush_on_stop RS
global: umask 08
global: umask 0x12
global: umask IRUSR|IWUSR
global: startup_script_timeout 0
global: net_namespace x
instance: priority 255
instance: priority 0
instance: priority 100foo
instance: state foo
instance: state master
instance: state BACKUP
instance: virtual_router_id 300
instance: advert_int 0.001
instance: advert_int 1.5
instance: advert_int 1.5 / version 3
instance: advert_int 1.555 / version 3
instance: advert_int 41 / version 3
instance: virtual_ipaddress { ::1 }
instance: virtual_ipaddress_excluded { ::1 / 10.0.0.4 }
instance: virtual_ipaddress { 10.0.0.5~33 }
instance: virtual_ipaddress { 10.0.0.5~255.255.255.0 }
instance: virtual_ipaddress { 10.0.0.2 peer 10.0.0.3 / 10.0.0.9 home -nodad noprefixroute no_track }
instance: virtual_ipaddress { dev eth0 }
instance: preempt_delay 2.5
instance: preempt_delay 2000
instance: preempt_delay 5 / state MASTER / priority 100
instance: nopreempt / state MASTER / priority 100
instance: unicast_peer { 10.0.0.2 min_ttl 5 max_ttl 6 }
instance: unicast_peer { 10.0.0.2 min_ttl 5 max_ttl 4 }
instance: unicast_peer { 10.0.0.2 foo }
instance: unicast_peer { ::1 }
instance: unicast_src_ip 10.0.0.4 / unicast_peer { 10.0.0.5 }
instance: mcast_src_ip ::1
instance: mcast_dst_ip 1.2.3.4
instance: garp_extra_if all 100
instance: garp_extra_if 100000
instance: garp_master_delay 99999
instance: garp_master_repeat 0
instance: garp_lower_prio_delay 0 / garp_lower_prio_repeat 0
instance: use_vmac 00:00:5e:00:01:05
instance: use_vmac vrrp.aaaaaaaaaaaaaaaaaaaaa
instance: vmac_xmit_base
instance: authentication { / auth_type PASS / auth_pass secret / }
instance: authentication { / auth_type pass / auth_pass secret / }
instance: authentication { / auth_type PASS / }
instance: authentication { / auth_type PASS / auth_pass abcdefghi / }
instance: authentication { / auth_type PASS / auth_pass foo / } / version 3
instance: auth_type PASS
instance: track_interface { / lo weight 20 reverse / }
instance: track_interface { / lo weight 300 / }
instance: track_interface { / lo foo / }
instance: track_interface { / eth0 / }
instance: track_script { / foo / }
instance: track_process { / foo / }
instance: track_file { / foo / }
instance: down_timer_adverts 0
instance: notify_deleted
instance: debug 9
instance: strict_mode foo
instance: higher_prio_send_advert foo
instance: skip_check_adv_addr 1
instance: lvs_sync_daemon_interface eth0
instance: linkbeat_use_polling
instance: kernel_rx_buf_size foo
instance: version 4
instance: vrf blue
instance: nonsense
instance: sub { / x / }
instance: virtual_routes { / 10.0.0.0~24 via 1.2.3.4 dev eth0 / }
instance: virtual_rules { / from 10.0.0.0~24 table 3 priority 5 / }
server: lvs_method TUN type gue port 5000 csum
server: lvs_method TUN type gue
virtual: lb_kind TUN type ipip csum
virtual: lb_kind DX
virtual: lb_kind dr
virtual: lb_algo foo
virtual: lb_algo RR
virtual: protocol tcp
virtual: protocol FOO
virtual: persistence_timeout
virtual: persistence_timeout 2678401
virtual: ops
virtual: sh-port
virtual: flag-1
virtual: retry 0
virtual: delay_loop 0
virtual: delay_loop 1.5
virtual: quorum 0
virtual: quorum 5
virtual: hysteresis 5
virtual: sorry_server 10.0.0.3
virtual: sorry_server ::1 80
virtual: sorry_server_inhibit
virtual: sorry_server_lvs_method DR
virtual: real_server ::1 80 { }
virtual: real_server 10.1.0.1 80 { weight 3 }
virtual: real_server 10.1.0.1 { }
virtual: real_server foo 80 { }
virtual: smtp_alert
virtual: smtp_alert foo
virtual: ip_family inet6
virtual: connect_timeout 0
virtual: connect_timeout 1.5
virtual: delay_before_retry 0 / warmup 0
virtual: nonsense
server: weight 5
server: weight -1
server: weight 70000
server: inhibit_on_failure / alpha no
server: inhibit_on_failure foo
server: alpha foo
server: smtp_alert foo
server: lvs_method TUN type gre remcsum
server: lb_kind TUN
server: TCP_CHECK
server: FOO_CHECK { / a / }
tcp: connect_port 0
tcp: connect_ip foo
tcp: connect_timeout 1.5s
tcp: connect_timeout 0
tcp: connect_ip 10.0.0.4 / connect_port 81 / bindto 10.0.0.3 / warmup 0 / retry 0 / delay_loop 3 / alpha
tcp: retry -1
tcp: log_all_failures foo
tcp: bogus
tcp: nb_get_retry 3
http: http_protocol 1.1 / fast_recovery
http: http_protocol 2.0
http: fast_recovery foo
http: nb_get_retry 4
http: connect_port http
http: url { / status_code 200 / }
http: url { / }
url: status_code 200 300-399
url: status_code 99
url: status_code 200-100
url: status_code 200,300
url: digest abc
url: digest 9b3a0c85a887a256d6939da88aabd8cd
url: regex a / regex_options caseless / virtualhost x
udp: payload 0a1b / require_reply 12xX / min_reply_length 2 / max_reply_length 100
udp: payload zz
udp: min_reply_length 10 / max_reply_length 5
udp: max_reply_length 70000
dns: type MX / name example.com
dns: type FOO
smtp: helo_name a / host { / connect_ip 1.2.3.4 / }
""".strip().splitlines()

_ABOUT_THE_MACHINE = re.compile(
    r"doesn't exist|Non-existent|SECURITY|[Ss]cript user|not found or not executable|Unable to|script_security"
)


def complaints_about(path: Path) -> list[str]:
    """What `keepalived -t` says of a file, except about the machine."""
    command = ["keepalived", "-t", "-i", "x", "-f", path]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if not _ABOUT_THE_MACHINE.search(line)]


def test_what_keepalived_complains_about_is_told_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    differences = []
    for snippet in SNIPPETS:
        where, _, text = snippet.partition(": ")
        configuration = AROUND[where].replace(
            "%s", text.replace(" / ", "\n").replace("~~", "\0").replace("~", "/").replace("\0", "~")
        )
        path.write_text(configuration)
        complaints = complaints_about(path)
        try:
            faults = loads(configuration, config_id="x").warnings
        except FaultyConfiguration as faulty:
            faults = faulty.faults
        if bool(complaints) is not bool(faults):
            differences.append((snippet, complaints, list(map(str, faults))))
    assert not differences, "\n".join(map(repr, differences))


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "configurations").glob("*.conf")) + SAMPLES, ids=lambda path: path.name
)
def test_what_is_written_is_taken_by_keepalived_without_complaint(path: Path, tmp_path: Path) -> None:
    text = written(load(str(path), "a").configuration)
    ours = [name for name in ("DR_CHECK", "AGENT_CHECK") if name in text]
    if ours:
        text = re.sub(rf"(?m)^( +)(?:{'|'.join(ours)}) {{\n(?:\1 .*\n)*\1}}\n", "", text)
    (tmp_path / "x.conf").write_text(text)
    told_anyhow = re.compile(r"cannot track route|has no preference|Disabling track script|port will be ignored")
    assert [line for line in complaints_about(tmp_path / "x.conf") if not told_anyhow.search(line)] == []
