"""What the data plane makes of packets for a tunnel, byte by byte beside what the kernel's IPVS made of them.

What is the sender's own to choose is not compared: an identification without DF, and a flow's source
port. Checksums that cover these must be right. Of an error, what it says is compared, and the packet
that it quotes as far as both quote it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest
from data_plane import GATEWAY_MAC, WIRE_MAC, DataPlane, real_mac, service, world
from scenario import HERE as CONFORMANCE
from tunnel_cases import CLIENTS, KINDS, SERVERS, TCP, VIPS, Case, cases, checksum, pseudo

from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey, Tunnel, TunnelFlags, TunnelType
from directrix.system import namespaces

HERE = CONFORMANCE / "tunnels"

TRANSCRIPT = HERE / "transcript.txt"
TUNNELS = {
    "ipip": Tunnel(),
    "gre": Tunnel(TunnelType.GRE),
    "gre-csum": Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM),
    "gue": Tunnel(TunnelType.GUE, 6080),
    "gue-csum": Tunnel(TunnelType.GUE, 6080, TunnelFlags.CSUM),
    "gue-remcsum": Tunnel(TunnelType.GUE, 6080, TunnelFlags.REMCSUM),
}
UDP, ICMP, ICMP6 = 17, 1, 58
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}


def recorded() -> dict[str, str]:
    """What IPVS made of each case."""
    lines = (line.partition(": ") for line in TRANSCRIPT.read_text().splitlines())
    return {name: answer for name, _, answer in lines}


def comparable(answer: str) -> object:
    """An answer without what is the sender's own; raises AssertionError for a checksum that is wrong."""
    to, _, text = answer.partition(" ")
    packet = bytearray.fromhex(text)
    if not packet:
        return to
    head = 20 if packet[0] >> 4 == 4 else 40
    protocol = packet[9] if head == 20 else packet[6]
    if head == 20:
        assert checksum(packet[:20]) == 0
        if to == "client" or not packet[6] & 0x40:
            packet[4:6] = bytes(2)
        packet[10:12] = bytes(2)
    if protocol == UDP and to == "server":
        sources = packet[12:20] if head == 20 else packet[8:40]
        half = len(sources) // 2
        if any(packet[head + 6 : head + 8]):
            covered = pseudo(sources[:half], sources[half:], UDP, len(packet) - head) + packet[head:]
            assert checksum(covered) == 0
            packet[head + 6 : head + 8] = b"ok"
        assert 32768 <= struct.unpack_from(">H", packet, head)[0] <= 60999
        packet[head : head + 2] = bytes(2)
    if to == "client":
        assert protocol in (ICMP, ICMP6)
        covered = (
            packet[20:] if head == 20 else pseudo(packet[8:24], packet[24:40], ICMP6, len(packet) - 40) + packet[40:]
        )
        assert checksum(covered) == 0
        source_and_target = packet[12:20] if head == 20 else packet[8:40]
        return to, bytes(source_and_target), bytes(packet[head : head + 2]), bytes(packet[head + 4 : head + 8 + 200])
    return to, bytes(packet)


@pytest.fixture(scope="module")
def tunnel_world() -> Iterator[tuple[str, DataPlane]]:
    name = f"test-{os.getpid()}-tunnels"
    with world(name) as plane:
        yield name, plane


def answer(plane: DataPlane, case: Case, hook: str) -> str:
    """As the guest's of the same name."""
    plane.reset()
    key = ServiceKey.of(Protocol(case.protocol), VIPS[case.inner], 80 if case.protocol == TCP else 53)
    plane.table.add_service(service(key))
    server = RealServer(SERVERS[case.outer], key.port, ForwardingMethod.TUNNEL, tunnel=TUNNELS[case.kind])
    plane.table.add_server(key, server)
    plane.freeze_hops()
    _, after = plane.deliver(hook, WIRE_MAC + GATEWAY_MAC + ETHERTYPES[case.inner] + case.packet)
    return f"{'server' if after[:6] == real_mac(1) else 'client'} {after[14:].hex()}"


@pytest.mark.root
@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("kind", KINDS)
def test_packets_are_what_ipvs_sends(tunnel_world: tuple[str, DataPlane], kind: str, hook: str) -> None:
    name, plane = tunnel_world
    ipvs = recorded()
    with namespaces.inside(name):
        for case in cases():
            if case.kind == kind:
                ours = answer(plane, case, hook)
                assert CLIENTS[case.inner].packed.hex() in ours
                assert (case.name, comparable(ours)) == (case.name, comparable(ipvs[case.name]))


def test_every_case_is_recorded() -> None:
    assert list(recorded()) == [case.name for case in cases()]


@pytest.mark.uml
def test_ipvs_still_does_so(played: dict[str, str]) -> None:
    lines = (line.partition(": ") for line in played["transcript.txt"].splitlines())
    again = {case: comparable(said) for case, _, said in lines}
    assert again == {case: comparable(said) for case, said in recorded().items()}
