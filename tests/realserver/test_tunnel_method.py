"""What the method `tunnel` makes of hosts, with tunnel devices and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from standing import LINKS, host

from directrix.realserver import preparing
from directrix.realserver.encapsulation import read_encapsulation
from directrix.realserver.methods import METHODS
from directrix.realserver.persistence import Lasting, systemd
from directrix.realserver.preparing import Wish, plan
from directrix.realserver.task import Task
from directrix.system.facts.fact import Fact
from directrix.system.facts.ingress import IngressProgram
from directrix.system.facts.ledger import Ledger
from directrix.system.host_error import HostError
from directrix.system.links import Link
from directrix.system.whereabouts import Whereabouts

SILENCE = [
    f"sysctl -w net.ipv4.conf.{name}.{setting}"
    for name in ("all", "lo", "eth0")
    for setting in ("arp_ignore=1", "arp_announce=2")
]
VIP = "ip address add 192.0.2.80/32 dev lo scope host"


def routed(*addresses: str, **values: Any) -> Whereabouts:
    """A real server far from the director, behind a router."""
    there = host(*(addresses or ("eth0 10.3.0.11/24",)), **values)
    return replace(there, defaults={4: ("eth0",), 6: ()})


def facts(vip: str, *tunnels: str, kernel: bool = True, at: Whereabouts | None = None, **values: Any) -> list[Fact]:
    """What shall be so on a host whose kernel has all tunnel devices or none."""

    def kernel_has(wanted: Sequence[object]) -> bool:
        return kernel

    kinds = tuple(read_encapsulation(word) for word in tunnels or ("ipip",))
    there = at or routed()
    return METHODS["tunnel"](Task(ip_address(vip), ("eth0",), there, tunnels=kinds, kernel_has=kernel_has, **values))


def commands(made: Sequence[Fact]) -> list[str]:
    """What makes all of it, from nothing; of a program its purpose."""
    return [
        fact.text if isinstance(fact, IngressProgram) else command.text for fact in made for command in fact.make(None)
    ]


def test_the_kernels_device_takes_packets_out_before_the_vip_is_there() -> None:
    assert commands(facts("192.0.2.80")) == [
        *SILENCE,
        "modprobe ipip",
        "ip link set dev tunl0 up",
        "ip address add 192.0.2.80/32 dev tunl0 scope host",
        "sysctl -w net.ipv4.conf.tunl0.rp_filter=2",
        VIP,
    ]


@pytest.mark.parametrize(
    ("tunnel", "vip", "address", "devices"),
    [
        ("ipip", "192.0.2.80", "10.3.0.11/24", ["tunl0 is up"]),
        ("ipip", "192.0.2.80", "fd03::11/64", ["ip6tnl0 is up", "ip6tnl0 has the mode any"]),
        ("ipip", "2001:db8::80", "10.3.0.11/24", ["sit0 is up"]),
        ("ipip", "2001:db8::80", "fd03::11/64", ["ip6tnl0 is up", "ip6tnl0 has the mode any"]),
        ("gre", "192.0.2.80", "10.3.0.11/24", ["gre0 is up"]),
        ("gre", "2001:db8::80", "fd03::11/64", ["ip6gre0 is up"]),
        ("gue:6080", "192.0.2.80", "10.3.0.11/24", ["tunl0 is up", "GUE at UDP port 6080 over IPv4"]),
        ("gue:6080", "2001:db8::80", "10.3.0.11/24", ["sit0 is up", "GUE at UDP port 6080 over IPv4"]),
    ],
)
def test_each_tunnel_has_its_devices(tunnel: str, vip: str, address: str, devices: list[str]) -> None:
    made = [fact.text for fact in facts(vip, tunnel, at=routed(f"eth0 {address}"))]
    assert [text for text in made if "arp_" not in text and "rp_filter" not in text and vip not in text] == devices


def test_without_devices_a_program_takes_packets_out_and_the_filter_stays_as_it_is() -> None:
    made = facts("192.0.2.80", "ipip", "gue:6080", kernel=False)
    assert commands(made) == [
        *SILENCE,
        "tc qdisc add dev eth0 clsact",
        "packets for 192.0.2.80 are taken out of ipip, gue:6080, by a BPF program at eth0",
        VIP,
    ]


def test_gre_with_checksums_is_never_the_kernels() -> None:
    assert any(isinstance(fact, IngressProgram) for fact in facts("192.0.2.80", "gre:csum"))
    assert not any(isinstance(fact, IngressProgram) for fact in facts("192.0.2.80", "gre"))


def test_where_answers_leave_by_another_interface_the_filter_is_loosened() -> None:
    there = replace(host("eth0 10.3.0.11/24", "eth1 10.4.0.11/24"), defaults={4: ("eth1",), 6: ()})
    assert "sysctl -w net.ipv4.conf.eth0.rp_filter=2" in commands(facts("192.0.2.80", kernel=False, at=there))
    assert not any("rp_filter" in text for text in commands(facts("2001:db8::80", kernel=False, at=there)))


def test_programs_of_several_vips_stand_side_by_side_and_differ_in_name() -> None:
    programs = [
        fact
        for vip in ("192.0.2.80", "192.0.2.81", "2001:db8::80", "2001:db8::81")
        for fact in facts(vip, kernel=False)
        if isinstance(fact, IngressProgram)
    ]
    assert len({fact.key for fact in programs}) == len(programs) == 4
    (one,) = [fact for fact in facts("192.0.2.80", kernel=False) if isinstance(fact, IngressProgram)]
    (other,) = [fact for fact in facts("192.0.2.80", "gre", kernel=False) if isinstance(fact, IngressProgram)]
    assert one.key == other.key
    assert not other.holds(one.boot_words()[2].split("$d/")[1].split('"')[0] + ":[tc]")


@pytest.mark.parametrize(
    ("vip", "tunnel", "address", "size"),
    [
        ("192.0.2.80", "ipip", "10.3.0.11/24", 1440),
        ("192.0.2.80", "gre", "10.3.0.11/24", 1432),
        ("192.0.2.80", "gue:6080", "10.3.0.11/24", 1428),
        ("192.0.2.80", "ipip", "fd03::11/64", 1420),
        ("2001:db8::80", "ipip", "10.3.0.11/24", 1420),
    ],
)
def test_segments_are_clamped_to_what_fits_the_tunnel(vip: str, tunnel: str, address: str, size: int) -> None:
    made = facts(vip, tunnel, at=routed(f"eth0 {address}"), clamp=0)
    assert any(text.endswith(f"tcp option maxseg size set {size}'") for text in commands(made))
    assert not any("maxseg" in text for text in commands(facts(vip, tunnel, at=routed(f"eth0 {address}"))))


def test_a_size_can_be_given_and_iptables_will_do() -> None:
    def without_nft(programs: dict[str, str], purpose: str) -> str:
        return list(programs)[1]

    assert commands(facts("192.0.2.80", clamp=1300, choose=without_nft))[-2] == (
        "iptables -t mangle -I OUTPUT -s 192.0.2.80/32 -p tcp -m tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 1300"
    )


def planned(vip: str, wish: Wish, at: Whereabouts | None = None) -> preparing.Plan:
    return plan(ip_address(vip), wish, at or routed())


def test_words_about_tunnels_mean_the_method() -> None:
    assert planned("192.0.2.80", Wish(tunnels=("gre",))).method == "tunnel"
    assert planned("192.0.2.80", Wish(clamp_mss="auto")).tunnels == ("ipip",)
    with pytest.raises(HostError, match="by sysctl packets come in no tunnel"):
        planned("192.0.2.80", Wish("sysctl", tunnels=("gre",)))


@pytest.mark.parametrize("size", ["535", "65496", "x", "-1"])
def test_what_is_no_segment_size_is_refused(size: str) -> None:
    with pytest.raises(HostError, match="is no segment size"):
        planned("192.0.2.80", Wish("tunnel", clamp_mss=size))


def test_tunnels_of_a_vip_of_the_other_family_arrive_where_the_default_route_is() -> None:
    assert planned("2001:db8::80", Wish("tunnel")).interfaces == ("eth0",)


def test_without_an_address_there_is_nothing_to_send_a_tunnel_to() -> None:
    with pytest.raises(HostError, match="eth1 has no address"):
        planned("192.0.2.80", Wish("tunnel", ("eth1",)))


def test_a_program_needs_ethernet() -> None:
    links = (*LINKS[:1], Link(2, "eth0", "none", up=True))
    with pytest.raises(HostError, match=r"no Ethernet frames \(none\)"):
        facts("192.0.2.80", kernel=False, at=routed("eth0 10.3.0.11/24", links=links))


def test_the_vip_on_a_tunnels_device_is_no_directors() -> None:
    assert planned("192.0.2.80", Wish("tunnel"), routed("eth0 10.3.0.11/24", "tunl0 192.0.2.80/32"))


def test_a_start_that_says_less_means_the_same_as_before() -> None:
    made = planned("192.0.2.80", Wish("tunnel", tunnels=("gue:6080", "ipip"), clamp_mss="1300"))
    known = Ledger(holders={made.holding.holder: dict(made.holding.notes)})
    again = preparing._remembered(known, ip_address("192.0.2.80"), Wish())
    assert again == Wish("tunnel", ("eth0",), ("gue:6080", "ipip"), "1300")
    assert preparing._remembered(known, ip_address("192.0.2.80"), Wish(clamp_mss="off")).clamp_mss == "off"
    assert preparing._remembered(known, ip_address("192.0.2.80"), Wish("sysctl")) == Wish("sysctl", ("eth0",))


@pytest.mark.parametrize("kernel", [True, False])
def test_it_lasts_by_plain_commands(tmp_path: Path, kernel: bool) -> None:
    made = facts("192.0.2.80", "ipip", "gue:6080", kernel=kernel, clamp=0)
    lasting = Lasting(ip_address("192.0.2.80"), "tunnel", made, tmp_path)
    unit = systemd.text(lasting, [*lasting.rules, *lasting.addresses])
    starts = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    receiving = ["tunl0 up", "dev tunl0", "fou"] if kernel else ["clsact", "filter replace"]
    wanted = [*receiving, "maxseg", "dev lo"]
    assert [word in line for word, line in zip(wanted, starts, strict=True)] == [True] * len(wanted)
    assert ("sys-subsystem-net-devices-eth0.device" in unit) == (not kernel)
