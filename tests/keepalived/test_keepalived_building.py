"""What is taken over from elsewhere, what is corrected, and what can't be."""

from __future__ import annotations

import pytest

from directrix.keepalived import FaultyConfiguration, loads
from directrix.keepalived.schema.server_words import SCHEDULERS
from directrix.keepalived.values import (
    Configuration,
    Drain,
    InitialState,
    PassiveHealth,
    RealServer,
    Track,
    VirtualServer,
    VrrpInstance,
)
from directrix.lvs import ForwardingMethod, Protocol
from directrix.lvs.budget import Budget, Rate
from directrix.scheduling import ALGORITHMS


def configuration(text: str) -> Configuration:
    return loads(text, "x", "main").configuration


def instance(words: str, globals_: str = "") -> VrrpInstance:
    (found,) = configuration(
        f"global_defs {{\n{globals_}\n}}\nvrrp_instance VI {{\ninterface eth0\nvirtual_router_id 1\n{words}\n}}"
    ).instances
    return found


VIP = "virtual_ipaddress { 10.0.0.1 }\n"


def virtual(words: str, globals_: str = "", server: str = "") -> VirtualServer:
    text = f"global_defs {{\n{globals_}\n}}\nvirtual_server 10.0.0.1 80 {{\nprotocol TCP\n{words}\n"
    text += f"real_server 10.0.0.11 8080 {{\n{server}\n}}\n}}"
    (found,) = configuration(text).virtual_servers
    return found


def real(words: str, server: str, globals_: str = "") -> RealServer:
    return virtual(words, globals_, server).real_servers[0]


def refused(text: str) -> str:
    with pytest.raises(FaultyConfiguration) as caught:
        loads(text, "x", "main")
    return str(caught.value)


def warned(text: str) -> str:
    return "\n".join(map(str, loads(text, "x", "main").warnings))


def test_an_instance_takes_over_from_the_global_definitions_what_it_doesn_t_say() -> None:
    words = "vrrp_version 3\nvrrp_garp_master_delay 9\nvrrp_garp_master_repeat 2\nvrrp_mcast_group4 224.0.0.99\n"
    words += "smtp_alert\nvrrp_down_timer_adverts 5"
    found = instance(VIP, words)
    assert (found.version, found.garp.master_delay, found.garp.lower_prio_delay, found.garp.lower_prio_repeat) == (
        3,
        9,
        9,
        2,
    )
    assert (str(found.multicast), found.notify.smtp_alert, found.down_timer_adverts) == ("224.0.0.99", True, 5)
    own = instance(VIP + "version 2\ngarp_master_delay 1\nsmtp_alert off", words)
    # as in keepalived, the delay for lower priority follows the global one
    assert (own.version, own.garp.master_delay, own.garp.lower_prio_delay, own.notify.smtp_alert) == (2, 1, 9, False)


def test_min_garp_is_one_gratuitous_arp_and_no_second_set() -> None:
    garp = instance(VIP, "vrrp_min_garp").garp
    assert (garp.master_delay, garp.master_repeat, garp.lower_prio_delay, garp.lower_prio_repeat) == (0, 1, 0, 1)


def test_state_master_without_priority_owns_the_addresses_as_in_keepalived() -> None:
    found = instance(VIP + "state MASTER")
    assert (found.state, found.priority) == (InitialState.MASTER, 255)
    assert instance(VIP).priority == 100
    assert instance(VIP + "state MASTER\npriority 150").priority == 150


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("advert_int 1.5", "advert_int", 2.0),
        ("advert_int 0.2", "advert_int", 1.0),
        ("version 3\nadvert_int 1.556", "advert_int", 1.56),
        ("version 3\nadvert_int 200", "advert_int", 40.95),
        ("nopreempt\nstate MASTER\npriority 100", "preempt", True),
        ("preempt_delay 5\nstate MASTER\npriority 100", "preempt_delay", 0.0),
        ("vmac_xmit_base", "vmac_xmit_base", False),
        ("version 3\nauthentication {\nauth_type PASS\nauth_pass a\n}", "authentication", None),
        ("authentication {\nauth_type AH\nauth_pass a\n}\nstate MASTER\npriority 100", "state", InitialState.BACKUP),
        ("strict_mode\nlower_prio_no_advert off", "lower_prio_no_advert", True),
    ],
)
def test_what_can_t_be_as_it_was_told_is_corrected_with_a_warning(words: str, field: str, value: object) -> None:
    text = f"vrrp_instance VI {{\ninterface eth0\nvirtual_router_id 1\n{VIP}{words}\n}}"
    assert "warning" in warned(text)
    assert getattr(configuration(text).instances[0], field) == value


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("interface eth0\n" + VIP, "VI needs a virtual_router_id"),
        ("virtual_router_id 1\n" + VIP, "VI needs an interface"),
        ("interface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n::1\n}", "not IPv4, as the instance is"),
        (
            "interface eth0\nvirtual_router_id 1\ntrack_script {\nchk\n}\n" + VIP,
            "there is no vrrp_script 'chk' to follow",
        ),
        ("interface eth0\nvirtual_router_id 1\nvrf blue\n" + VIP, "can't be given a vrf"),
    ],
)
def test_an_instance_that_can_t_be_is_refused(words: str, reason: str) -> None:
    assert reason in refused(f"vrrp_instance VI {{\n{words}\n}}")


def test_two_instances_that_are_one_virtual_router_are_refused_unless_their_peers_differ() -> None:
    one = "vrrp_instance {} {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{ 10.0.0.1 }}\n{}\n}}\n"
    assert "A and B are one virtual router" in refused(one.format("B", "") + one.format("A", ""))
    peers = ["unicast_peer { 10.0.0.8 }", "unicast_peer { 10.0.0.9 }"]
    assert len(configuration(one.format("A", peers[0]) + one.format("B", peers[1])).instances) == 2
    assert "one virtual router" in refused(one.format("A", peers[0]) + one.format("B", peers[0]))
    assert "there is a vrrp_instance 'A' already, at x:1:1" in refused(
        one.format("A", peers[0]) + one.format("A", peers[1])
    )


def test_what_is_followed_has_its_own_weight_unless_the_reference_gives_one() -> None:
    text = "vrrp_script s {\nscript /bin/true\nweight 7 reverse\n}\ntrack_file f {\nfile /x\nweight 9\n}\n"
    text += f"vrrp_instance VI {{\ninterface eth0\nvirtual_router_id 1\n{VIP}"
    text += "track_script {\ns\n}\ntrack_file {\nf weight 3 reverse\n}\n}"
    (found,) = configuration(text).instances
    assert (found.track_script, found.track_file) == ((Track("s", 7, True),), (Track("f", 3, True),))


def test_a_script_that_comes_again_is_told_of_and_the_first_one_counts() -> None:
    text = "vrrp_script s {\nscript /bin/a\n}\nvrrp_script s {\nscript /bin/b\n}\n"
    (script,) = configuration(text).scripts
    assert script.script.words == ("/bin/a",)
    assert "x:4:1: warning: there is a vrrp_script 's' already, at x:1:1" in warned(text)


def test_names_that_refer_to_nothing_are_told_with_the_nearest_one() -> None:
    text = f"vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\n{VIP}}}\n"
    text += "vrrp_sync_group G {\ngroup {\nVI_2\n}\n}\n"
    assert "x:8:1: error: there is no vrrp_instance 'VI_2'; did you mean 'VI_1'?" in refused(text)
    assert "there is no virtual_server_group 'WEB'; did you mean 'WEBS'?" in refused(
        "virtual_server_group WEBS {\n10.0.0.1 80\n}\nvirtual_server group WEB {\nreal_server 10.0.0.2 80 {\n}\n}"
    )


def test_members_of_a_sync_group_may_stand_in_its_block_as_in_old_times() -> None:
    text = f"vrrp_sync_group G {{\nVI\n}}\nvrrp_instance VI {{\ninterface eth0\nvirtual_router_id 1\n{VIP}}}\n"
    assert configuration(text).sync_groups[0].instances == ("VI",)
    assert "write it inside group" in warned(text)
    assert "'notify_mastr' is no keyword in vrrp_sync_group; did you mean 'notify_master'?" in refused(
        text.replace("VI\n}", "VI\nnotify_mastr\n}", 1)
    )


def test_a_real_server_takes_over_from_its_virtual_server_and_a_check_from_it() -> None:
    words = "lb_kind DR\nalpha\nretry 5\ndelay_loop 7\ndelay_before_retry 2\nwarmup 3\nconnect_timeout 4\n"
    words += "virtualhost w\ninhibit_on_failure"
    server = real(
        words, "retry 6\nTCP_CHECK {\nconnect_timeout 9\n}\nHTTP_GET {\nurl { path / }\nretry 0\nalpha off\n}"
    )
    assert (server.method, server.alpha, server.inhibit_on_failure) == (ForwardingMethod.DIRECT, True, True)
    tcp, http = server.checks
    assert (tcp.alpha, tcp.retry, tcp.delay_loop, tcp.warmup, tcp.connect_timeout) == (True, 6, 7.0, 3.0, 9.0)  # type: ignore[union-attr]
    assert (http.alpha, http.retry, http.delay_before_retry, http.connect_timeout) == (False, 0, 2.0, 4.0)  # type: ignore[union-attr]
    assert http.urls[0].virtualhost == "w"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("check", "retry", "delay"),
    [
        ("TCP_CHECK {\n}", 1, 1.0),
        ("HTTP_GET {\nurl { path / }\n}", 1, 3.0),
        ("SSL_GET {\nurl { path / }\n}", 1, 3.0),
        ("SMTP_CHECK {\n}", 1, 1.0),
        ("DNS_CHECK {\n}", 3, 60.0),
        ("UDP_CHECK {\n}", 1, 1.0),
        ("PING_CHECK {\n}", 1, 1.0),
        ("MISC_CHECK {\nmisc_path /x\n}", 0, 1.0),
        ("DR_CHECK {\n}", 1, 1.0),
        ("AGENT_CHECK {\nconnect_port 1\n}", 1, 1.0),
    ],
)
def test_checks_retry_by_default_as_keepalived_s_manual_says(check: str, retry: int, delay: float) -> None:
    (found,) = real("", check).checks
    assert (found.retry, found.delay_before_retry, found.delay_loop, found.warmup) == (retry, delay, 60.0, 60.0)  # type: ignore[union-attr]


def test_mail_about_servers_is_on_by_default_and_about_quorums_off() -> None:
    assert (virtual("").smtp_alert, real("", "").smtp_alert) == (False, True)
    assert real("", "", "smtp_alert off").smtp_alert is False
    assert virtual("", "smtp_alert_checker on\nsmtp_alert off").smtp_alert is True


def test_without_protocol_scheduler_and_method_a_virtual_server_is_keepalived_s_and_says_so() -> None:
    text = "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\n}\n}"
    (found,) = configuration(text).virtual_servers
    assert (found.protocol, found.scheduler, found.method) == (Protocol.UDP, "wlc", ForwardingMethod.MASQUERADE)
    assert "means UDP" in warned(text)


def test_passive_health_has_defaults_and_bounds_that_make_sense() -> None:
    assert virtual("").passive_health is None
    assert virtual("passive_health {\n}").passive_health == PassiveHealth()
    found = virtual("passive_health {\nout_below .4\nback_above 1\nsample 50\nmost_out 0\nhold 5\nhold_most 5\n}")
    assert found.passive_health == PassiveHealth(
        out_below=0.4, back_above=1.0, sample=50, most_out=0.0, hold=5.0, hold_most=5.0
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("out_below 0.9", "out_below (0.9) is above 0 and below back_above (0.8)"),
        ("out_below 0", "out_below (0) is above 0"),
        ("most_out 1", "most_out is less than 1"),
        ("hold 7200", "hold (7200) is not above hold_most (3600)"),
        ("out_below 50%", "a part, from 0 to 1, not '50%'"),
        ("holds 1", "did you mean 'hold'"),
    ],
)
def test_passive_health_that_makes_no_sense_is_refused(words: str, reason: str) -> None:
    head = "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind DR\nprotocol TCP\n"
    servers = "real_server 10.0.0.11 80 {\n}\nreal_server 10.0.0.12 80 {\n}\n"
    assert reason in refused(f"{head}{servers}passive_health {{\n{words}\n}}\n}}")


def test_slow_start_and_drain_of_a_virtual_server_are_its_servers_unless_they_have_their_own() -> None:
    found = virtual("slow_start 1m30s\ndrain {\ndeadline 10m\nthen expire\nudp leave\n}")
    assert (found.slow_start, found.drain) == (90.0, Drain(deadline=600.0, expire=True, udp_now=True))
    assert (found.real_servers[0].slow_start, found.real_servers[0].drain) == (found.slow_start, found.drain)
    [server] = virtual("slow_start 90\ndrain {\ndeadline 10m\n}", server="slow_start 0\ndrain {\n}").real_servers
    assert (server.slow_start, server.drain) == (0.0, Drain())
    assert (virtual("").slow_start, virtual("").drain, virtual("").budget) == (0.0, None, None)


def test_a_budget_has_the_words_and_the_defaults_of_the_command() -> None:
    assert virtual("budget {\nrate 100\n}").budget == Budget(Rate(100, 1, 100))
    found = virtual("budget {\nsource_rate 10/minute burst 30\nsource_prefix 24\nsource_prefix6 56\n}").budget
    assert found == Budget(None, Rate(10, 60, 30), 24, 56)


@pytest.mark.parametrize(
    ("words", "place", "reason"),
    [
        ("slow_start soon", "5:12", "'soon' is no length of time"),
        ("slow_start 400d", "5:12", "up to 366 days, not 400d"),
        ("drain {\nthen expire\n}", "6:1", "then expire needs a deadline"),
        ("drain {\nthen go\n}", "6:6", "'go' is no end of a drain; there are keep, expire"),
        ("budget {\n}", "5:1", "a rate for the service, a source_rate for each source, or both"),
        ("budget {\nrate 0\n}", "6:6", "rate 0: a rate is 1 to 10,000,000 a second"),
        ("budget {\nrate 5/d\n}", "6:6", "a rate is COUNT, COUNT/s, COUNT/m or COUNT/h"),
        ("budget {\nrate 5 bust 7\n}", "6:8", "behind a rate stands burst, not 'bust'"),
        ("budget {\nsource_rate 1/h burst 300\n}", "6:23", "at 1/h it is at most 12"),
        ("budget {\nrate 5\nsource_prefix 24\n}", "7:1", "source_prefix needs a source_rate"),
    ],
)
def test_options_that_make_no_sense_are_refused_where_they_stand(words: str, place: str, reason: str) -> None:
    head = "virtual_server 10.0.0.1 80 {\nlb_algo wrr\nlb_kind DR\nprotocol TCP\n"
    found = refused(f"{head}{words}\nreal_server 10.0.0.11 80 {{\n}}\n}}")
    assert f":{place}: " in found
    assert reason in found


@pytest.mark.parametrize(
    ("scheduler", "weight", "reason"),
    [("rr", 10, "to the scheduler rr all weights above 0 are alike"), ("wrr", 1, "a weight of 1 can't grow")],
)
def test_a_slow_start_without_effect_is_told(scheduler: str, weight: int, reason: str) -> None:
    text = (
        f"virtual_server 10.0.0.1 80 {{\nlb_algo {scheduler}\nlb_kind DR\nprotocol TCP\n"
        f"real_server 10.0.0.11 80 {{\nweight {weight}\nslow_start 10\n}}\n}}"
    )
    [told] = [str(fault) for fault in loads(text).warnings if "slow_start" in str(fault)]
    assert ":7:1: " in told
    assert reason in told


def test_a_quorum_out_of_reach_and_too_much_hysteresis_are_corrected() -> None:
    found = virtual("quorum 5\nhysteresis 9", server="weight 3")
    assert (found.quorum, found.hysteresis) == (3, 2)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("real_server 10.0.0.11 8080 {\n}", "has a real_server 10.0.0.11 8080 already, at x:"),
        ("real_server ::1 80 {\n}", "::1 is not IPv4, as its virtual server is"),
        ("sorry_server_inhibit", "there is no sorry_server this could be about"),
        ("ip_family inet6", "is not inet6"),
        ("persistence_granularity 64", "is a netmask"),
    ],
)
def test_a_virtual_server_that_can_t_be_is_refused(words: str, reason: str) -> None:
    head = "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind DR\nprotocol TCP\n"
    text = head + f"real_server 10.0.0.11 8080 {{\n}}\n{words}\n}}"
    assert reason in refused(text)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("HTTP_GET {\n}", "needs a url"),
        ("HTTP_GET {\nurl {\n}\n}", "a url needs a path"),
        ("MISC_CHECK {\n}", "needs a misc_path"),
        ("FILE_CHECK {\n}", "needs a track_file"),
        ("FILE_CHECK {\ntrack_file f\n}", "there is no track_file 'f'"),
        ("AGENT_CHECK {\n}", "needs the agent's connect_port"),
        ("UDP_CHECK {\nmin_reply_length 9\nmax_reply_length 8\n}", "would always fail"),
        ("DR_CHECK {\nurl { path / }\nurl { path / }\n}", "has one url"),
    ],
)
def test_a_check_that_can_t_be_is_refused(check: str, reason: str) -> None:
    head = "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind DR\nprotocol TCP\n"
    text = head + f"real_server 10.0.0.11 80 {{\n{check}\n}}\n}}"
    assert reason in refused(text)


def test_a_dr_check_of_a_firewall_mark_must_be_told_the_vip() -> None:
    text = "virtual_server fwmark 3 {\nlb_algo rr\nlb_kind DR\n"
    text += "real_server 10.0.0.11 {\nDR_CHECK {\nconnect_port 80\n%s\n}\n}\n}"
    assert "needs to know the VIP" in refused(text % "")
    (server,) = configuration(text % "connect_ip 10.0.0.1").virtual_servers
    assert str(server.real_servers[0].checks[0].connect_ip) == "10.0.0.1"  # type: ignore[union-attr]


def test_a_dr_check_of_a_server_without_the_vip_is_told_of() -> None:
    text = "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind %s\nprotocol TCP\n"
    text += "real_server 10.0.0.11 80 {\nDR_CHECK {\n}\n}\n}"
    assert "only these have the VIP" in warned(text % "NAT")
    assert warned(text % "DR") == ""


def test_a_real_server_of_a_firewall_mark_gives_its_port_to_checks_alone() -> None:
    text = "virtual_server fwmark 3 {\nlb_algo rr\nlb_kind DR\nreal_server 10.0.0.11 81 {\nTCP_CHECK {\n}\n}\n}"
    (server,) = configuration(text).virtual_servers
    assert server.real_servers[0].port == 0
    assert server.real_servers[0].checks[0].connect_port == 81  # type: ignore[union-attr]


def test_the_schedulers_are_those_there_are() -> None:
    assert {name for name, algorithm in ALGORITHMS.items() if algorithm.scheduler} - {"none"} == set(SCHEDULERS)


def test_a_udp_reply_may_have_half_bytes_that_don_t_matter() -> None:
    (check,) = real("", "UDP_CHECK {\npayload Ab12f 3 456\nrequire_reply 1xX2\n}").checks
    assert check.payload == bytes.fromhex("ab120f034506")  # type: ignore[union-attr]
    assert (check.reply.data, check.reply.mask) == (b"\x10\x02", b"\xf0\x0f")  # type: ignore[union-attr]
