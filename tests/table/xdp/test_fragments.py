"""Fragments of a datagram go to the real server of its first, in any order; what is wrong with them has a name."""

from __future__ import annotations

import itertools
import socket
import struct

import pytest
from data_plane import (
    DNS,
    DNS6,
    HTTP,
    TC_REDIRECT,
    TC_SHOT,
    VIP,
    VIP6,
    DataPlane,
    Runner,
    real,
)
from frames import ACK, CLIENT, CLIENT6, SYN, TCP, UDP, ethernet, ipv4, ipv6, routed, tcp, udp
from hooks import HOOKS

from directrix.lvs import Address

pytestmark = pytest.mark.root

FAMILIES = pytest.mark.parametrize("virtual", [VIP, VIP6], ids=["IPv4", "IPv6"])
PIECE = 400
_MORE, _MORE6 = 0x2000, 1


def piece(
    virtual: Address,
    data: bytes,
    offset: int,
    more: bool,
    identification: int = 1,
    protocol: int = UDP,
    client: Address | None = None,
) -> bytes:
    """A frame with a fragment from the client; `offset` in bytes."""
    if virtual.version == 4:
        whole = ipv4(data, protocol, client or CLIENT, virtual, fragment=offset // 8 | (_MORE if more else 0))
        head = whole[:4] + struct.pack(">H", identification) + whole[6:10] + bytes(2) + whole[12:20]
        return ethernet(ipv4_checked(head) + data, 4)
    header = struct.pack(">BBHI", protocol, 0, offset | (_MORE6 if more else 0), identification)
    return ethernet(ipv6(header + data, 44, client or CLIENT6, virtual), 6)


def ipv4_checked(head: bytes) -> bytes:
    """An IPv4 header with its checksum set."""
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]


def pieces(
    virtual: Address, payload: bytes, identification: int = 1, protocol: int = UDP, client: Address | None = None
) -> list[bytes]:
    """A datagram in fragments of PIECE bytes."""
    starts = range(0, len(payload), PIECE)
    return [
        piece(virtual, payload[at : at + PIECE], at, at + PIECE < len(payload), identification, protocol, client)
        for at in starts
    ]


def ask(virtual: Address, client_port: int = 1024, size: int = 1000, identification: int = 1) -> list[bytes]:
    """A large question to the DNS, in three fragments."""
    return pieces(virtual, udp(client_port, 53, bytes(size)), identification)


@pytest.fixture
def dns(plane: DataPlane) -> DataPlane:
    """A name service with two real servers, asked in turn: first 2, then 1."""
    plane.serve(DNS, 1, 1)
    plane.serve(DNS6, 1, 1)
    return plane


@HOOKS
@FAMILIES
def test_later_fragments_go_where_the_first_went(dns: DataPlane, virtual: Address, hook: str) -> None:
    run = getattr(dns, hook)
    for identification, number in ((1, 2), (2, 1), (3, 2)):
        first, *later = ask(virtual, 1024 + identification, identification=identification)
        assert dns.verdict_of(run, first)[::2] == ("forwarded", routed(first, number))
        for frame in later:
            assert dns.verdict_of(run, frame)[::2] == ("later_fragment", routed(frame, number))


@HOOKS
@FAMILIES
def test_a_datagram_counts_once_and_with_all_it_carries(dns: DataPlane, virtual: Address, hook: str) -> None:
    for frame in ask(virtual):
        getattr(dns, hook)(frame)
    counters = dns.table.totals()[0]
    whole = (20 if virtual.version == 4 else 40) + 8 + 1000
    assert (counters.connections, counters.in_packets, counters.in_bytes) == (1, 1, whole)


@HOOKS
@FAMILIES
def test_datagrams_between_the_same_hosts_are_told_apart(dns: DataPlane, virtual: Address, hook: str) -> None:
    run = getattr(dns, hook)
    two = [ask(virtual, 1024 + n, identification=n) for n in (1, 2)]
    for frames in itertools.zip_longest(*two):
        for frame, number in zip(frames, (2, 1), strict=True):
            assert run(frame)[1] == routed(frame, number)


@HOOKS
def test_tcp_in_fragments_is_tcp(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    run = getattr(plane, hook)
    run(ethernet(ipv4(tcp(1024, 80, SYN), TCP, CLIENT, VIP), 4))
    first, *later = pieces(VIP, tcp(1024, 80, ACK, bytes(1000)), protocol=TCP)
    assert run(first)[1] == routed(first, 2)
    assert [plane.verdict_of(run, frame)[0] for frame in later] == ["later_fragment"] * 2


@HOOKS
def test_what_a_first_fragment_may_not_its_others_may_not(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    run = getattr(plane, hook)
    for frame in pieces(VIP, tcp(1024, 80, ACK, bytes(1000)), protocol=TCP):
        name, _, after = plane.verdict_of(run, frame)
        assert (name, after) == ("no_connection", frame)


def test_without_a_real_server_only_the_first_fragment_is_answered(plane: DataPlane) -> None:
    plane.serve(DNS, 0)
    first, *later = ask(VIP)
    assert plane.verdict_of(plane.tc, first)[0] == "no_server"
    for frame in later:
        assert plane.verdict_of(plane.tc, frame) == ("no_server", TC_SHOT, frame)


@HOOKS
@FAMILIES
def test_a_fragment_before_its_first_passes(dns: DataPlane, virtual: Address, hook: str) -> None:
    for frame in ask(virtual)[1:]:
        name, _, after = dns.verdict_of(getattr(dns, hook), frame)
        assert (name, after) == ("fragment", frame)


@FAMILIES
def test_xdp_leaves_a_first_fragment_for_which_others_wait_to_tc(dns: DataPlane, virtual: Address) -> None:
    first, second, third = ask(virtual)
    dns.xdp(third)
    assert dns.verdict_of(dns.xdp, first)[0] == "handed_up"
    assert dns.verdict_of(dns.xdp, second)[0] == "later_fragment"


@HOOKS
def test_a_datagram_is_forgotten_after_some_seconds(dns: DataPlane, hook: str) -> None:
    run = getattr(dns, hook)
    first, second, third = ask(VIP)
    run(first)
    run(second)
    dns.age_datagrams(3.5)
    assert dns.verdict_of(run, third)[0] == "later_fragment"
    dns.age_datagrams(4.5)
    assert dns.verdict_of(run, third)[0] == "fragment"


@HOOKS
def test_a_real_server_that_is_gone_gets_no_more_of_a_datagram(dns: DataPlane, hook: str) -> None:
    run = getattr(dns, hook)
    first, second, _ = ask(VIP)
    run(first)
    dns.table.delete_server(DNS, real(2), 53)
    assert dns.verdict_of(run, second)[0] == "server_gone"


@HOOKS
@FAMILIES
def test_a_fragment_over_the_first_is_dropped(dns: DataPlane, virtual: Address, hook: str) -> None:
    run = getattr(dns, hook)
    first, *_ = ask(virtual)
    run(first)
    for offset in (8, 16, PIECE - 8):
        assert dns.verdict_of(run, piece(virtual, bytes(64), offset, more=True))[0] == "bad_fragment"
    assert dns.verdict_of(run, piece(virtual, bytes(64), PIECE, more=True))[0] == "later_fragment"


@HOOKS
@FAMILIES
def test_a_first_fragment_without_all_of_its_header_is_dropped(plane: DataPlane, virtual: Address, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.serve(type(HTTP).of(HTTP.protocol, VIP6, 80), 1)
    for size in (8, 16):
        frame = piece(virtual, tcp(1024, 80)[:size], 0, more=True, protocol=TCP)
        assert plane.verdict_of(getattr(plane, hook), frame)[0] == "bad_fragment"
    assert not list(plane.table.connections())


@HOOKS
@FAMILIES
def test_fragments_no_datagram_can_have_are_malformed(dns: DataPlane, virtual: Address, hook: str) -> None:
    run = getattr(dns, hook)
    run(ask(virtual)[0])
    for frame in (piece(virtual, bytes(64), 65528, more=False), piece(virtual, b"", 800, more=True)):
        assert dns.verdict_of(run, frame)[0] == "malformed"


@HOOKS
def test_fragments_of_a_ping_are_the_hosts(dns: DataPlane, hook: str) -> None:
    for virtual, protocol in ((VIP, 1), (VIP6, 58)):
        for frame in pieces(virtual, b"\x80" + bytes(1000), protocol=protocol):
            assert dns.verdict_of(getattr(dns, hook), frame)[::2] == ("not_ours", frame)


# -- copies, sent in again where the kernel has them


def behind(plane: DataPlane) -> Runner:
    """The program behind XDP, run at the device where it is attached, too."""
    return plane.runner_at("directrix_tc_behind", "directrix-in")


@FAMILIES
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=lambda o: "".join(map(str, o)))
def test_in_any_order_all_fragments_reach_one_real_server(
    dns: DataPlane, far: socket.socket, virtual: Address, order: tuple[int, ...]
) -> None:
    frames = ask(virtual)
    run = behind(dns)
    left = set(frames)
    for number in order:
        result, after = run(dns.handed_up(frames[number]))
        if result == TC_REDIRECT:
            assert after == routed(frames[number], 2)
            left.remove(frames[number])
    wanted = {routed(frame, 2) for frame in left}
    while wanted:
        wanted.discard(far.recv(2000))
    assert dns.table.totals()[0].in_packets == 1


def test_a_copy_that_gave_way_is_not_sent(dns: DataPlane, far: socket.socket) -> None:
    first, second, third = ask(VIP)
    run = behind(dns)
    run(dns.handed_up(second))
    for number in range(256):  # as many as there is room for
        run(dns.handed_up(ask(VIP, identification=1000 + number)[2]))
    run(dns.handed_up(third))
    run(dns.handed_up(first))
    assert far.recv(2000) == routed(third, 2)
    far.settimeout(0.2)
    with pytest.raises(TimeoutError):
        far.recv(2000)
