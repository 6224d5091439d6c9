"""The fuzzer (test_fuzz.py) where all real servers are masqueraded: bad frames of clients and of real servers.

What is sent on must be a valid packet by `strict.py`, changed as `rewritten.py` says and in nothing else; and
what goes back to a client must be of a connection that the same real server has been sent a packet of.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from data_plane import (
    DIAMETER,
    DIAMETER6,
    DNS,
    DNS6,
    GATEWAY_MAC,
    HTTP,
    HTTP6,
    VIP,
    VIP6,
    WIRE_MAC,
    DataPlane,
    number_of,
    real,
    real_mac,
    service,
)
from frames import ACK, CLIENT, CLIENT6, FIN, RST, SCTP, SYN, TCP, UDP, association, ethernet, ipv4, ipv6, tcp, udp
from masquerading import masqueraded
from rewritten import held
from strict import Invalid, Seen, seen, transport_of
from test_fragments import pieces
from test_fuzz import Mutations, good_frames
from test_quotes import icmp4, icmp6

from directrix.lvs import Address, ServiceKey
from directrix.table.xdp.verdicts import VERDICTS

pytestmark = pytest.mark.root

SERVICES = (HTTP, HTTP6, DNS, DNS6, DIAMETER, DIAMETER6)
BEHIND = {TCP: 8080, UDP: 5353, SCTP: 3869}
"""The real servers' ports, by protocol."""
PORTS = {int(key.protocol or 0): key.port for key in SERVICES}
"""And those of the services."""
NUMBERS = (1, 2, 3)
PASSED = {verdict.name for verdict in VERDICTS if verdict.fate == "passed"}
SENT = {"forwarded", "replied", "later_fragment"}
DROPPED = {"bad_fragment", "table_full", "time_exceeded", "no_route"}

Flow = tuple[int, Address, int, Address]


def replies() -> list[bytes]:
    """What real servers send, of connections there may be and of none; errors about what they were sent."""
    frames = []
    for number in NUMBERS:
        for rip, client, make in ((real(number), CLIENT, ipv4), (real(number, 6), CLIENT6, ipv6)):
            version = rip.version
            for port in range(1024, 1027):
                for flags in (SYN | ACK, ACK, FIN | ACK, RST):
                    frames.append(ethernet(make(tcp(8080, port, flags), TCP, rip, client), version))
            frames += [ethernet(make(udp(5353, 1024, b"answer"), UDP, rip, client), version)]
            frames += [ethernet(make(udp(5353, port), UDP, rip, client), version) for port in (9, 1024)]
            frames += [association(client, 1024, kind, client_port=3869, client=rip) for kind in (2, 11, 0, 3)]
            frames += pieces(client, udp(5353, 1024, bytes(700)), number, UDP, rip)
            sent = make(tcp(1024, 8080, ACK), TCP, client, rip), make(udp(1024, 5353, b"?"), UDP, client, rip)
            for about in sent:
                frames.append(icmp4(3, 3, about[:28], to=client) if version == 4 else icmp6(1, 4, about, to=client))
    return frames


def serve(plane: DataPlane) -> None:
    for key in SERVICES:
        plane.table.add_service(service(key, "wrr"))
        for number in NUMBERS:
            plane.table.add_server(key, masqueraded(number, BEHIND[int(key.protocol or 0)], _version(key)))
    plane.freeze_hops()


def _version(key: ServiceKey) -> int:
    return 4 if key.address is None else key.address.version


class Judge:
    """Knows which connections the real servers have."""

    def __init__(self) -> None:
        self._flows: set[Flow] = set()

    def sent(self, frame: bytes, after: bytes, name: str) -> None:
        """Hold a frame that was sent on against what it was."""
        packet = seen(frame, WIRE_MAC)
        before, now = frame[14:], after[14:]
        later = packet.fragment and not packet.port
        if name == "replied" or (later and packet.virtual not in (VIP, VIP6)):
            self._back(packet, before, now, later=later)
            assert after[:12] in (GATEWAY_MAC + WIRE_MAC, frame[:12])
        else:
            server = self._there(packet, before, now, later=later)
            assert after[:12] in (real_mac(number_of(server)) + WIRE_MAC, frame[:12])

    def _there(self, packet: Seen, before: bytes, now: bytes, *, later: bool) -> Address:
        """A client's packet, or an error about what it was sent, goes to a real server."""
        server = _end(now, source=False)
        assert server in {real(number, packet.virtual.version) for number in NUMBERS}
        if not later:
            assert packet.port == PORTS[packet.protocol]
        held(before, now, server, BEHIND.get(packet.protocol, 0), source=False, later=later)
        if not later and not packet.quoted:
            _, at = transport_of(before)
            self._flows.add((packet.protocol, packet.client, int.from_bytes(before[at : at + 2], "big"), server))
        return server

    def _back(self, packet: Seen, before: bytes, now: bytes, *, later: bool) -> None:
        """A real server's packet, or an error about what that was sent, goes to a client."""
        virtual = VIP if packet.virtual.version == 4 else VIP6
        held(before, now, virtual, PORTS.get(packet.protocol, 0), source=True, later=later)
        if later:
            assert any((packet.virtual, packet.client) == (client, server) for _, client, _, server in self._flows)
        elif packet.quoted:  # read as if its client had sent it
            quoted = before[transport_of(before)[1] + 8 :]
            at = transport_of(quoted)[1]
            client, client_port = _end(quoted, source=True), int.from_bytes(quoted[at : at + 2], "big")
            assert (packet.protocol, client, client_port, _end(quoted, source=False)) in self._flows
        else:
            assert (packet.protocol, packet.virtual, packet.port, packet.client) in self._flows


def _end(packet: bytes, *, source: bool) -> Address:
    version = packet[0] >> 4
    at, size = (12, 4) if version == 4 else (8, 16)
    at += 0 if source else size
    kind = type(real(1, version))
    return kind(packet[at : at + size])


def fuzz(plane: DataPlane, count: int, seed: int) -> Counter[str]:
    """Run so many frames through a hook each; how many came to which end."""
    plane.reset()
    serve(plane)
    judge = Judge()
    source = Mutations(seed, [*good_frames(), *replies()])
    ends: Counter[str] = Counter()
    for number in range(count):
        if number % 1000 == 0:
            plane.keep_hops()
        if number % 10000 == 9999:
            plane.reset()
            serve(plane)
            judge = Judge()
        frame = source.frame()
        name, after = plane.deliver(("xdp", "tc")[number // 3 % 2], frame)
        ends[name] += 1
        try:
            if name in PASSED:
                assert after == frame
            elif name in SENT:
                judge.sent(frame, after, name)
            else:
                assert name in DROPPED
                seen(frame, WIRE_MAC)
        except (AssertionError, Invalid) as wrong:
            raise AssertionError(f"{name}: {frame.hex()} became {after.hex()}") from wrong
    return ends


def test_ten_thousand_bad_frames_through_masquerading(plane: DataPlane) -> None:
    ends = fuzz(plane, 10_000, seed=5)
    # the fuzzer is worth something only if it comes far enough often enough
    assert ends["forwarded"] > 500
    assert ends["replied"] > 300
    assert ends["later_fragment"] > 20
    assert sum(ends[name] for name in PASSED) > 4_000


@pytest.mark.slow
def test_half_a_million_bad_frames_through_masquerading(plane: DataPlane) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "6"))
    assert sum(fuzz(plane, 500_000, seed).values()) == 500_000
