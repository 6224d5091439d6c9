"""What rules do with a packet for a virtual service: rules written by nft and iptables, listed by them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from directrix.doctor.firewall import Fate
from directrix.doctor.host import Host
from directrix.doctor.packet import Packet
from directrix.system import namespaces
from directrix.system.commands import ip, run

pytestmark = pytest.mark.root

NAME = f"doctor-rules-{os.getpid()}"


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[None]:
    ip([f"netns add {NAME}"])
    try:
        yield
    finally:
        ip([f"netns delete {NAME}"])


def fates(
    *commands: str,
    vip: str = "10.0.0.100",
    hook: str = "input",
    types: str = "filter",
    answer: bool = False,
    client: str = "",
    families: tuple[str, ...] = (),
    protocol: str = "tcp",
) -> list[Fate]:
    """What becomes of a SYN for port 80 of the VIP, or an answer to it, under rules made by these commands."""
    packet = Packet(protocol, ip_address(vip), 80, "eth0", answer, ip_address(client) if client else None)
    with namespaces.inside(NAME):
        run(["sh", "-ec", "nft flush ruleset\n" + "\n".join(commands)])
        found = Host().rulesets
    assert found is not None
    return [verdict.fate for rules in found for verdict in rules.verdicts(packet, hook, families, types)]


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
    assert fates(inet("ip6 daddr fd00::/64 drop"), vip="fd00::100") == [Fate.DROPPED]
    assert fates(inet("ip daddr 10.0.0.100 drop"), vip="fd00::100") == []


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
        assert fates(chain.format(rule), hook="output", answer=True) == expected


def test_a_chain_of_another_device_says_nothing() -> None:
    chain = "nft 'table netdev n {{ chain i {{ type filter hook ingress device {} priority 0; drop; }}; }}'"
    seen = {"hook": "ingress", "families": ("netdev",)}
    assert fates("ip link add eth0 type bridge 2>/dev/null || true", chain.format("eth0"), **seen) == [Fate.DROPPED]
    assert fates(chain.format("lo"), **seen) == []


def test_a_rule_about_the_client_decides_if_the_client_is_known() -> None:
    rule = inet("ip saddr 192.0.2.0/24 drop")
    assert fates(rule, client="192.0.2.9") == [Fate.DROPPED]
    assert fates(rule, client="198.51.100.9") == []


def test_a_redirection_is_told_with_its_port() -> None:
    command = (
        "nft 'table ip n { chain p { type nat hook prerouting priority dstnat; "
        "ip daddr 10.0.0.100 tcp dport 80 redirect to :8080; }; }'"
    )
    assert fates(command, hook="prerouting", types="nat") == [Fate.REDIRECTED]
    assert fates(command, hook="prerouting") == []


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
    seen = {"protocol": "arp", "families": ("arp",)}
    assert fates(*commands, **seen) == [Fate.DROPPED]
    assert fates(*commands, **seen, hook="output", answer=True) == [Fate.REWRITTEN]
    assert fates(*commands, **seen, vip="10.0.0.101") == []
    assert fates(*commands, **seen, vip="10.0.0.101", hook="output", answer=True) == []


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
        monkeypatch.setattr("directrix.doctor.host.shutil.which", lambda name: None if name == "nft" else which(name))
        drop = "iptables -A INPUT -m multiport -p tcp --dports 80,443 -j DROP"
        assert fates(drop) == [Fate.DROPPED]
        monkeypatch.setattr("directrix.doctor.host.shutil.which", lambda name: None)
        with namespaces.inside(NAME):
            assert Host().rulesets is None

    def test_redirection(self) -> None:
        command = "iptables -t nat -A PREROUTING -d 10.0.0.100 -p tcp --dport 80 -j REDIRECT --to-ports 8080"
        assert fates(command, hook="prerouting", types="nat") == [Fate.REDIRECTED]
