"""Tunnels at both hooks: what is not a matter of bytes, which tests/conformance/tunnels compares with IPVS's."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from data_plane import (
    ARM_MAC,
    DNS,
    HTTP,
    HTTP6,
    TC_REDIRECT,
    VIP,
    WIRE_MAC,
    XDP_REDIRECT,
    XDP_TX,
    DataPlane,
    real,
    real_mac,
    service,
)
from frames import ACK, CLIENT, SYN, TCP, UDP, ethernet, ipv4, packet, routed, tcp, udp
from hooks import HOOKS
from test_fragments import ask
from test_quotes import UNREACHABLE, from_vip, icmp4

from directrix.lvs import Address, ForwardingMethod, RealServer, ServiceKey, Tunnel, TunnelFlags, TunnelType
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

DF = 0x4000
IPIP, IP_AT, INNER_AT = 4, 14, 34


def tunnelled(address: Address, port: int = 80, tunnel: Tunnel = Tunnel()) -> RealServer:  # noqa: B008
    """A real server behind a tunnel."""
    return RealServer(address, port, ForwardingMethod.TUNNEL, tunnel=tunnel)


def serve(plane: DataPlane, key: ServiceKey = HTTP, address: Address | None = None) -> None:
    """A service with one real server behind a tunnel; its next hop is known."""
    plane.table.add_service(service(key))
    plane.table.add_server(key, tunnelled(real(1) if address is None else address, key.port))
    plane.freeze_hops()


def is_ipip(frame: bytes) -> bool:
    """Whether the frame's packet is IPv4 with another packet in it."""
    return frame[12:14] == b"\x08\x00" and frame[IP_AT + 9] == IPIP


@HOOKS
def test_connections_and_bytes_are_counted_as_without_a_tunnel(plane: DataPlane, hook: str) -> None:
    serve(plane)
    for flags in (SYN, ACK, ACK):
        assert plane.deliver(hook, packet(TCP, VIP, 80, flags=flags))[0] == "forwarded"
    state = plane.state(HTTP, 1)
    assert (state.counters.connections, state.counters.in_packets, state.counters.in_bytes) == (1, 3, 120)


@HOOKS
def test_a_server_that_is_edited_gets_its_next_packet_by_the_new_method(plane: DataPlane, hook: str) -> None:
    serve(plane)
    assert is_ipip(plane.deliver(hook, packet(TCP, VIP, 80))[1])
    plane.table.edit_server(HTTP, RealServer(real(1), 80))
    plane.freeze_hops()
    assert plane.deliver(hook, packet(TCP, VIP, 80))[1] == routed(packet(TCP, VIP, 80))
    plane.table.edit_server(HTTP, tunnelled(real(1), tunnel=Tunnel(TunnelType.GRE)))
    plane.freeze_hops()
    assert plane.deliver(hook, packet(TCP, VIP, 80))[1][IP_AT + 9] == 47


@HOOKS
def test_a_server_that_is_edited_is_looked_up_anew_by_a_packet(plane: DataPlane, hook: str) -> None:
    serve(plane)
    plane.table.edit_server(HTTP, RealServer(real(1), 80))
    name, after = plane.deliver(hook, packet(TCP, VIP, 80))
    assert (name, after[12:]) == ("forwarded", routed(packet(TCP, VIP, 80))[12:])
    plane.table.edit_server(HTTP, tunnelled(real(1)))
    name, after = plane.deliver(hook, packet(TCP, VIP, 80))
    assert name == "forwarded"
    assert is_ipip(after)
    assert plane.hop(plane.numbers()[0], "state") == layout.HOP_TUNNEL


def test_a_tunnel_is_listed_as_it_was_given(plane: DataPlane) -> None:
    plane.table.add_service(service(HTTP))
    wanted = Tunnel(TunnelType.GUE, 6080, TunnelFlags.REMCSUM)
    plane.table.add_server(HTTP, tunnelled(real(1), tunnel=wanted))
    (state,) = plane.table.service(HTTP).servers
    assert (state.server.method, state.server.tunnel) == (ForwardingMethod.TUNNEL, wanted)


def test_a_frame_leaves_by_the_device_of_the_route(plane: DataPlane) -> None:
    serve(plane, address=real(10))
    number = plane.numbers()[0]
    assert plane.hop(number, "ifindex") == plane.ifindex["arm"]
    _, result, after = plane.verdict_of(plane.tc, packet(TCP, VIP, 80))
    assert result == TC_REDIRECT
    assert after[:12] == real_mac(10) + ARM_MAC
    assert after[IP_AT + 12 : IP_AT + 20] == bytes([10, 0, 1, 2]) + real(10).packed
    name, result, _ = plane.verdict_of(plane.xdp, packet(TCP, VIP, 80))
    assert (name, result) in (("handed_up", XDP_REDIRECT), ("forwarded", XDP_REDIRECT))


def test_xdp_sends_a_tunnelled_packet_back_by_its_wire(plane: DataPlane) -> None:
    serve(plane)
    assert plane.xdp(packet(TCP, VIP, 80))[0] == XDP_TX


@HOOKS
def test_the_kernel_finds_a_neighbour_that_is_not_known(plane: DataPlane, hook: str) -> None:
    serve(plane, address=real(1) + 100)
    name, after = plane.deliver(hook, packet(TCP, VIP, 80))
    assert name == "no_neighbour"
    assert is_ipip(after)


@HOOKS
def test_without_a_route_the_packet_is_dropped(plane: DataPlane, hook: str) -> None:
    plane.table.add_service(service(HTTP))
    plane.table.add_server(HTTP, tunnelled(ip_address("203.0.113.1")))
    assert plane.deliver(hook, packet(TCP, VIP, 80))[0] == "no_route"


@HOOKS
@pytest.mark.parametrize(("ttl", "verdict"), [(2, "forwarded"), (1, "time_exceeded"), (0, "time_exceeded")])
def test_time_ends_in_front_of_a_tunnel(plane: DataPlane, hook: str, ttl: int, verdict: str) -> None:
    serve(plane)
    frame = ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP, ttl=ttl), 4)
    assert plane.deliver(hook, frame)[0] == verdict


@HOOKS
def test_a_packet_that_does_not_fit_is_answered_and_nothing_else_is(plane: DataPlane, hook: str) -> None:
    serve(plane, DNS)
    for size, verdict in ((1480, "forwarded"), (1481, "too_big")):
        frame = ethernet(ipv4(udp(1024, 53, bytes(size - 28)), UDP, CLIENT, VIP, fragment=DF), 4)
        assert plane.deliver(hook, frame)[0] == verdict


@HOOKS
@pytest.mark.parametrize("wanted", [1, 0])
def test_the_outer_df_is_the_inner_one_unless_pmtu_disc_is_off(plane: DataPlane, hook: str, wanted: int) -> None:
    serve(plane)
    plane.table.set_sysctls({"pmtu_disc": wanted})
    _, after = plane.deliver(hook, ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP, fragment=DF), 4))
    assert struct.unpack_from(">H", after, IP_AT + 6)[0] == (DF if wanted else 0)
    assert struct.unpack_from(">H", after, INNER_AT + 6)[0] == DF


def test_the_narrower_of_route_and_device_counts(plane: DataPlane) -> None:
    serve(plane, DNS)
    plane.set_hop(plane.numbers()[0], mtu=1400)
    frame = ethernet(ipv4(udp(1024, 53, bytes(1381 - 28)), UDP, CLIENT, VIP, fragment=DF), 4)
    name, result, after = plane.verdict_of(plane.tc, frame)
    assert (name, result) == ("too_big", TC_REDIRECT)
    assert struct.unpack_from(">H", after, INNER_AT + 6)[0] == 1380


def test_what_has_foreign_tags_does_not_go_into_a_tunnel(plane: DataPlane) -> None:
    serve(plane)
    frame = ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP), 4, tags=(7,))
    assert plane.verdict_of(plane.xdp, frame)[0] == "handed_up"


@HOOKS
def test_a_removed_servers_number_takes_no_tunnel_along(plane: DataPlane, hook: str) -> None:
    serve(plane)
    plane.table.delete_server(HTTP, real(1), 80)
    plane.table.add_server(HTTP, RealServer(real(1), 80))
    plane.freeze_hops()
    assert plane.deliver(hook, packet(TCP, VIP, 80))[1][12:] == routed(packet(TCP, VIP, 80))[12:]


@HOOKS
def test_ipv6_goes_through_ipv4(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP6, real(1))
    frame = packet(TCP, HTTP6.address or VIP, 80)
    name, after = plane.deliver(hook, frame)
    assert (name, after[IP_AT + 9]) == ("forwarded", 41)
    assert after[INNER_AT + 40 :] == frame[IP_AT + 40 :]


@HOOKS
@pytest.mark.parametrize("tunnel", [Tunnel(), Tunnel(TunnelType.GRE), Tunnel(TunnelType.GUE, 6080)], ids=str)
def test_a_datagram_in_fragments_counts_once_through_a_tunnel(plane: DataPlane, hook: str, tunnel: Tunnel) -> None:
    plane.table.add_service(service(DNS))
    plane.table.add_server(DNS, tunnelled(real(1), 53, tunnel))
    plane.freeze_hops()
    frames = ask(VIP)
    assert [plane.deliver(hook, frame)[0] for frame in frames] == ["forwarded", *["later_fragment"] * (len(frames) - 1)]
    counters = plane.state(DNS, 1).counters
    assert (counters.in_packets, counters.in_bytes) == (1, 20 + 8 + 1000)


@HOOKS
@pytest.mark.parametrize("tunnel", [Tunnel(), Tunnel(TunnelType.GRE), Tunnel(TunnelType.GUE, 6080)], ids=str)
def test_an_error_about_a_connection_goes_through_its_tunnel(plane: DataPlane, hook: str, tunnel: Tunnel) -> None:
    plane.table.add_service(service(HTTP))
    plane.table.add_server(HTTP, tunnelled(real(1), tunnel=tunnel))
    plane.freeze_hops()
    plane.deliver(hook, packet(TCP, VIP, 80))
    error = icmp4(UNREACHABLE, 4, from_vip())
    name, after = plane.deliver(hook, error)
    assert (name, after[:12]) == ("forwarded", real_mac(1) + WIRE_MAC)
    assert after.endswith(error[IP_AT + 12 :])
