"""Frames of every bad kind through both hooks: nothing is forwarded that should not be, nothing passed is touched.

How a frame is made: a good one (every protocol, tags, options, extension headers, to services and to
none) is cut, stretched, has bits flipped, bytes written over with values that matter to parsers,
IP checksums set right again, or is nothing but noise. What is forwarded must be a valid packet for a
service by `strict.py`; it left with other MACs and not one other byte changed.
"""

from __future__ import annotations

import os
import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import pytest
from data_plane import (
    DIAMETER,
    DIAMETER6,
    DNS,
    DNS6,
    HTTP,
    HTTP6,
    TC_REDIRECT,
    TC_SHOT,
    TC_UNSPEC,
    VIP,
    VIP6,
    WIRE_MAC,
    XDP_DROP,
    XDP_PASS,
    XDP_REDIRECT,
    DataPlane,
    Runner,
    real_mac,
)
from frames import (
    ACK,
    CLIENT,
    CLIENT6,
    FIN,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    association,
    checksum,
    chunk,
    ethernet,
    ipv4,
    ipv6,
    packet,
    routed,
    sctp,
    tcp,
    time_left,
    udp,
)
from strict import Invalid, seen
from test_fragments import pieces
from test_quotes import from_vip, from_vip6, icmp4, icmp6

from directrix.lvs import ConnectionFlags, ServiceKey

pytestmark = pytest.mark.root

SERVED = {(int(key.protocol or 0), key.address, key.port) for key in (HTTP, HTTP6, DNS, DNS6, DIAMETER, DIAMETER6)}
WIRE_MACS = {real_mac(number) + WIRE_MAC for number in (1, 2, 3)}
VALUES = bytes(
    [
        0,
        1,
        3,
        4,
        5,
        6,
        8,
        10,
        11,
        17,
        20,
        40,
        43,
        44,
        58,
        60,
        0x40,
        0x45,
        0x46,
        0x4F,
        0x60,
        0x7F,
        0x80,
        0x84,
        0xFE,
        0xFF,
    ]
)


def good_frames() -> list[bytes]:
    """What is mutated."""
    option = bytes([TCP, 0, 1, 4, 0, 0, 0, 0])
    chain = bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([UDP, 1, 1, 12, *range(12)])
    fragment = bytes([TCP, 0, 0, 1, 0, 0, 0, 9])
    frames = [packet(TCP, VIP, 80, 1024 + i, flags) for i, flags in enumerate((SYN, ACK, FIN | ACK, RST, 0))]
    frames += [packet(TCP, VIP6, 80, 1024 + i, flags) for i, flags in enumerate((SYN, ACK, FIN | ACK))]
    frames += [packet(UDP, VIP, 53), packet(UDP, VIP6, 53), packet(TCP, VIP, 81), packet(UDP, VIP6, 80)]
    frames += [packet(TCP, ip_address("10.0.0.9"), 80), packet(UDP, ip_address("fd00::9"), 53)]
    frames += [ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP, options=bytes([1]) * size), 4) for size in (4, 12, 40)]
    frames += [ethernet(ipv4(udp(1024, 53, bytes(60)), UDP, CLIENT, VIP), 4)]
    frames += [ethernet(ipv4(tcp(1024, 80, SYN, bytes(300)), TCP, CLIENT, VIP), 4)]
    frames += [ethernet(ipv6(option + tcp(1024, 80), kind, CLIENT6, VIP6), 6) for kind in (0, 43, 60)]
    frames += [ethernet(ipv6(chain + udp(1024, 53), 0, CLIENT6, VIP6), 6)]
    frames += [ethernet(ipv6(fragment + tcp(1024, 80), 44, CLIENT6, VIP6), 6)]
    frames += [ethernet(ipv4(tcp(1024, 80), TCP, CLIENT, VIP, fragment=value), 4) for value in (0x2000, 0x10)]
    frames += [ethernet(packet(TCP, VIP, 80)[14:], 4, tags) for tags in ((0,), (5,), (7, 8), (1, 2, 3))]
    for address in (VIP, VIP6):
        kinds = ((1,), (1, 0), (10, 0), (10, 6), (11, 6), (0,), (3, 0), (6,), (7,), (14,), (200,))
        frames += [association(address, 3868, *chunks, client_port=1024 + i) for i, chunks in enumerate(kinds)]
    cookie = sctp(1024, 3868, chunk(10, bytes(301)), chunk(6))
    frames += [ethernet(ipv4(cookie, SCTP, CLIENT, VIP, options=bytes([1]) * size), 4) for size in (0, 8)]
    frames += [ethernet(ipv6(bytes([SCTP, 0, 1, 4, 0, 0, 0, 0]) + cookie, 60, CLIENT6, VIP6), 6)]
    frames += fragments_and_errors()
    frames += [WIRE_MAC + bytes(6) + b"\x08\x06" + bytes(46), ethernet(ipv4(bytes(40), 1, CLIENT, VIP), 4)]
    return frames


def fragments_and_errors() -> list[bytes]:
    """Datagrams in fragments, and errors about connections that the other frames make."""
    large = udp(1024, 53, bytes(800))
    frames = [*pieces(VIP, large), *pieces(VIP6, large), *reversed(pieces(VIP, large, 2))]
    frames += pieces(VIP, tcp(1025, 80, ACK, bytes(600)), 3, TCP)
    authentication = bytes([TCP, 4]) + bytes(22)
    frames.append(ethernet(ipv6(authentication + tcp(1024, 80), 51, CLIENT6, VIP6), 6))
    for kind in (3, 4, 11, 12, 8):
        frames.append(icmp4(kind, 0, from_vip(tcp(80, 1024, ACK))[:28]))
    frames.append(icmp4(3, 3, from_vip(udp(53, 1024), UDP, options=bytes([1]) * 8)))
    for kind6 in (1, 2, 3, 4, 128):
        frames.append(icmp6(kind6, 0, from_vip6(tcp(80, 1024, ACK))))
    option = bytes([TCP, 0, 1, 4, 0, 0, 0, 0])
    return [*frames, icmp6(2, 0, from_vip6(option + tcp(80, 1024, ACK), 60))]


class Mutations:
    """An endless source of frames, the same for the same seed, that are made of good ones."""

    def __init__(self, seed: int, good: Sequence[bytes] = ()) -> None:
        self._random = random.Random(seed)
        self._good = good or good_frames()

    def frame(self) -> bytes:
        """The next frame; 34 bytes at least, below which the kernel's test run takes no IPv4 packet for tc."""
        choose = self._random.random
        number = int(choose() * 100)
        frame = bytearray(self._good[int(choose() * len(self._good))])
        if number < 4:
            frame[14:] = self._random.randbytes(20 + int(choose() * 100))
        elif number < 6:
            frame = bytearray(self._random.randbytes(34 + int(choose() * 100)))
        if number % 3 == 0:
            del frame[34 + int(choose() * (len(frame) - 33)) :]
        if number % 2:
            for _ in range(1 + int(choose() * 3)):
                at = int(choose() * len(frame)) if choose() < 0.3 else min(12 + int(choose() * 56), len(frame) - 1)
                frame[at] = VALUES[int(choose() * len(VALUES))] if choose() < 0.7 else int(choose() * 256)
        if number % 5 == 0:
            at = int(choose() * len(frame))
            frame[at] ^= 1 << int(choose() * 8)
        if number % 7 == 0:
            frame += self._random.randbytes(int(choose() * 64))
        if number % 4 < 2:
            _mend_checksum(frame)
        if len(frame) < 54 and frame[12:14] == b"\x86\xdd":
            frame += bytes(54 - len(frame))
        return bytes(frame)


def _mend_checksum(frame: bytearray) -> None:
    """Make the IPv4 header's checksum right, so that what else is wrong is looked at."""
    if frame[12:14] == b"\x08\x00":
        header = frame[14 : 14 + (frame[14] & 15) * 4]
        if len(header) >= 20:
            header[10:12] = bytes(2)
            frame[24:26] = struct.pack(">H", checksum(bytes(header)))


def serve(plane: DataPlane) -> None:
    """Six services with three servers each, that never change their minds."""
    for key in (HTTP, HTTP6, DNS, DNS6, DIAMETER, DIAMETER6):
        plane.serve(key, 1, 2, 3, scheduler="wrr")


def judge(frame: bytes, forwarded: bool, after: bytes) -> None:
    """Hold what became of a frame that was not passed against what it was; Invalid says what is wrong."""
    if forwarded:
        packet_ = seen(frame, WIRE_MAC)
        later = packet_.fragment and not packet_.port
        if later:
            assert packet_.virtual in (VIP, VIP6), frame.hex()
        else:
            assert (packet_.protocol, packet_.virtual, packet_.port) in SERVED, frame.hex()
        if time_left(frame) > 1:
            assert after[12:] == routed(frame)[12:], frame.hex()
            assert after[:12] in WIRE_MACS, frame.hex()
        elif after != frame:
            assert after[:12] == frame[6:12] + frame[:6], frame.hex()  # the answer goes back
            assert after[23 if packet_.virtual.version == 4 else 20] in (1, 58), frame.hex()
    else:
        assert after == frame, frame.hex()
        seen(frame, WIRE_MAC)


def fuzz(plane: DataPlane, count: int, seed: int) -> dict[str, Counter[str]]:
    """Run so many frames through both hooks; how many came to which end, by hook."""
    serve(plane)
    source = Mutations(seed)
    xdp, tc = plane.xdp, plane.tc
    ends: dict[str, Counter[str]] = {"xdp": Counter(), "tc": Counter()}
    for number in range(count):
        if number % 4000 == 0:
            plane.keep_hops()
        if number % 20000 == 19999:
            assert plane.verdicts().get("busy", 0) == 0
            plane.reset()
            serve(plane)
        frame = source.frame()
        result, after = xdp(frame)
        if result == XDP_PASS:
            assert after == frame, frame.hex()
            ends["xdp"]["passed"] += 1
        else:
            forwarded = result != XDP_DROP
            if result == XDP_REDIRECT:
                assert after == plane.handed_up(frame), frame.hex()
                after = routed(frame) if time_left(frame) > 1 else frame
            judge(frame, forwarded, after)
            ends["xdp"]["forwarded" if forwarded else "dropped"] += 1
        result, after = tc(frame)
        if result == TC_UNSPEC:
            assert after == frame, frame.hex()
            ends["tc"]["passed"] += 1
        else:
            forwarded = result == TC_REDIRECT
            assert forwarded or result == TC_SHOT
            if forwarded and after[:12] == frame[:12] and after != frame:
                after = real_mac(1) + WIRE_MAC + after[12:]  # the kernel's neighbour code writes the MACs
            judge(frame, forwarded, after)
            ends["tc"]["forwarded" if forwarded else "dropped"] += 1
    assert plane.verdicts().get("busy", 0) == 0
    return ends


def test_fifty_thousand_bad_frames(plane: DataPlane) -> None:
    ends = fuzz(plane, 50_000, seed=1)
    for hook in ("xdp", "tc"):
        # the fuzzer is worth something only if it comes far enough often enough
        assert ends[hook]["forwarded"] > 5_000
        assert ends[hook]["passed"] > 20_000


@pytest.mark.slow
def test_a_million_bad_frames(plane: DataPlane) -> None:
    ends = fuzz(plane, 1_000_000, seed=2)
    assert sum(ends["xdp"].values()) == sum(ends["tc"].values()) == 1_000_000


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_what_is_valid_and_for_a_service_is_forwarded_or_starts_nothing(plane: DataPlane, hook: str) -> None:
    """The other way round: the strict reading finds nothing valid that the data plane calls malformed."""
    serve(plane)
    source = Mutations(3)
    run: Runner = getattr(plane, hook)
    found = 0
    for number in range(20_000):
        if number % 2000 == 0:
            plane.keep_hops()
        frame = source.frame()
        try:
            packet_ = seen(frame, WIRE_MAC)
        except Invalid:
            continue
        if packet_.fragment or packet_.quoted or (packet_.protocol, packet_.virtual, packet_.port) not in SERVED:
            continue
        if hook == "tc" and frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
            continue
        found += 1
        name, _, _ = plane.verdict_of(run, frame)
        ends = {"forwarded", "no_connection", "handed_up", "table_full"}
        assert name in (ends if time_left(frame) > 1 else ends - {"forwarded"} | {"time_exceeded"}), frame.hex()
        if found % 500 == 0:
            plane.reset()
            serve(plane)
    assert found > 1000


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_a_host_without_services_gets_every_frame_as_it_came(plane: DataPlane, hook: str) -> None:
    source = Mutations(4)
    run: Runner = getattr(plane, hook)
    passed = XDP_PASS if hook == "xdp" else TC_UNSPEC
    for _ in range(10_000):
        frame = source.frame()
        assert run(frame) == (passed, frame)
    assert plane.verdicts() == {"not_ours": 10_000}


# -- two CPUs at once


def live_counts(plane: DataPlane) -> tuple[Counter[str], Counter[str]]:
    """Connections by real server: as the connections say, and as the servers' counts say."""
    listed: Counter[str] = Counter()
    for connection in plane.table.connections():
        kind = "persistent" if connection.flags & ConnectionFlags.TEMPLATE else "live"
        listed[f"{connection.protocol} {connection.server} {kind}"] += 1
    counted: Counter[str] = Counter()
    for state in plane.table.services():
        for server in state.servers:
            name = f"{int(state.service.key.protocol or 0)} {server.server.address}"
            counted[f"{name} live"] += server.active + server.inactive
            counted[f"{name} persistent"] += server.persistent
    return listed, +counted


def traffic(run: Runner, seed: int) -> None:
    """Clients of two services; two of these share all flows."""
    choose = random.Random(seed)
    flags = (SYN, SYN, ACK, ACK, FIN | ACK, RST)
    for _ in range(15_000):
        port = 1024 + int(choose.random() * 120)
        if choose.random() < 0.7:
            run(packet(TCP, VIP, 80, port, choose.choice(flags), CLIENT + port % 7))
        else:
            run(packet(UDP, VIP, 53, port, client=CLIENT + port % 7))


def in_a_process(do: Callable[[Runner, int], None], run: Runner, seed: int) -> int:
    """Start a process that does this; its id. A thread would wait for Python's lock most of the time."""
    child = os.fork()
    if not child:
        status = 1
        try:
            do(run, seed)
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> bool:
    """Whether a process has ended, which has to be well."""
    pid, status = os.waitpid(child, os.WNOHANG)
    assert status == 0
    return pid == child


def change_something(plane: DataPlane, key: ServiceKey, choose: random.Random) -> None:
    """Add, remove or edit one of four real servers."""
    known = {state.server.address for state in plane.table.service(key).servers}
    server = plane.real_server(key, choose.randint(1, 4), choose.randint(0, 3))
    if server.address not in known:
        plane.table.add_server(key, server)
        plane.table.look_up_hops()
    elif choose.random() < 0.5:
        plane.table.delete_server(key, server.address, server.port)
    else:
        plane.table.edit_server(key, server)


@pytest.mark.parametrize("persistence", [0, 300], ids=["plain", "persistent"])
@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc"])
def test_two_cpus_with_the_same_flows_and_an_operator_leave_consistent_counts(
    plane: DataPlane, scheduler: str, persistence: int
) -> None:
    for key in (HTTP, DNS):
        plane.serve(key, 1, 1, 1, scheduler=scheduler, persistence=persistence)
    clients = [in_a_process(traffic, plane.runner(hook), seed) for seed, hook in enumerate(("xdp", "tc"))]
    choose = random.Random(9)
    left = set(clients)
    while left:
        for key in (HTTP, DNS):
            change_something(plane, key, choose)
        plane.keep_hops()
        left -= {child for child in left if ended(child)}
    # everybody is back, so that every connection's server is listed
    for key in (HTTP, DNS):
        known = {state.server.address for state in plane.table.service(key).servers}
        for number in range(1, 5):
            server = plane.real_server(key, number)
            if server.address not in known:
                plane.table.add_server(key, server)
    listed, counted = live_counts(plane)
    assert listed == counted
    verdicts = plane.verdicts()
    assert "busy" not in verdicts
    assert verdicts["forwarded"] > 5000
    flows = Counter(
        (c.protocol, c.client, c.client_port, c.virtual, c.virtual_port)
        for c in plane.table.connections()
        if c.client_port
    )
    assert max(flows.values()) == 1
    totals = plane.table.totals()[0]
    assert totals.in_packets == verdicts["forwarded"] + verdicts.get("no_neighbour", 0)
