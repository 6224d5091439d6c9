"""What is told to the kernel to make a lab."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from directrix.lab import plumbing
from directrix.lab.definition import Host, Interface, Lab, Role, Route

VIP4, VIP6 = ip_address("10.0.0.100"), ip_address("fd00::100")


def host(role: Role, *addresses: str, **more: object) -> Host:
    interfaces = (Interface("eth0", "lan", tuple(ip_interface(address) for address in addresses)),)
    return Host("h", role, interfaces, **more)  # type: ignore[arg-type]


def test_every_host_and_the_switch_have_a_namespace_named_after_lab_and_host() -> None:
    lab = Lab("", ("lan",), (), (host(Role.CLIENT),))
    assert plumbing.namespaces(lab, "web-1") == ("dx-web-1-switch", "dx-web-1-h")
    assert plumbing.namespace_commands(("dx-web-1-h",)) == ["netns add dx-web-1-h"]


def test_a_segment_is_a_bridge_and_an_interface_a_veth_plugged_into_it() -> None:
    lab = Lab("", ("lan", "far"), (), (host(Role.CLIENT),))
    assert plumbing.switch_commands(lab, "x") == [
        "link add name lan up type bridge mcast_snooping 0",
        "link add name far up type bridge mcast_snooping 0",
        "link add name h.eth0 type veth peer name eth0 netns dx-x-h",
        "link set dev h.eth0 master lan up",
    ]


def test_addresses_come_before_the_interface_is_up_and_routes_after() -> None:
    route = Route(ip_network("0.0.0.0/0"), ip_address("10.0.0.1"))
    assert plumbing.host_commands(host(Role.CLIENT, "10.0.0.2/24", "fd00::2/64", routes=(route,))) == [
        "link set dev lo up",
        "address add 10.0.0.2/24 dev eth0",
        "address add fd00::2/64 dev eth0",
        "link set dev eth0 up",
        "route add 0.0.0.0/0 via 10.0.0.1",
    ]


def test_a_director_carries_its_vips_as_hosts_and_a_real_server_is_given_them_later() -> None:
    added = {"address add 10.0.0.100/32 dev eth0", "address add fd00::100/128 dev eth0 preferred_lft 0"}
    assert added <= set(plumbing.host_commands(host(Role.DIRECTOR, "10.0.0.1/24", vips=(VIP4, VIP6))))
    real_server = plumbing.host_commands(host(Role.REALSERVER, "10.0.0.2/24", vips=(VIP4, VIP6)))
    assert not any("100" in command for command in real_server)


@pytest.mark.parametrize(
    ("vip", "device"), [("10.0.1.100", "back"), ("10.0.0.100", "front"), ("fd00::1", "back"), ("192.0.2.1", "front")]
)
def test_a_director_carries_a_vip_where_its_network_is_else_on_its_first_interface(vip: str, device: str) -> None:
    director = Host(
        "d",
        Role.DIRECTOR,
        (
            Interface("front", "lan", (ip_interface("10.0.0.1/24"),)),
            Interface("back", "far", (ip_interface("10.0.1.1/24"), ip_interface("fd00::2/64"))),
        ),
    )
    assert plumbing.vip_device(director, ip_address(vip)) == device


def test_a_router_forwards_and_a_hosts_own_parameters_come_after_its_roles() -> None:
    router = host(Role.ROUTER, sysctls=(("net.ipv4.ip_forward", "0"),))
    assert plumbing.host_sysctls(router) == [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv4.ip_forward", "0"),
    ]
