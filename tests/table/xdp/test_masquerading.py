"""Masquerading at both hooks, both ways: what becomes of packets, byte by byte."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address

import pytest
from data_plane import (
    GATEWAY_MAC,
    HTTP,
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
from frames import ACK, FIN, SYN, TCP, UDP, checksum, ethernet
from hooks import HOOKS, VERSIONS
from masquerading import (
    CLIENT_PORT,
    IP_AT,
    SERVER_PORT,
    Segment,
    connect,
    key_of,
    packet_of,
    reply,
    request,
    serve,
)

from directrix.lvs import ForwardingMethod, RealServer, ServiceKey
from directrix.lvs.errors import NotSupportedYet

pytestmark = pytest.mark.root

PROTOCOLS = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["TCP", "UDP"])
SHORTEST = {4: 54, 6: 74}
"""Shorter frames XDP leaves to tc, and that to the kernel's neighbour code."""

HERE = ip_address("10.0.0.2")
ETH_P_IP = 0x0800

DATA = pytest.mark.parametrize("data", [b"", b"x", b"\xff" * 64, bytes(range(256)) * 4], ids=len)


@HOOKS
@PROTOCOLS
@VERSIONS
@DATA
def test_a_request_gets_the_real_servers_address_and_port_and_nothing_else_of_it_changes(
    plane: DataPlane, protocol: int, version: int, data: bytes, hook: str
) -> None:
    serve(plane, key_of(protocol, version))
    sent = request(protocol, version, flags=SYN, data=data)
    name, after = plane.deliver(hook, sent.frame())
    assert name == "forwarded"
    assert after[:12] == real_mac(1) + WIRE_MAC
    wanted = replace(sent, target=real(1, version), target_port=SERVER_PORT, ttl=63)
    assert packet_of(after) == wanted.packet()


@HOOKS
@PROTOCOLS
@VERSIONS
@DATA
def test_a_reply_gets_the_virtual_address_and_port_back(
    plane: DataPlane, protocol: int, version: int, data: bytes, hook: str
) -> None:
    connect(plane, protocol, version)
    sent = reply(protocol, version, data=data)
    for _ in range(2):  # the first asks the kernel for the way
        name, after = plane.deliver(hook, sent.frame())
        assert name == "replied"
    if len(after) >= SHORTEST[version]:
        assert after[:12] == GATEWAY_MAC + WIRE_MAC
    key = key_of(protocol, version)
    assert key.address is not None
    assert packet_of(after) == replace(sent, source=key.address, source_port=80, ttl=63).packet()


@VERSIONS
def test_what_follows_goes_through_xdp_alone(plane: DataPlane, version: int) -> None:
    connect(plane, TCP, version)
    plane.deliver("xdp", reply(TCP, version).frame())
    assert plane.xdp(request(TCP, version).frame())[0] == XDP_TX
    assert plane.xdp(reply(TCP, version).frame())[0] == XDP_TX


@HOOKS
def test_a_datagram_without_a_checksum_stays_without(plane: DataPlane, hook: str) -> None:
    connect(plane, UDP)
    _, out = plane.deliver(hook, request(UDP, without_checksum=True).frame())
    _, back = plane.deliver(hook, reply(UDP, without_checksum=True).frame())
    assert out[IP_AT + 26 : IP_AT + 28] == back[IP_AT + 26 : IP_AT + 28] == bytes(2)


@HOOKS
@VERSIONS
def test_a_datagram_whose_checksum_comes_to_nothing_has_one_all_the_same(
    plane: DataPlane, version: int, hook: str
) -> None:
    """0 would say that there is none (RFC 768)."""
    connect(plane, UDP, version)
    at = 26 if version == 4 else 46
    sent = request(UDP, version, data=b"\0\0")
    forwarded = replace(sent, target=real(1, version), target_port=SERVER_PORT, ttl=63).packet()
    sent = replace(sent, data=forwarded[at : at + 2])
    wanted = replace(sent, target=real(1, version), target_port=SERVER_PORT, ttl=63).packet()
    assert wanted[at : at + 2] == b"\xff\xff"
    assert packet_of(plane.deliver(hook, sent.frame())[1]) == wanted


@HOOKS
@VERSIONS
def test_options_stay_where_they_are(plane: DataPlane, version: int, hook: str) -> None:
    options = b"\x94\x04\0\0" if version == 4 else bytes([TCP, 0, 1, 4, 0, 0, 0, 0])  # router alert; padding
    serve(plane, key_of(TCP, version))
    sent = request(TCP, version, flags=SYN, options=options)
    assert packet_of(plane.deliver(hook, sent.frame())[1]) == (
        replace(sent, target=real(1, version), target_port=SERVER_PORT, ttl=63).packet()
    )
    sent = reply(TCP, version, options=options)
    assert packet_of(plane.deliver(hook, sent.frame())[1]) == (
        replace(sent, source=key_of(TCP, version).address, source_port=80, ttl=63).packet()
    )


@HOOKS
def test_ports_stay_where_the_real_server_has_none_of_its_own(plane: DataPlane, hook: str) -> None:
    """A service for every port, and one by mark."""
    anything = ServiceKey.of(HTTP.protocol, VIP, 0)  # type: ignore[arg-type]
    serve(plane, anything, port=0, persistence=60)
    sent = request(flags=SYN, target_port=4444)
    assert packet_of(plane.deliver(hook, sent.frame())[1]) == replace(sent, target=real(1), ttl=63).packet()
    back = reply(source_port=4444)
    assert packet_of(plane.deliver(hook, back.frame())[1]) == replace(back, source=VIP, ttl=63).packet()


@HOOKS
def test_real_servers_behind_another_interface_are_reached_there(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP, 10)
    runner = getattr(plane, hook)
    name, result, after = plane.verdict_of(runner, request(flags=SYN).frame())
    if hook == "xdp":  # which takes no veth for a device to redirect to
        assert (name, result) == ("handed_up", XDP_REDIRECT)
        name, result, after = plane.verdict_of(plane.behind, after)
    assert (name, result) == ("forwarded", TC_REDIRECT)
    assert packet_of(after) == replace(request(flags=SYN), target=real(10), target_port=SERVER_PORT, ttl=63).packet()
    back = plane.runner_at("directrix_tc", "arm")
    frame = reply(number=10, flags=SYN | ACK).frame(to=bytes.fromhex("020000000002"))
    name, result, after = plane.verdict_of(back, frame)
    assert (name, result) == ("replied", TC_REDIRECT)
    assert packet_of(after) == (replace(reply(number=10, flags=SYN | ACK), source=VIP, source_port=80, ttl=63).packet())


# -- counted


@HOOKS
def test_both_directions_are_counted_at_server_service_and_in_all(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP)
    for flags in (SYN, ACK, ACK):
        plane.deliver(hook, request(flags=flags, data=b"").frame())
    for data in (b"", b"12345678"):
        plane.deliver(hook, reply(data=data).frame())
    counters = plane.state(HTTP, 1).counters
    found = (counters.connections, counters.in_packets, counters.out_packets, counters.in_bytes, counters.out_bytes)
    assert found == (1, 3, 2, 120, 88)
    assert plane.table.service(HTTP).counters == plane.table.totals()[0] == counters
    plane.table.zero()
    assert plane.table.totals()[0].out_bytes == plane.state(HTTP, 1).counters.out_packets == 0


# -- not sent on as it is


@HOOKS
@VERSIONS
def test_a_request_whose_time_is_over_is_answered_by_the_virtual_address(
    plane: DataPlane, version: int, hook: str
) -> None:
    serve(plane, key_of(TCP, version))
    name, after = plane.deliver(hook, request(TCP, version, flags=SYN, ttl=1).frame())
    assert name == "time_exceeded"
    assert after[:6] == GATEWAY_MAC
    answer = packet_of(after)
    assert answer[20 if version == 4 else 40] == (11 if version == 4 else 3)


@HOOKS
@VERSIONS
def test_a_request_too_large_for_the_way_is_answered_with_what_fits(plane: DataPlane, version: int, hook: str) -> None:
    serve(plane, key_of(TCP, version))
    name, after = plane.deliver(hook, request(TCP, version, flags=SYN, data=bytes(1500), df=True).frame())
    assert name == "too_big"
    answer = packet_of(after)[20 if version == 4 else 40 :]
    assert answer[:2] == (b"\x03\x04" if version == 4 else b"\x02\x00")
    assert int.from_bytes(answer[4:8], "big") == 1500


@HOOKS
@VERSIONS
def test_a_reply_too_large_for_the_way_or_over_its_time_is_answered_too(
    plane: DataPlane, version: int, hook: str
) -> None:
    connect(plane, TCP, version)
    plane.deliver(hook, reply(TCP, version).frame())
    large = plane.deliver(hook, reply(TCP, version, data=bytes(1500), df=True).frame())
    late = plane.deliver(hook, reply(TCP, version, ttl=1).frame())
    assert (large[0], late[0]) == ("too_big", "time_exceeded")
    at = IP_AT + (16 if version == 4 else 24)
    for _, after in (large, late):
        assert after[at:].startswith(real(1, version).packed)


@HOOKS
@PROTOCOLS
@pytest.mark.parametrize("way", ["request", "reply"])
def test_what_is_too_large_and_has_no_df_is_cut(plane: DataPlane, protocol: int, way: str, hook: str) -> None:
    connect(plane, protocol)
    data = bytes(range(250)) * 8
    if way == "request":
        sent = request(protocol, data=data)
        wanted = replace(sent, target=real(1), target_port=SERVER_PORT, ttl=63)
    else:
        plane.deliver(hook, reply(protocol).frame())
        sent = reply(protocol, data=data)
        wanted = replace(sent, source=VIP, source_port=80, ttl=63)
    with closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))) as far:
        far.bind(("wire-far", ETH_P_IP))
        far.settimeout(10)
        name, last = plane.deliver(hook, sent.frame())
        first = far.recv(2000)
    assert name == ("forwarded" if way == "request" else "replied")
    assert first[:12] == last[:12] == (real_mac(1) if way == "request" else GATEWAY_MAC) + WIRE_MAC
    pieces = [packet_of(first), packet_of(last)[: 20 + len(wanted.packet()) - 1500]]
    assert [piece[6:8] for piece in pieces] == [b"\x20\x00", (1480 // 8).to_bytes(2, "big")]
    assert all(piece[8:10] + piece[12:20] == wanted.packet()[8:10] + wanted.packet()[12:20] for piece in pieces)
    assert all(checksum(piece[:20]) == 0 for piece in pieces)
    assert pieces[0][20:] + pieces[1][20:] == wanted.packet()[20:]


def checksum_due(sent: Segment) -> bytes:
    """The packet with its checksum still to be filled in by the device: so far it is the pseudo header's."""
    packet = sent.packet()
    at = 20 + {TCP: 16, UDP: 6}[sent.protocol]
    due = ~checksum(packet[12:20] + struct.pack(">HH", sent.protocol, len(packet) - 20)) & 0xFFFF
    return packet[:at] + struct.pack(">H", due) + packet[at + 2 :]


@HOOKS
@pytest.mark.parametrize("why", ["options", "checksum"])
@pytest.mark.parametrize("way", ["request", "reply"])
def test_what_is_too_large_and_can_not_be_cut_is_answered_and_has_changed_nothing(
    plane: DataPlane, way: str, why: str, hook: str
) -> None:
    connect(plane)
    plane.deliver(hook, reply(flags=SYN | ACK).frame())
    plane.deliver(hook, request().frame())
    values = {"flags": FIN | ACK, "data": bytes(1500), "options": bytes([1] * 4) if why == "options" else b""}
    sent = request(**values) if way == "request" else reply(**values)
    large = checksum_due(sent) if why == "checksum" else sent.packet()
    counters, status = plane.state(HTTP, 1).counters, plane.field(plane.slot(CLIENT_PORT), "status")
    name, after = plane.deliver(hook, ethernet(large, 4))
    assert name == "too_big"
    answer = packet_of(after)
    assert (answer[12:16], answer[16:20]) == (VIP.packed, sent.source.packed)
    assert (answer[20:22], int.from_bytes(answer[26:28], "big")) == (b"\x03\x04", 1500)
    quoted = answer[28:]
    assert (quoted[:8], quoted[12:]) == (large[:8], large[12 : len(quoted)])
    assert plane.state(HTTP, 1).counters == counters
    if way == "reply":  # a request's state is settled before its way is known (IPVS)
        assert plane.field(plane.slot(CLIENT_PORT), "status") == status


# -- methods and this host


def test_another_port_of_this_host_is_refused(plane: DataPlane) -> None:
    plane.table.add_service(service(HTTP))
    here = RealServer(HERE, 8080, ForwardingMethod.MASQUERADE)
    with pytest.raises(NotSupportedYet, match="another port of this host"):
        plane.table.add_server(HTTP, here)
    assert not plane.table.service(HTTP).servers


@HOOKS
def test_this_host_as_its_own_real_server_gets_packets_as_they_came(plane: DataPlane, hook: str) -> None:
    plane.table.add_service(service(HTTP))
    plane.table.add_server(HTTP, RealServer(HERE, 80, ForwardingMethod.MASQUERADE))
    plane.freeze_hops()
    frame = request(flags=SYN).frame()
    assert plane.deliver(hook, frame) == ("local", frame)


def test_frames_here_are_as_the_kernel_would_check_them() -> None:
    """The helpers' own checksums: a packet sums up to nothing."""
    sent: Segment = request(UDP, data=b"odd")
    payload = sent.packet()[20:]
    pseudo = sent.source.packed + sent.target.packed + bytes([0, UDP]) + len(payload).to_bytes(2, "big")
    assert checksum(pseudo + payload) == 0
    assert checksum(sent.packet()[:20]) == 0
    assert sent.frame() == ethernet(sent.packet(), 4)
