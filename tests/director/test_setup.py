"""From keepalived.conf to what is done: services, real servers, checks, routers; and what is refused."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from director_making import KEY, NAME, PLAIN, SORRY, VIP, A, B, service, setup

from directrix.checks.agent_check import AgentCheck
from directrix.checks.dr_check import DrCheck
from directrix.checks.file_check import FileCheck
from directrix.checks.http_get import HttpGet
from directrix.checks.misc_check import MiscCheck
from directrix.checks.settings import Target
from directrix.checks.tcp_check import TcpCheck
from directrix.director.plan import WantedService
from directrix.director.planning import plan, wanted_unchecked
from directrix.director.refusal import Refused
from directrix.director.route_words import route_words, rule_words
from directrix.director.setup import vet
from directrix.keepalived import load, loads
from directrix.keepalived.values import NextHop, Route, Rule
from directrix.lvs import Family, ForwardingMethod, Protocol, RealServer, ServiceKey, VirtualService
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable
from directrix.vrrp.values import Authentication, AuthenticationType, Command, VirtualAddress

SAMPLES = sorted(Path(__file__).parent.parent.joinpath("keepalived", "configurations").glob("*.conf"))


def checks(block: str, head: str = "10.0.0.1 80", before: str = "") -> list[object]:
    """The settings of the checks of one real server."""
    (found,) = setup(before + service(f"{head} {{ weight 4\n {block}\n }}")).checks.values()
    return [check.settings for check in found]


def test_a_virtual_server_is_a_service_with_its_real_servers() -> None:
    assert wanted_unchecked(setup(PLAIN)) == [
        WantedService(VirtualService(KEY, "rr"), (RealServer(A, 80, weight=1), RealServer(B, 80, weight=2)))
    ]


def test_without_nat_a_real_server_has_the_port_of_the_service() -> None:
    for method, port in (("DR", 80), ("TUN", 80), ("NAT", 8080)):
        (want,) = wanted_unchecked(setup(service("10.0.0.1 8080 { weight 1\n }", method=method)))
        assert [server.port for server in want.servers] == [port]


def test_a_group_is_one_service_for_each_member() -> None:
    text = "virtual_server_group web {\n192.0.2.1-2 80\nfwmark 7\n}\n"
    made = setup(text + service("10.0.0.1 80 { weight 1\n }", head="group web"))
    keys = [want.service.key for want in wanted_unchecked(made)]
    assert keys == [KEY, ServiceKey.of(Protocol.TCP, IPv4Address("192.0.2.2"), 80), ServiceKey.mark(7)]
    assert list(made.virtuals) == ["group web TCP"]


def test_one_waits_for_a_check_in_alpha_mode_and_the_sorry_server_serves_meanwhile() -> None:
    text = service("10.0.0.1 80 { TCP_CHECK { connect_timeout 1\n } }", more="alpha\nsorry_server 10.0.0.9 80")
    (want,) = wanted_unchecked(setup(text))
    assert [server.address for server in want.servers] == [SORRY]


def test_a_plan_leaves_services_of_others_alone_if_asked() -> None:
    table = MemoryTable()
    other = ServiceKey.mark(9)
    table.add_service(VirtualService(other))
    made = setup(PLAIN)
    assert other in {change.key for change in plan(made, table)}
    assert other not in {change.key for change in plan(made, table, keep_others=True)}


def test_checks_are_told_what_the_configuration_says() -> None:
    there = Target(A, 80, connect_timeout=2)
    assert checks("TCP_CHECK { connect_timeout 2\n }") == [TcpCheck(there)]
    (agent,) = checks("AGENT_CHECK { connect_port 99\n send hello\n connect_timeout 2\n }")
    assert agent == AgentCheck(Target(A, 99, connect_timeout=2), 4, b"hello")
    (dr,) = checks("DR_CHECK { connect_timeout 2\n }")
    assert dr == DrCheck(there, VIP)
    (misc,) = checks('MISC_CHECK { misc_path "/bin/test 1"\n misc_dynamic\n user root\n }')
    assert isinstance(misc, MiscCheck)
    assert (misc.command, misc.dynamic, misc.server_weight, misc.timeout) == (("/bin/test", "1"), True, 4, 60.0)
    (file,) = checks(
        "FILE_CHECK { track_file load\n weight 2 reverse\n }", before="track_file load { file /tmp/x\n }\n"
    )
    assert file == FileCheck(Path("/tmp/x"), 2, True)
    (page,) = checks("SSL_GET { url { path /a\n status_code 204\n virtualhost x.test\n }\n enable_sni\n }")
    assert isinstance(page, HttpGet)
    assert page.tls is not None
    assert page.enable_sni
    assert [(url.path, url.virtualhost, url.status) for url in page.urls] == [("/a", "x.test", ((204, 204),))]


def test_checks_of_one_kind_have_numbers() -> None:
    twice = "TCP_CHECK { connect_timeout 1\n }\n" * 2 + "HTTP_GET { url { path /\n } }"
    (found,) = setup(service(f"10.0.0.1 80 {{ {twice}\n }}")).checks.values()
    assert [check.name for check in found] == ["TCP_CHECK", "TCP_CHECK 2", "HTTP_GET"]


def test_timing_is_the_configuration_s() -> None:
    block = "10.0.0.1 80 { TCP_CHECK { retry 4\n delay_before_retry 2\n delay_loop 7\n warmup 0\n alpha\n } }"
    ((check,),) = setup(service(block)).checks.values()
    timing = check.timing
    assert (timing.delay_loop, timing.retry, timing.delay_before_retry, timing.warmup, timing.alpha) == (
        7,
        4,
        2,
        0,
        True,
    )


def test_an_instance_is_told_to_vrrp() -> None:
    made = setup(
        """
        global_defs { script_user root
        }
        vrrp_script well { script "/bin/true x"
          interval 3
          weight -5
        }
        vrrp_instance VI {
          interface eth0
          virtual_router_id 51
          priority 150
          advert_int 2
          nopreempt
          authentication { auth_type PASS
            auth_pass secret
          }
          virtual_ipaddress { 192.0.2.1/24 brd + label eth0:1
          }
          virtual_ipaddress_excluded { 2001:db8::1
          }
          virtual_routes { 10.1.0.0/16 via 192.0.2.254
          }
          track_script { well
          }
          notify_master "/bin/echo master"
        }
        """
    ).routers
    (instance,), (script,) = made.instances, made.scripts
    assert (instance.name, instance.vrid, instance.priority, instance.interval) == ("VI", 51, 150, 200)
    assert instance.nopreempt
    assert instance.authentication == Authentication(AuthenticationType.PASS, b"secret")
    assert instance.addresses == (VirtualAddress(VIP, 24, broadcast=IPv4Address("192.0.2.255"), label="eth0:1"),)
    assert [(str(one), one.deprecated) for one in instance.excluded] == [("2001:db8::1/128", True)]
    assert instance.routes[0].words == ("10.1.0.0/16", "via", "192.0.2.254")
    assert [(track.name, track.weight) for track in instance.tracking.scripts] == [("well", -5)]
    assert instance.notify.master == Command(("/bin/echo", "master"), "root")
    assert (script.command.words, script.interval) == (("/bin/true", "x"), 3)


def test_routes_and_rules_are_as_ip_takes_them() -> None:
    from ipaddress import ip_network

    hops = (NextHop(via=ip_address("10.0.0.1"), weight=3), NextHop(interface="eth1", on_link=True))
    route = Route(family=Family.INET, destination=ip_network("0.0.0.0/0"), next_hops=hops, table="7", metric=5)
    assert " ".join(route_words(route, "eth0")) == (
        "default table 7 metric 5 nexthop via 10.0.0.1 weight 3 nexthop dev eth1 onlink weight 1"
    )
    hole = Route(family=Family.INET, destination=ip_network("10.9.0.0/16"), type="blackhole")
    assert route_words(hole, "eth0") == ("blackhole", "10.9.0.0/16")
    bare = Route(family=Family.INET, destination=ip_network("10.9.0.0/16"), options=(("mtu", "lock", "1400"),))
    assert route_words(bare, "eth0") == ("10.9.0.0/16", "dev", "eth0", "mtu", "lock", "1400")
    mixed = Route(family=Family.INET, destination=ip_network("10.9.0.0/16"), via=ip_address("fe80::1"), interface="e")
    assert route_words(mixed) == ("10.9.0.0/16", "via", "inet6", "fe80::1", "dev", "e")
    rule = Rule(family=Family.INET, source=ip_network("10.0.0.0/8"), preference=9, table="x", negate=True)
    assert rule_words(rule) == ("not", "from", "10.0.0.0/8", "preference", "9", "table", "x")
    jump = Rule(family=Family.INET, action="goto", target=8, options=(("fwmark", "1"),))
    assert rule_words(jump) == ("from", "all", "fwmark", "1", "goto", "8")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_configurations_such_as_people_have_can_be_made_ready(sample: Path) -> None:
    from directrix.director.setup import prepare

    made = prepare(load(str(sample)).configuration)
    vet(made, MemoryTable())
    wanted_unchecked(made)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            PLAIN
            + "virtual_server_group g {\n192.0.2.0-3 80\n}\n"
            + service("10.0.0.1 80 { weight 1\n }", head="group g"),
            "the service TCP 192.0.2.1:80 is wanted twice",
        ),
        (service("10.0.0.1 80 { weight 1\n }", "10.0.0.1 81 { weight 1\n }"), "10.0.0.1:80 is wanted twice"),
        (
            service('10.0.0.1 80 { MISC_CHECK { misc_path "/bin/true"\n user nobody-of-this-name\n } }'),
            "nobody-of-this-name",
        ),
        ("net_namespace_ipvs other\n" + PLAIN, "net_namespace_ipvs"),
    ],
    ids=("service", "server", "user", "namespace"),
)
def test_what_contradicts_itself_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        setup(text)
    assert reason in str(refused.value)


def test_all_that_a_table_does_not_take_is_told_at_once() -> None:
    class Small(MemoryTable):
        def vet_server(self, key: ServiceKey, server: RealServer) -> None:
            from directrix.lvs.errors import NotSupportedYet

            if server.method is ForwardingMethod.MASQUERADE:
                raise NotSupportedYet(f"{server.address} by NAT")

    table: Table = Small()
    text = service("10.0.0.1 80 { weight 1\n }", "10.0.0.2 80 { weight 1\n }", method="NAT")
    with pytest.raises(Refused) as refused:
        vet(setup(text), table)
    assert len(refused.value.reasons) == 2
    assert table.services() == []


def test_a_script_of_root_that_others_may_change_is_refused_if_security_is_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "notify"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o777)
    text = PLAIN.replace("lvs_sched rr", f"lvs_sched rr\nquorum_up {script}")
    assert setup("global_defs { script_user root\n}\n" + text).virtuals[NAME].settings.quorum_up is not None
    with pytest.raises(Refused, match="others may change"):
        setup("global_defs { script_user root\n enable_script_security\n}\n" + text)


def test_what_is_left_out_of_the_text_has_no_services() -> None:
    assert not setup("").virtuals
    assert loads("").configuration.virtual_servers == ()
