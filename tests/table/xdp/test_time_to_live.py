"""TTL and hop limit: counted down on the way to a real server, and answered when they are over."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from data_plane import DNS, GATEWAY_MAC, HTTP, HTTP6, VIP, VIP6, WIRE_MAC, DataPlane
from frames import ACK, CLIENT, CLIENT6, SYN, TCP, UDP, checksum, ethernet, ipv4, ipv6, routed, tcp, udp
from hooks import HOOKS, VERSIONS
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6TimeExceeded, IPv6
from scapy.layers.l2 import Ether
from test_fragments import piece

from directrix.lvs import RealServer

pytestmark = pytest.mark.root

WAYS = pytest.mark.parametrize(
    ("hook", "tags"), [("xdp", ()), ("tc", ()), ("xdp", (0,))], ids=["xdp", "tc", "xdp with a priority tag"]
)
"""How a frame may come. Of a tag tc sees nothing: the kernel has taken it off."""


def segment(version: int, left: int, tags: tuple[int, ...] = (), options: bytes = b"", flags: int = SYN) -> bytes:
    """A client's segment with so much time left."""
    if version == 4:
        packet = ipv4(tcp(1024, 80, flags), TCP, CLIENT, VIP, ttl=left, options=options)
    else:
        packet = ipv6(tcp(1024, 80, flags), TCP, CLIENT6, VIP6, hops=left)
    return ethernet(packet, version, tags)


def serve(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(HTTP6, 1)
    plane.serve(DNS, 1)


@WAYS
@VERSIONS
@pytest.mark.parametrize("left", [2, 3, 64, 255])
def test_it_is_counted_down_by_one(plane: DataPlane, hook: str, version: int, tags: tuple[int, ...], left: int) -> None:
    serve(plane)
    name, after = plane.deliver(hook, segment(version, left, tags))
    assert (name, after[-len(segment(version, left)) + 14 :]) == ("forwarded", routed(segment(version, left))[14:])


@HOOKS
def test_any_checksum_follows_it(plane: DataPlane, hook: str) -> None:
    serve(plane)
    seen = set()
    for identification in range(0, 0x10000, 13):
        frame = bytearray(segment(4, 64, flags=SYN if not identification else ACK))
        frame[18:20], frame[24:26] = struct.pack(">H", identification), bytes(2)
        frame[24:26] = struct.pack(">H", checksum(bytes(frame[14:34])))
        seen.add(frame[24])
        plane.keep_hops()
        assert plane.deliver(hook, bytes(frame))[1] == routed(bytes(frame))
    assert seen == set(range(256))


@HOOKS
@pytest.mark.parametrize("checked", [0xFFFD, 0xFFFE, 0x0000, 0x0001, 0xFEFF, 0x00FF])
def test_the_checksums_at_the_edges_follow_it(plane: DataPlane, hook: str, checked: int) -> None:
    serve(plane)
    frame = bytearray(segment(4, 64))
    frame[18:20], frame[24:26] = bytes(2), bytes(2)
    # an identification that makes the checksum this one
    frame[18:20] = struct.pack(">H", ((checksum(bytes(frame[14:34])) - checked) % 0xFFFF))
    frame[24:26] = struct.pack(">H", checked)
    assert checksum(bytes(frame[14:34])) == 0
    assert plane.deliver(hook, bytes(frame))[1] == routed(bytes(frame))


@HOOKS
@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("options", [b"", b"\1" * 8], ids=["plain", "options"])
def test_when_it_is_over_the_client_is_told_so(plane: DataPlane, hook: str, left: int, options: bytes) -> None:
    serve(plane)
    frame = segment(4, left, options=options)
    expected = (
        Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
        / IP(src=str(VIP), dst=str(CLIENT), tos=0xC0, ttl=64, id=0)
        / ICMP(type=11, code=0)
        / frame[14:]
    )
    assert plane.deliver(hook, frame) == ("time_exceeded", bytes(expected))


@HOOKS
@pytest.mark.parametrize("left", [0, 1])
def test_an_ipv6_client_is_told_so_too(plane: DataPlane, hook: str, left: int) -> None:
    serve(plane)
    frame = segment(6, left)
    expected = (
        Ether(dst=GATEWAY_MAC.hex(":"), src=WIRE_MAC.hex(":"))
        / IPv6(src=str(VIP6), dst=str(CLIENT6), hlim=64)
        / ICMPv6TimeExceeded(code=0)
        / frame[14:]
    )
    assert plane.deliver(hook, frame) == ("time_exceeded", bytes(expected))


@HOOKS
def test_a_later_fragment_whose_time_is_over_is_not_answered(plane: DataPlane, hook: str) -> None:
    serve(plane)
    plane.deliver(hook, piece(VIP, udp(1024, 53, bytes(72)), 0, True))
    later = bytearray(piece(VIP, bytes(80), 80, False))
    later[22], later[24:26] = 1, bytes(2)
    later[24:26] = struct.pack(">H", checksum(bytes(later[14:34])))
    name, after = plane.deliver(hook, bytes(later))
    assert name == "time_exceeded"
    assert after[23] == UDP


@HOOKS
@pytest.mark.parametrize("left", [0, 1])
def test_the_directors_own_service_does_not_ask(plane: DataPlane, hook: str, left: int) -> None:
    plane.serve(HTTP)
    plane.table.add_server(HTTP, RealServer(ip_address("127.0.0.1"), 80))
    plane.freeze_hops()
    frame = segment(4, left)
    assert plane.deliver(hook, frame) == ("local", frame)
