"""Mistakes: all of them are told, each with its place and, where there is one, the nearest known word."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from directrix.keepalived import FaultyConfiguration, Severity, loads
from directrix.keepalived.values import Configuration


def faults_of(text: str | bytes) -> list[str]:
    try:
        return list(map(str, loads(text, "x", "main").warnings))
    except FaultyConfiguration as faulty:
        faults = faulty.faults
    assert any(fault.severity is Severity.ERROR for fault in faults)
    return list(map(str, faults))


def test_an_empty_text_is_an_empty_configuration() -> None:
    assert loads("").configuration == loads("! nothing\n\n  # at all\n").configuration == Configuration()


def test_all_mistakes_are_told_in_the_order_of_the_text() -> None:
    text = """\
global_defs {
    router_idd a
    vrrp_version 4
}
vrrp_instance VI_1 {
    state MASTRE
    interface eth0
    virtual_router_id 300
    priority abc
    virtual_ipaddress {
        10.0.0.1/33
        10.0.0.2 devv eth0
        10.0.0.3
    }
}
virtual_server 10.0.0.1 80 {
    lb_algo wcl
    lb_kind DR
    protocol TCP
    real_server 10.0.0.11 80 {
        weigth 1
        HTTP_GET {
            url {
                status_code 2000
            }
        }
    }
}
"""
    assert faults_of(text) == [
        "x:2:5: error: 'router_idd' is no keyword in global_defs; did you mean 'router_id'?",
        "x:3:18: error: vrrp_version takes a whole number from 2 to 3, not '4'",
        "x:6:11: error: 'MASTRE' is no state; did you mean 'MASTER'?",
        "x:8:23: error: virtual_router_id takes a whole number from 1 to 255, not '300'",
        "x:9:14: error: priority takes a whole number from 1 to 255, not 'abc'",
        "x:11:18: error: behind / stands a whole number from 0 to 32, not '33'",
        "x:12:18: error: 'devv' is no option of an address; did you mean 'dev'?",
        "x:17:13: error: 'wcl' is no scheduler; did you mean 'wlc'?",
        "x:21:9: error: 'weigth' is no keyword in real_server; did you mean 'weight'?",
        "x:23:13: error: a url needs a path",
        "x:24:29: error: '2000' is no HTTP status code, as 200, nor a range, as 200-299",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "vrrp_instance VI {\n interface eth0",
            "x:1:18: error: the block of 'vrrp_instance' is never closed: '}' is missing",
        ),
        ("}\n", "x:1:1: error: '}' closes no block"),
        ("{\n}\n", "x:1:1: error: '{' opens a block that no keyword stands before"),
        ("global_defs\nrouter_id a\n", "x:1:1: error: global_defs needs a block: { … }"),
        ("global_defs {\n router_id a {\n }\n}", "x:2:14: error: router_id takes no block"),
        ("global_defs {\n router_id\n}", "x:2:2: error: router_id needs a name"),
        ("global_defs {\n router_id a b\n}", "x:2:14: warning: 'b' is one word too many here, and is ignored"),
        ('global_defs {\n router_id "a\n}', 'x:2:12: error: " is never closed on this line'),
        (
            "global_defs {\n enable_dbus\n}",
            "x:2:2: warning: 'enable_dbus' means nothing here: there is no D-Bus interface",
        ),
        (
            "global_defs {\n lvs_flush_onstop\n}",
            "x:2:2: warning: 'lvs_flush_onstop' is deprecated; write 'lvs_flush_on_stop'",
        ),
        (
            "global_defs {\n router_id a\n router_id b\n}",
            "x:3:2: warning: router_id was given before, at x:2:2: the last one counts",
        ),
        ("global_defs {\n vrrp_version $V\n}", "not '$V' (the parameter $V is not defined)"),
        ("bfd_instance b {\n neighbor_ip 1.2.3.4\n}", "x:1:1: warning: 'bfd_instance' means nothing here"),
        (
            "bfd_instance b {\n neighbourip 1.2.3.4\n}",
            "x:2:2: error: 'neighbourip' is no keyword in bfd_instance; did you mean 'neighbour_ip'?",
        ),
        ("linkbeat_interfaces {\n eth0 MII\n}", "x:1:1: warning: 'linkbeat_interfaces' means nothing here"),
    ],
)
def test_a_mistake_is_told_at_the_word_that_is_wrong(text: str, fault: str) -> None:
    assert [told for told in faults_of(text) if fault in told]


def test_a_mistake_in_a_definition_tells_where_it_is_used_each_time() -> None:
    text = "$B= \\\nglobal_defs { \\\n nonsense ${N} \\\n}\n$N=1\n$B\n$N=2\n$B\n"
    assert faults_of(text) == [
        "x:3:2: error: 'nonsense' is no keyword in global_defs (used at x:6:1)",
        "x:3:2: error: 'nonsense' is no keyword in global_defs (used at x:8:1)",
    ]


def test_a_block_may_open_and_close_on_any_line() -> None:
    texts = ["a {router_id x}", "a\n\n# here\n{ router_id x\n}", "a{\nrouter_id x }", "a { router_id x }"]
    configurations = {loads(text.replace("a", "global_defs", 1)).configuration for text in texts}
    assert [configuration.globals.router_id for configuration in configurations] == ["x"]


TOKENS = st.sampled_from(
    rb"""{ } " ' \ # $A= ${A} $A ~SEQ(A,1,3) ~LST(A,1,2) @main @^x include global_defs vrrp_instance virtual_server
    real_server url HTTP_GET virtual_ipaddress virtual_routes virtual_rules 10.0.0.1 ::1 80 -1 eth0 weight track_script
    unicast_peer lvs_method TUN nexthop via umask authentication virtual_server_group fwmark status_code""".split()
) | st.sampled_from([b"\n", b"\\\n", b"\xc2\xb2"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOKENS | st.binary(max_size=4), max_size=40).map(b" ".join) | st.binary(max_size=200))
@example(b"umask\nglobal_defs {\n umask \xc2\xb2\n}")
@example(b"virtual_server \xd9\xa3 80 {\n}")
@example(b"virtual_server 10.0.0.1 80 {\n persistence_granularity \xc2\xb2\n}")
def test_arbitrary_bytes_are_read_or_refused_with_places(content: bytes) -> None:
    try:
        loads(content, "x", "main")
    except FaultyConfiguration as faulty:
        for fault in faulty.faults:
            assert (fault.place.file, fault.place.line >= 1, fault.place.column >= 1) == ("x", True, True)


@pytest.mark.parametrize(
    "text",
    [
        "include a" + " " * 60_000 + "b",
        "include " + "{" + "," * 60_000,
        "~LST(A, " + " " * 60_000 + "{",
        "~SEQ(A, 1, " + " " * 60_000,
        "$A" + " " * 60_000 + "${A",
        '"' * 60_001,
        "\\" * 60_001,
        "{" * 60_000,
        "${_RANDOM" + " 1" * 30_000,
        "x" * 1_000_000,
        "\n".join(f"nonsense{number}" for number in range(5_000)),
    ],
    ids=lambda text: text[:12],
)
def test_lines_made_to_be_slow_are_not(text: str) -> None:
    began = time.process_time()
    faults_of(text)
    assert time.process_time() - began < 10  # the slowest takes a tenth of that on an idle machine


def test_ten_thousand_real_servers_are_read_in_a_few_seconds() -> None:
    text = (
        "$RS= \\\nreal_server 10.1.${A}.${B} 80 { \\\n weight 2 \\\n TCP_CHECK { \\\n connect_timeout 3 \\\n } \\\n }\n"
        "virtual_server 10.0.0.1 80 {\n protocol TCP\n lb_algo rr\n lb_kind DR\n"
        " ~SEQ(A,0,39) ~SEQ(B,1,250) $RS\n}\n"
    )
    began = time.process_time()
    (virtual,) = loads(text).configuration.virtual_servers
    assert len(virtual.real_servers) == 10_000
    assert time.process_time() - began < 20  # it takes about one on an idle machine
