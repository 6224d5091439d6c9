"""What the data plane makes of packets that IPVS cuts, and of errors from inside a tunnel, beside what IPVS did.

IPVS wraps a packet and cuts what comes of that, directrix cuts it and wraps the pieces: what the real server has in the
end must be the same. Of an error the client is told the same, but for the size: IPVS first tells the one it knew
before, and forgets what GRE and GUE need between the headers.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest
from data_plane import GATEWAY_MAC, WIRE_MAC, DataPlane, real_mac, service, world
from test_tunnel_packets import ETHERTYPES, HERE, TUNNELS
from tunnel_cases import ERRORS, KINDS, OVERHEAD, SERVERS, TCP, VIPS, Case, error, error_cases, large_cases

from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey
from directrix.system import namespaces

MORE, OFFSET = 0x2000, 0x1FFF
MORE6, FRAGMENT = 1, 44
TOO_BIG = b"\x03\x04"


def recorded(name: str) -> dict[str, str]:
    """What IPVS made of each case of a transcript."""
    lines = (line.partition(": ") for line in (HERE / name).read_text().splitlines())
    return {case: answer for case, _, answer in lines}


def whole(pieces: list[bytes]) -> bytes:
    """The packet of which these are the fragments, in whatever order; its header is the first one's, with its length.

    Identification, checksum and DF are left out: they are the sender's own.
    """
    parts: dict[int, bytes] = {}
    head, ends = b"", 0
    for packet in pieces:
        if packet[0] >> 4 == 6:
            fragment = struct.unpack_from(">H", packet, 42)[0] if packet[6] == FRAGMENT else 0
            at, more, carried = fragment & ~7, fragment & MORE6, packet[48 if packet[6] == FRAGMENT else 40 :]
            header = packet[:6] + packet[40:41] + packet[7:40] if packet[6] == FRAGMENT else packet[:40]
        else:
            fragment = struct.unpack_from(">H", packet, 6)[0]
            at, more, carried = (fragment & OFFSET) * 8, fragment & MORE, packet[20:]
            header = packet[:4] + bytes(4) + packet[8:10] + bytes(2) + packet[12:20]
        parts[at] = carried
        head, ends = (header, ends) if at == 0 else (head, ends)
        ends = ends if more else at + len(carried)
    data = b"".join(parts[at] for at in sorted(parts))
    assert len(data) == ends
    if head[0] >> 4 == 6:
        return head[:4] + struct.pack(">H", ends) + head[6:] + data
    return head[:2] + struct.pack(">H", 20 + ends) + head[4:] + data


def unwrapped(packet: bytes, kind: str) -> bytes:
    """What is in a tunnel's packet; a piece has no checksum that GRE would have room for."""
    head = 20 if packet[0] >> 4 == 4 else 40
    return packet[head + (4 if kind == "gre-csum" and not packet[head] else OVERHEAD[kind]) :]


@pytest.fixture(scope="module")
def tunnel_world() -> Iterator[tuple[str, DataPlane]]:
    name = f"test-{os.getpid()}-sizes"
    with world(name) as plane, namespaces.inside(name):
        yield name, plane


def serve(plane: DataPlane, case: Case) -> None:
    plane.reset()
    key = ServiceKey.of(Protocol(case.protocol), VIPS[case.inner], 80 if case.protocol == TCP else 53)
    plane.table.add_service(service(key))
    server = RealServer(SERVERS[case.outer], key.port, ForwardingMethod.TUNNEL, tunnel=TUNNELS[case.kind])
    plane.table.add_server(key, server)
    plane.freeze_hops()


def frame_of(packet: bytes) -> bytes:
    return WIRE_MAC + GATEWAY_MAC + ETHERTYPES[packet[0] >> 4] + packet


@pytest.mark.root
@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_ipvs_cuts_arrives_as_the_same_packet(tunnel_world: tuple[str, DataPlane], kind: str, hook: str) -> None:
    name, plane = tunnel_world
    ipvs = recorded("cut.txt")
    with namespaces.inside(name), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as far:
        far.bind(("wire-far", 0))
        far.settimeout(10)
        for case, pmtu_disc in large_cases():
            if case.kind != kind:
                continue
            serve(plane, case)
            plane.table.set_sysctls({"pmtu_disc": pmtu_disc})
            verdict, last = plane.deliver(hook, frame_of(case.packet))
            first = next(heard for heard in iter(lambda: far.recv(2000), b"") if heard[:6] == real_mac(1))
            ours = whole([unwrapped(frame[14:], kind) for frame in (first, last)])
            theirs = unwrapped(whole([bytes.fromhex(text) for text in ipvs[case.name].split()]), kind)
            assert (case.name, verdict, ours) == (case.name, "forwarded", whole([theirs]))


@pytest.mark.root
@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_errors_in_a_tunnel_are_told_as_ipvs_tells_them(tunnel_world: tuple[str, DataPlane], hook: str) -> None:
    name, plane = tunnel_world
    ipvs = recorded("errors.txt")
    with namespaces.inside(name):
        for case in error_cases():
            serve(plane, case)
            wrapped = plane.deliver(hook, frame_of(case.packet))[1][14:]
            verdict, answer = plane.deliver(hook, frame_of(error(wrapped, case.what)))
            assert (case.name, verdict) == (case.name, "tunnel_error")
            assert comparable(answer[14:]) == comparable(bytes.fromhex(ipvs[case.name]))


def comparable(packet: bytes) -> tuple[bytes, ...]:
    """Of an error: addresses, type and code, value if it is no size, and the quote."""
    words = packet[20:22]
    return packet[12:20], words, b"" if words == TOO_BIG else packet[24:28], packet[28:]


def test_every_case_is_recorded() -> None:
    assert list(recorded("cut.txt")) == [case.name for case, _ in large_cases()]
    assert list(recorded("errors.txt")) == [case.name for case in error_cases()]
    assert len(list(error_cases())) == len(KINDS) * len(ERRORS)


@pytest.mark.uml
def test_ipvs_still_does_so(played: dict[str, str]) -> None:
    for line in played["errors.txt"].splitlines():
        case, _, text = line.partition(": ")
        assert comparable(bytes.fromhex(text)) == comparable(bytes.fromhex(recorded("errors.txt")[case]))
    for line in played["cut.txt"].splitlines():
        case, _, text = line.partition(": ")
        again, before = (
            unwrapped(whole([bytes.fromhex(word) for word in words.split()]), case.split()[0])
            for words in (text, recorded("cut.txt")[case])
        )
        assert again == before
