"""What rules do with a packet for a virtual service: rules written by nft and iptables, listed by them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from directrix.system import namespaces
from directrix.system.commands import ip, run
from directrix.system.netfilter.listing import ruleset_here
from directrix.system.netfilter.obstacles import obstacles
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Fate, Journey

pytestmark = pytest.mark.root

NAME = f"netfilter-rules-{os.getpid()}"


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[None]:
    ip([f"netns add {NAME}"])
    try:
        yield
    finally:
        ip([f"netns delete {NAME}"])


PATH = ("ingress", "prerouting", "input")


def journey(*commands: str, packet: Packet, hooks: tuple[str, ...] = PATH) -> Journey:
    """What a packet meets under rules made by these commands."""
    with namespaces.inside(NAME):
        run(["sh", "-ec", "nft flush ruleset\n" + "\n".join(commands)])
        found = ruleset_here()
    assert found is not None
    return found.journey(packet, *hooks)


def syn(vip: str = "10.0.0.100", **known: object) -> Packet:
    return Packet("tcp", ip_address(vip), 80, "eth0", **known)  # type: ignore[arg-type]


ARP = Packet("arp", ip_address("10.0.0.100"), None, "eth0")
ANSWER = syn(answer=True)


def fates(*commands: str, packet: Packet | None = None, hooks: tuple[str, ...] = PATH) -> list[Fate]:
    """What becomes of a SYN for port 80 of the VIP, or of another packet."""
    met = journey(*commands, packet=packet or syn(), hooks=hooks)
    return [verdict.fate for verdict in (*met.stops, *met.changes)]


def inet(*rules: str, policy: str = "accept", more: str = "") -> str:
    body = "; ".join(rules)
    chain = f"chain input {{ type filter hook input priority 0; policy {policy}; {body + ';' if body else ''} }}"
    return f"nft 'table inet f {{ {more} {chain}; }}'"


@pytest.mark.parametrize(
    "rule",
    [
        "drop",
        "ip daddr 10.0.0.100 drop",
        "ip daddr 10.0.0.0/24 tcp dport 80 drop",
        "ip daddr { 10.0.0.99, 10.0.0.100 } tcp dport { 22, 70-90 } drop",
        "ip daddr 10.0.0.90-10.0.0.110 drop",
        "ip daddr != 10.0.0.11 drop",
        "meta l4proto tcp th dport 80 drop",
        "tcp dport != 22 drop",
        "iifname eth0 drop",
        'iifname "eth*" ct state new drop',
        "tcp dport vmap { 22 : accept, 80 : drop }",
        "tcp dport 80 counter log drop",
    ],
)
def test_a_rule_that_drops_every_such_packet_is_found(rule: str) -> None:
    assert fates(inet(rule)) == [Fate.DROPPED]


@pytest.mark.parametrize(
    "rule",
    [
        "ip daddr 10.0.0.101 drop",
        "ip6 daddr fd00::100 drop",
        "tcp dport 81 drop",
        "udp dport 80 drop",
        "icmp type echo-request drop",
        "ct state established,related drop",
        'iifname "wlan*" drop',
        "ip saddr 192.0.2.0/24 drop",
        "tcp dport 80 limit rate over 10/second drop",
        "tcp dport vmap { 22 : drop, 443 : drop }",
    ],
)
def test_a_rule_for_other_packets_or_only_some_is_not(rule: str) -> None:
    assert fates(inet(rule)) == []


def test_the_policy_drops_what_no_rule_accepts() -> None:
    assert fates(inet("tcp dport 22 accept", "ct state established accept", policy="drop")) == [Fate.DROPPED]
    assert fates(inet("tcp dport { 22, 80 } accept", policy="drop")) == []


def test_a_doubtful_rule_that_accepts_counts() -> None:
    assert fates(inet("ip saddr 10.0.0.0/8 tcp dport 80 accept", policy="drop")) == []
    assert fates(inet("ip saddr 10.0.0.0/8 return", "drop")) == []


def test_the_first_rule_that_decides_is_the_one() -> None:
    assert fates(inet("tcp dport 80 accept", "tcp dport 80 drop")) == []
    assert fates(inet("tcp dport 80 reject", "tcp dport 80 accept")) == [Fate.REJECTED]


def test_chains_that_are_called_return_and_decide() -> None:
    called = "chain web { tcp dport 443 accept; return; }; chain gone { drop; };"
    assert fates(inet("jump web", "drop", more=called)) == [Fate.DROPPED]
    assert fates(inet("jump web", "accept", more=called)) == []
    assert fates(inet("ip saddr 192.0.2.1 jump gone", more=called)) == []
    assert fates(inet("goto gone", "accept", more=called)) == [Fate.DROPPED]


def test_named_sets_are_looked_into() -> None:
    named = "set vips { type ipv4_addr; flags interval; elements = { 10.0.0.64/26 }; };"
    assert fates(inet("ip daddr @vips drop", more=named)) == [Fate.DROPPED]
    assert fates(inet("ip daddr != @vips drop", more=named)) == []


def test_an_ipv6_packet_meets_the_rules_of_its_family() -> None:
    assert fates(inet("ip6 daddr fd00::/64 drop"), packet=syn("fd00::100")) == [Fate.DROPPED]
    assert fates(inet("ip daddr 10.0.0.100 drop"), packet=syn("fd00::100")) == []


def test_an_accept_in_one_base_chain_saves_from_no_other() -> None:
    other = "nft 'table ip g { chain input { type filter hook input priority 10; tcp dport 80 drop; }; }'"
    assert fates(inet("tcp dport 80 accept"), other) == [Fate.DROPPED]


def test_an_answer_is_seen_leaving() -> None:
    chain = "nft 'table inet o {{ chain output {{ type filter hook output priority 0; {}; }}; }}'"
    for rule, expected in (
        ("ip saddr 10.0.0.100 tcp sport 80 drop", [Fate.DROPPED]),
        ("ip daddr 10.0.0.100 drop", []),
        ("tcp dport 80 drop", []),
        ("ct state new drop", []),
        ("oifname eth0 tcp sport 1-1023 reject", [Fate.REJECTED]),
    ):
        assert fates(chain.format(rule), packet=ANSWER, hooks=("output",)) == expected


def test_a_chain_of_another_device_says_nothing() -> None:
    chain = "nft 'table netdev n {{ chain i {{ type filter hook ingress device {} priority 0; drop; }}; }}'"
    assert fates("ip link add eth0 type bridge 2>/dev/null || true", chain.format("eth0")) == [Fate.DROPPED]
    assert fates(chain.format("lo")) == []


def test_a_rule_about_the_client_decides_if_the_client_is_known() -> None:
    rule = inet("ip saddr 192.0.2.0/24 drop")
    assert fates(rule, packet=syn(other=ip_address("192.0.2.9"))) == [Fate.DROPPED]
    assert fates(rule, packet=syn(other=ip_address("198.51.100.9"))) == []


def test_a_redirected_packet_goes_on_to_where_it_is_redirected() -> None:
    redirect = (
        "nft 'table ip n { chain p { type nat hook prerouting priority dstnat; "
        "ip daddr 10.0.0.100 tcp dport 80 redirect to :8080; }; }'"
    )
    packet = syn(own=ip_address("10.0.0.11"))
    (change,) = journey(redirect, packet=packet).changes
    assert (change.fate, change.port) == (Fate.REDIRECTED, 8080)
    assert fates(redirect, inet("ip daddr 10.0.0.100 drop", "tcp dport 80 drop"), packet=packet) == [Fate.REDIRECTED]
    assert Fate.DROPPED in fates(redirect, inet("ip daddr 10.0.0.11 tcp dport 8080 drop"), packet=packet)
    assert fates(redirect, packet=ANSWER, hooks=("prerouting",)) == []


class TestWhatRulesAreMadeOf:
    def test_named_verdict_maps(self) -> None:
        named = "map ports {{ type inet_service : verdict; elements = {{ 22 : accept, 80 : {} }}; }};"
        assert fates(inet("tcp dport vmap @ports", more=named.format("drop"))) == [Fate.DROPPED]
        assert fates(inet("tcp dport vmap @ports", "drop", more=named.format("accept"))) == []

    def test_several_fields_at_once(self) -> None:
        assert fates(inet("ip daddr . tcp dport { 10.0.0.99 . 80, 10.0.0.100 . 80 } drop")) == [Fate.DROPPED]
        assert fates(inet("ip daddr . tcp dport { 10.0.0.99 . 80, 10.0.0.100 . 81 } drop")) == []
        assert fates(inet("ip saddr . tcp dport { 192.0.2.1 . 81 } drop")) == []
        named = (
            "map m { type ipv4_addr . inet_service : verdict; flags interval; "
            "elements = { 10.0.0.0/8 . 80-90 : drop }; };"
        )
        assert fates(inet("ip daddr . tcp dport vmap @m", more=named)) == [Fate.DROPPED]

    def test_flags_of_tcp(self) -> None:
        for rule in (
            "tcp flags & (fin|syn|rst|ack) == syn",
            "tcp flags syn",
            "tcp flags { syn, ack }",
            "tcp flags != ack",
        ):
            assert fates(inet(f"{rule} drop")) == [Fate.DROPPED], rule
        for rule in ("tcp flags & (fin|syn) == fin|syn", "tcp flags & (fin|syn|rst|ack) != syn", "tcp flags rst"):
            assert fates(inet(f"{rule} drop")) == [], rule

    def test_order(self) -> None:
        assert fates(inet("tcp dport < 1024 drop")) == [Fate.DROPPED]
        assert fates(inet("tcp dport >= 81 drop")) == []

    def test_marks_that_rules_give(self) -> None:
        given = "nft 'table inet m {{ chain p {{ type filter hook prerouting priority -150; {} }}; }}'"
        sure, other = (
            given.format("ip daddr 10.0.0.100 meta mark set 7;"),
            given.format("tcp dport 22 meta mark set 7;"),
        )
        assert fates(sure, inet("meta mark 7 drop")) == [Fate.DROPPED]
        assert fates(other, inet("meta mark 7 drop")) == []
        assert fates(sure, inet("meta mark & 0x2 == 0 drop")) == []
        combined = given.format("meta mark set meta mark | 0x10; ct mark set meta mark; meta mark set 0;")
        assert fates(combined, inet("ct mark 0x10 drop")) == [Fate.DROPPED]
        perhaps = given.format("ip saddr 192.0.2.0/24 meta mark set 7;")
        met = journey(perhaps, inet("meta mark 7 drop"), packet=syn())
        assert (met.stops, [each.rule for each in met.doubts]) == ([], [("inet f input", 2)])

    def test_the_type_of_an_address(self) -> None:
        strict = inet("fib daddr . iif type != { local, broadcast, multicast } drop")
        anywhere = inet("fib daddr type != local drop")
        on_lo, on_eth0 = syn(local_on=frozenset({"lo"})), syn(local_on=frozenset({"eth0"}))
        assert fates(strict, packet=on_lo) == [Fate.DROPPED]
        assert fates(strict, packet=on_eth0) == fates(anywhere, packet=on_lo) == []
        assert fates(anywhere, packet=syn(local_on=frozenset())) == [Fate.DROPPED]
        assert fates(strict) == []  # unknown

    def test_what_can_not_be_known_of_a_packet_is_a_doubt_and_no_more(self) -> None:
        met = journey(
            inet("ip saddr 192.0.2.0/24 drop", "tcp dport 80 limit rate over 5/second reject", "ip ttl 1 accept"),
            packet=syn(),
        )
        assert met.stops == []
        assert [each.fate for each in met.doubts] == [Fate.DROPPED, Fate.REJECTED]
        assert met.doubts[0].where == "the rule with handle 2 in the chain inet f input"

    def test_a_chain_that_some_packets_come_to_returns_like_any_other(self) -> None:
        called = "chain some { tcp dport 443 accept; return; };"
        assert fates(inet("ip saddr 192.0.2.0/24 jump some", "tcp dport 80 drop", more=called)) == [Fate.DROPPED]


@pytest.mark.parametrize(
    "commands",
    [
        (
            "nft 'table arp a { chain i { type filter hook input priority 0; arp daddr ip 10.0.0.100 drop; }; "
            "chain o { type filter hook output priority 0; arp saddr ip 10.0.0.100 arp saddr ip set 10.0.0.11; }; }'",
        ),
        (
            "arptables -A INPUT -d 10.0.0.100 -j DROP",
            "arptables -A OUTPUT -s 10.0.0.100 -j mangle --mangle-ip-s 10.0.0.11",
        ),
    ],
    ids=["nft", "arptables"],
)
def test_rules_for_arp_keep_requests_back_and_mask_the_sender(commands: tuple[str, ...]) -> None:
    other = replace(ARP, address=ip_address("10.0.0.101"))
    assert fates(*commands, packet=ARP) == [Fate.DROPPED]
    assert fates(*commands, packet=replace(ARP, answer=True), hooks=("output",)) == [Fate.REWRITTEN]
    assert fates(*commands, packet=other) == []
    assert fates(*commands, packet=replace(other, answer=True), hooks=("output",)) == []


def test_what_is_in_the_way_of_an_address_is_named_in_the_words_of_its_tool() -> None:
    commands = (
        inet("tcp dport 22 accept", "ip daddr 10.0.0.100 counter drop"),
        "iptables -A INPUT -p udp -m ttl --ttl 3 -j LOG",
    )
    with namespaces.inside(NAME):
        run(["sh", "-ec", "\n".join(("nft flush ruleset", *commands, "iptables -P INPUT DROP"))])
        found = obstacles(ip_address("10.0.0.100"), "eth0")
    assert {each.rule: each.command for each in found} == {
        "ip daddr 10.0.0.100 counter drop": "nft -a list chain inet f input",
        "policy drop": "iptables-nft -t filter -S INPUT",
    }


class TestIptables:
    """iptables-nft, whose extensions nft lists without saying what they are."""

    def test_plain_rules(self) -> None:
        assert fates("iptables -A INPUT -d 10.0.0.100 -p tcp --dport 80 -j DROP") == [Fate.DROPPED]
        assert fates("iptables -A INPUT -d 10.0.0.100 -p tcp --dport 80 -j REJECT") == [Fate.REJECTED]
        assert fates("iptables -A INPUT ! -d 10.0.0.100 -j DROP") == []

    def test_extensions(self) -> None:
        stateful = "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
        ports = "iptables -A INPUT -p tcp -m multiport --dports 22,{} -j ACCEPT"
        assert fates(stateful, ports.format(443), "iptables -P INPUT DROP") == [Fate.DROPPED]
        assert fates(stateful, ports.format("70:90"), "iptables -P INPUT DROP") == []
        assert fates(stateful, "iptables -A INPUT -m comment --comment 'no entry' -j DROP") == [Fate.DROPPED]
        assert fates(stateful, "iptables -A INPUT -m limit --limit 5/s -j DROP") == []

    def test_chains_of_ones_own(self) -> None:
        own = ("iptables -N web", "iptables -A web -p tcp --dport 80 -j RETURN", "iptables -A web -j DROP")
        assert fates(*own, "iptables -A INPUT -j web") == []
        assert fates(*own, "iptables -A INPUT -p tcp -m multiport --dports 80,81 -j web", "iptables -P INPUT DROP") == [
            Fate.DROPPED
        ]

    def test_where_there_is_no_nft_iptables_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        which = shutil.which
        there = "directrix.system.netfilter.listing.shutil.which"
        monkeypatch.setattr(there, lambda name: None if name == "nft" else which(name))
        drop = "iptables -A INPUT -m multiport -p tcp --dports 80,443 -j DROP"
        assert fates(drop) == [Fate.DROPPED]
        monkeypatch.setattr(there, lambda name: None)
        with namespaces.inside(NAME):
            assert ruleset_here() is None

    def test_redirection(self) -> None:
        command = "iptables -t nat -A PREROUTING -d 10.0.0.100 -p tcp --dport 80 -j REDIRECT --to-ports 8080"
        assert fates(command) == [Fate.REDIRECTED]

    def test_marks_flags_ranges_and_types_of_addresses(self) -> None:
        marked = "iptables -t mangle -A PREROUTING -d 10.0.0.100 -j MARK --or-mark 0x8000"
        assert fates(marked, "iptables -A INPUT -m mark --mark 0x8000/0x8000 -j DROP") == [Fate.DROPPED]
        assert fates(marked, "iptables -A INPUT -m mark --mark 0x4000/0x4000 -j DROP") == []
        opaque = "iptables -A INPUT -m comment --comment opaque -j LOG"
        assert fates(opaque, "iptables -A INPUT -p tcp --syn -j DROP") == [Fate.DROPPED]
        assert fates(opaque, "iptables -A INPUT -p tcp ! --syn -j DROP") == []
        assert fates("iptables -A INPUT -m iprange --dst-range 10.0.0.90-10.0.0.100 -j DROP") == [Fate.DROPPED]
        not_local = "iptables -A INPUT -m addrtype ! --dst-type LOCAL --limit-iface-in -j DROP"
        assert fates(not_local, packet=syn(local_on=frozenset({"lo"}))) == [Fate.DROPPED]
        assert fates(not_local, packet=syn(local_on=frozenset({"eth0"}))) == []

    def test_its_own_words_are_told(self) -> None:
        rule = "INPUT -p tcp -m multiport --dports 80,443 -j DROP"
        (stop,) = journey(f"iptables -A {rule}", packet=syn()).stops
        assert (stop.chain.tool, stop.words) == ("iptables-nft", f"-A {rule}")


class TestAdverts:
    """What becomes of VRRP's adverts, which are for a multicast group and have no ports."""

    ADVERT = Packet("vrrp", ip_address("224.0.0.18"), None, "eth0", other=ip_address("10.0.0.2"))

    @pytest.mark.parametrize(
        "rule",
        [
            "meta l4proto 112 drop",
            "ip protocol vrrp drop",
            "ip daddr 224.0.0.18 drop",
            "ip daddr 224.0.0.0/4 drop",
            "meta pkttype multicast drop",
            "fib daddr type multicast drop",
            "ip saddr 10.0.0.2 drop",
        ],
    )
    def test_a_rule_that_drops_them_is_found(self, rule: str) -> None:
        assert fates(inet(rule), packet=self.ADVERT) == [Fate.DROPPED]
        assert fates(inet("meta l4proto vrrp accept", rule), packet=self.ADVERT) == []

    @pytest.mark.parametrize("rule", ["tcp dport 80 drop", "meta pkttype broadcast drop", "ip daddr 10.0.0.1 drop"])
    def test_others_are_none_of_their_business(self, rule: str) -> None:
        assert fates(inet(rule), packet=self.ADVERT) == []
