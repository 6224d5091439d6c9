"""IPv4 packets without DF that are too large for their tunnel are cut in front of it, and nothing is lost of them."""

from __future__ import annotations

import socket
import struct

import pytest
from data_plane import DNS, HTTP, VIP, WIRE_MAC, DataPlane, real, real_mac
from frames import ACK, CLIENT, TCP, UDP, checksum, ethernet, ipv4, tcp, udp
from hooks import HOOKS
from test_fragments import ipv4_checked, piece
from test_tunnels import tunnelled

from directrix.lvs import ServiceKey, Tunnel, TunnelFlags, TunnelType

pytestmark = pytest.mark.root

DF, MORE = 0x4000, 0x2000
KINDS = {
    "ipip": (Tunnel(), 0),
    "gre": (Tunnel(TunnelType.GRE), 4),
    "gre with checksum": (Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM), 4),
    "gue": (Tunnel(TunnelType.GUE, 6080), 12),
    "gue with checksum": (Tunnel(TunnelType.GUE, 6080, TunnelFlags.CSUM), 12),
}
"""Tunnels, and the bytes between the two IP headers of a piece: none has a checksum."""

WITH_OPTIONS = ethernet(ipv4(udp(1024, 53, bytes(1460)), UDP, CLIENT, VIP, options=bytes([1] * 4)), 4)


def serve(plane: DataPlane, key: ServiceKey = DNS, tunnel: Tunnel = Tunnel(), version: int = 4) -> None:  # noqa: B008
    """A service with one real server behind a tunnel."""
    plane.serve(key)
    plane.table.add_server(key, tunnelled(real(1, version), key.port, tunnel))
    plane.freeze_hops()


def datagram(size: int, *, fragment: int = 0, data: bytes = b"") -> bytes:
    """A frame with a datagram to the DNS of so many bytes, its checksum whole."""
    payload = (data or bytes(range(256)) * 64)[: size - 28]
    total = checksum(CLIENT.packed + VIP.packed + struct.pack(">BBH", 0, UDP, size - 20) + udp(1024, 53, payload))
    segment = udp(1024, 53, payload)
    return ethernet(ipv4(segment[:6] + struct.pack(">H", total) + segment[8:], UDP, CLIENT, VIP, fragment=fragment), 4)


def unwrapped(frame: bytes, between: int = 0) -> bytes:
    """The packet in a tunnel's; the outer one is looked at."""
    assert frame[:12] == real_mac(1) + WIRE_MAC
    packet = frame[14:]
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0
        assert struct.unpack_from(">HHH", packet, 2)[::2] == (len(packet), 0)
        return packet[20 + between :]
    assert struct.unpack_from(">H", packet, 4)[0] == len(packet) - 40
    return packet[40 + between :]


def put_together(pieces: list[bytes]) -> tuple[bytes, int, bool]:
    """What IPv4 packets carry together, where it begins, and whether more follows; all must fit together."""
    first, last = pieces[0], pieces[-1]
    start = at = struct.unpack_from(">H", first, 6)[0] & 0x1FFF
    carried = b""
    for packet in pieces:
        fragment = struct.unpack_from(">H", packet, 6)[0]
        assert checksum(packet[:20]) == 0
        assert (packet[:2], packet[4:6], packet[8:10], packet[12:20]) == (
            first[:2],
            first[4:6],
            first[8:10],
            first[12:20],
        )
        assert fragment & 0x1FFF == at
        assert packet is last or (fragment & MORE and len(packet) % 8 == 20 % 8)
        carried += packet[20:]
        at += (len(packet) - 20) // 8
    return carried, start * 8, bool(struct.unpack_from(">H", last, 6)[0] & MORE)


def cut(plane: DataPlane, far: socket.socket, hook: str, frame: bytes, between: int = 0) -> list[bytes]:
    """The pieces of a frame's packet, out of their tunnel, in the order in which they are sent."""
    name, last = plane.deliver(hook, frame)
    assert name in ("forwarded", "later_fragment")
    ends = unwrapped(last, between)
    pieces = []
    while struct.unpack_from(">H", ends, 6)[0] & 0x1FFF != sum(len(piece) - 20 for piece in pieces) // 8 + (
        struct.unpack_from(">H", frame, 20)[0] & 0x1FFF
    ):
        heard = far.recv(10000)
        if heard[:12] == real_mac(1) + WIRE_MAC:
            pieces.append(unwrapped(heard, between))
    return [*pieces, ends]


@HOOKS
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_pieces_are_the_packet_and_fit(
    plane: DataPlane, far: socket.socket, hook: str, kind: str, version: int
) -> None:
    tunnel, between = KINDS[kind]
    serve(plane, DNS, tunnel, version)
    frame = datagram(1500)
    pieces = cut(plane, far, hook, frame, between)
    assert len(pieces) == 2
    assert all(len(packet) + between + {4: 20, 6: 40}[version] <= 1500 for packet in pieces)
    assert put_together(pieces) == (frame[34:], 0, False)
    assert pieces[0][8] == frame[22] - 1


@HOOKS
def test_a_cut_packet_counts_once(plane: DataPlane, far: socket.socket, hook: str) -> None:
    serve(plane)
    cut(plane, far, hook, datagram(1500))
    counters = plane.state(DNS, 1).counters
    assert (counters.in_packets, counters.in_bytes) == (1, 1500)


@HOOKS
def test_a_fragment_is_cut_like_any_packet(plane: DataPlane, far: socket.socket, hook: str) -> None:
    serve(plane)
    data = udp(1024, 53, bytes(range(256)) * 16)
    frames = [piece(VIP, data[at : at + 1480], at, at + 1480 < len(data)) for at in range(0, len(data), 1480)]
    carried = [put_together(cut(plane, far, hook, frame)) for frame in frames[:-1]]
    assert carried == [(frame[34:], at * 1480, True) for at, frame in enumerate(frames[:-1])]
    assert plane.deliver(hook, frames[-1])[0] == "later_fragment"


@HOOKS
@pytest.mark.parametrize("mtu", [600, 1000, 1480])
def test_there_are_as_many_pieces_as_it_takes(plane: DataPlane, far: socket.socket, hook: str, mtu: int) -> None:
    serve(plane)
    plane.set_hop(plane.numbers()[0], mtu=mtu)
    frame = datagram(1500)
    pieces = cut(plane, far, hook, frame)
    assert len(pieces) == -(-1480 // ((mtu - 40) // 8 * 8))
    assert put_together(pieces) == (frame[34:], 0, False)


def test_a_jumbo_frame_is_cut(plane: DataPlane, far: socket.socket) -> None:
    serve(plane)
    frame = datagram(3600)
    assert put_together(cut(plane, far, "tc", frame)) == (frame[34:], 0, False)


@HOOKS
def test_without_pmtu_disc_df_counts_for_nothing(plane: DataPlane, far: socket.socket, hook: str) -> None:
    serve(plane)
    plane.table.set_sysctls({"pmtu_disc": 0})
    frame = datagram(1500, fragment=DF)
    pieces = cut(plane, far, hook, frame)
    assert put_together(pieces) == (frame[34:], 0, False)
    assert not any(packet[6] & 0x40 for packet in pieces)


def test_packets_that_had_no_identification_to_be_told_apart_by_get_one(plane: DataPlane, far: socket.socket) -> None:
    serve(plane)
    plane.table.set_sysctls({"pmtu_disc": 0})
    frame = datagram(1500, fragment=DF)
    frame = frame[:14] + ipv4_checked(frame[14:18] + bytes(2) + frame[20:24] + bytes(2) + frame[26:34]) + frame[34:]
    seen = {cut(plane, far, "tc", frame)[0][4:6] for _ in range(8)}
    assert len(seen) > 1


def test_every_piece_has_an_outer_identification_of_its_own(plane: DataPlane, far: socket.socket) -> None:
    serve(plane)
    last = plane.deliver("tc", datagram(1500))[1]
    first = next(heard for heard in iter(lambda: far.recv(2000), b"") if heard[:6] == real_mac(1))
    assert last[18:20] != first[18:20]


@HOOKS
@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(datagram(1500, fragment=DF), id="df"),
        pytest.param(
            ethernet(ipv4(udp(1024, 53, bytes(1460)), UDP, CLIENT, VIP, options=bytes([1] * 4)), 4), id="options"
        ),
    ],
)
def test_what_can_not_be_cut_is_answered(plane: DataPlane, hook: str, frame: bytes) -> None:
    serve(plane)
    assert plane.deliver(hook, frame)[0] == "too_big"


@HOOKS
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_what_the_device_still_has_to_checksum_is_not_cut(plane: DataPlane, hook: str, protocol: int) -> None:
    key = HTTP if protocol == TCP else DNS
    serve(plane, key)
    segment = tcp(1024, 80, data=bytes(1460)) if protocol == TCP else udp(1024, 53, bytes(1472))
    at = {TCP: 16, UDP: 6}[protocol]
    due = ~checksum(CLIENT.packed + VIP.packed + struct.pack(">BBH", 0, protocol, len(segment))) & 0xFFFF
    segment = segment[:at] + struct.pack(">H", due) + segment[at + 2 :]
    assert plane.deliver(hook, ethernet(ipv4(segment, protocol, CLIENT, VIP), 4))[0] == "too_big"


def test_segments_of_a_connection_are_cut(plane: DataPlane, far: socket.socket) -> None:
    serve(plane, HTTP)
    plane.deliver("tc", ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP), 4))
    frame = ethernet(ipv4(tcp(1024, 80, ACK, bytes(range(256)) * 5 + bytes(180)), TCP, CLIENT, VIP), 4)
    assert put_together(cut(plane, far, "tc", frame)) == (frame[34:], 0, False)


@HOOKS
def test_while_the_neighbour_is_asked_for_only_the_last_piece_waits(
    plane: DataPlane, far: socket.socket, hook: str
) -> None:
    plane.serve(DNS)
    plane.table.add_server(DNS, tunnelled(real(1) + 100, 53))
    plane.freeze_hops()
    name, after = plane.deliver(hook, datagram(1500))
    assert name == "no_neighbour"
    assert struct.unpack_from(">H", after, 34 + 6)[0] & 0x1FFF
