"""What the data plane sends for the packets of a connection, byte by byte beside what the kernel's IPVS sent for them.

Of an error that the director makes itself, its addresses, what it says, and the packet it quotes are compared: the rest
is its own to choose. So is the identification of IPv6's fragments, which IPVS puts together and cuts anew.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Iterator

import machine
import pytest
from both_ways_cases import METHODS, SERVERS, SERVICES, VIPS, Case, Step, cases, checksum
from data_plane import GATEWAY_MAC, WIRE_MAC, DataPlane, real_mac, service, world
from scenario import HERE as CONFORMANCE
from tunnel_cases import pseudo

from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey
from directrix.system import namespaces

HERE = CONFORMANCE / "both_ways"
TRANSCRIPT = HERE / "transcript.txt"
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
ICMP = {4: 1, 6: 58}
ANSWERS = {"time_exceeded", "too_big", "no_server"}
OF_METHOD = {"direct": ForwardingMethod.DIRECT, "masquerade": ForwardingMethod.MASQUERADE}
NOBODY = "nobody"


def recorded(text: str) -> dict[str, list[str]]:
    """What IPVS sent for the packets of each case, in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        name, _, answers = line.partition(": ")
        found[name.rpartition(", ")[0]] += [answer for answer in answers.split(" and ") if answer != NOBODY]
    return found


DELIBERATE = {
    "no checksum": "IPVS reckons a checksum for a masqueraded datagram that came without; directrix leaves it without",
}
"""What differs, by the end of a case's name, and why."""


def comparable(answer: str) -> object:
    """An answer without what is the director's own; raises AssertionError for a checksum that is wrong."""
    to, _, text = answer.partition(" ")
    packet = bytes.fromhex(text)
    version = packet[0] >> 4
    head = (packet[0] & 15) * 4 if version == 4 else 40
    source = packet[12:16] if version == 4 else packet[8:24]
    inside = packet[head:]
    if version == 6 and packet[6] == 44:
        return to, packet[: head + 4], packet[head + 8 :]
    if packet[9 if version == 4 else 6] != ICMP[version] or _name(source) not in _OWN:
        return answer
    covered = inside if version == 4 else pseudo(packet[8:24], packet[24:40], ICMP[6], len(inside)) + inside
    assert checksum(covered) == 0
    target = packet[16:20] if version == 4 else packet[24:40]
    if to == "server":
        source = b"the director's"  # the host's own address with IPVS, which leaves such packets to it; here the VIP
    return to, source, target, inside[:2], inside[4:8], inside[8:408]


def _name(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


_OWN = {"10.0.0.2", "fd00::2", *(str(vip) for vip in VIPS.values())}


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, DataPlane]]:
    name = f"test-{os.getpid()}-both-ways"
    with world(name) as plane:
        yield name, plane


def serve(plane: DataPlane, method: str, version: int) -> None:
    """The services with their one real server."""
    plane.reset()
    for protocol, (_, port, other) in SERVICES.items():
        key = ServiceKey.of(Protocol(protocol), VIPS[version], port)
        plane.table.add_service(service(key))
        behind = other if method == "masquerade" else port
        plane.table.add_server(key, RealServer(SERVERS[version], behind, OF_METHOD[method]))
    plane.freeze_hops()


def answers(plane: DataPlane, step: Step, hook: str) -> list[str]:
    """As the guest's of the same name."""
    sender = GATEWAY_MAC if step.side == "client" else real_mac(1)
    name, after = plane.deliver(hook, WIRE_MAC + sender + ETHERTYPES[step.packet[0] >> 4] + step.packet)
    if name in ANSWERS:
        return [f"{step.side} {after[14:].hex()}"]
    if name in ("forwarded", "later_fragment", "replied"):
        to = "client" if name == "replied" or (name == "later_fragment" and step.side == "server") else "server"
        return [f"{to} {after[14:].hex()}"]
    return []


def differs(case: Case) -> bool:
    """Whether it is on purpose that the packets of a case are others than IPVS's."""
    return case.method == "masquerade" and any(case.name.endswith(what) for what in DELIBERATE)


@pytest.mark.root
@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("method", METHODS)
def test_the_packets_of_a_connection_are_those_that_ipvs_sends(
    place: tuple[str, DataPlane], method: str, version: int, hook: str
) -> None:
    name, plane = place
    ipvs = recorded(TRANSCRIPT.read_text())
    with namespaces.inside(name):
        serve(plane, method, version)
        wrong = []
        for case in cases():
            if (case.method, case.version) == (method, version) and not differs(case):
                ours = [comparable(said) for step in case.steps for said in answers(plane, step, hook)]
                theirs = [comparable(said) for said in ipvs[case.name]]
                if ours != theirs:
                    wrong.append((case.name, ours, theirs))
    assert wrong == []


def test_every_case_is_recorded() -> None:
    assert list(recorded(TRANSCRIPT.read_text())) == [case.name for case in cases()]


@pytest.mark.uml
def test_ipvs_still_sends_them() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    written, console = machine.boot(HERE / "both_ways_guest.py")
    assert "transcript.txt" in written, console
    again, before = recorded(written["transcript.txt"]), recorded(TRANSCRIPT.read_text())
    for case in cases():
        assert [comparable(said) for said in again[case.name]] == [comparable(said) for said in before[case.name]]
