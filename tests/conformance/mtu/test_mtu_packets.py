"""What the data plane makes of packets too large for their way, beside what the kernel's IPVS made of them.

Of an answer, its addresses, what it says, and the packet that it quotes are compared.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import machine
import pytest
from scenario import HERE as CONFORMANCE

HERE = CONFORMANCE / "mtu"
sys.path[:0] = [str(HERE), str(CONFORMANCE.parent / "table" / "xdp")]

from data_plane import ARM_MAC, GATEWAY_MAC, WIRE_MAC, DataPlane, real, real_mac, service, world  # noqa: E402
from mtu_cases import MTU, SERVERS, TCP, VIPS, Case, cases  # noqa: E402
from tunnel_cases import checksum, pseudo  # noqa: E402

from directrix.lvs import ForwardingMethod, Protocol, RealServer, ServiceKey  # noqa: E402
from directrix.system import namespaces  # noqa: E402
from directrix.table.xdp import layout  # noqa: E402

TRANSCRIPT = HERE / "transcript.txt"
ICMP, ICMP6 = 1, 58
ETH_P_ALL = 3
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
NUMBERS = {"device": 10, "route": 2}
"""Of the real servers: data_plane.real()."""

_SET_UP = f"""
link add wire address {WIRE_MAC.hex(":")} type veth peer name wire-far
link add arm address {ARM_MAC.hex(":")} mtu {MTU} type veth peer name arm-far mtu {MTU}
link set lo up
link set wire up
link set arm up
link set wire-far up
link set arm-far up
addr add 10.0.0.2/24 dev wire
addr add 10.0.1.2/24 dev arm
addr add fd00::2/64 dev wire nodad
addr add fd00:0:0:1::2/64 dev arm nodad
route add {real(2)}/32 dev wire mtu lock {MTU}
route add {real(2, 6)}/128 dev wire mtu lock {MTU}
""" + "".join(
    f"neigh replace {real(number, version)} lladdr {real_mac(number).hex(':')} "
    f"dev {'arm' if narrow == 'device' else 'wire'} nud permanent\n"
    for narrow, number in NUMBERS.items()
    for version in (4, 6)
)


def recorded() -> dict[str, str]:
    """What IPVS made of each case."""
    lines = (line.partition(": ") for line in TRANSCRIPT.read_text().splitlines())
    return {name: answer for name, _, answer in lines}


def comparable(answer: str) -> object:
    """An answer without what is the sender's own; raises AssertionError for a checksum that is wrong."""
    if " and " in answer:
        return [comparable(part) for part in answer.split(" and ")]
    to, _, text = answer.partition(" ")
    packet = bytes.fromhex(text)
    if to == "server":
        return to, packet
    head = 20 if packet[0] >> 4 == 4 else 40
    inside = packet[head:]
    assert packet[9 if head == 20 else 6] == {20: ICMP, 40: ICMP6}[head]
    assert checksum(inside if head == 20 else pseudo(packet[8:24], packet[24:40], ICMP6, len(inside)) + inside) == 0
    addresses = packet[12:20] if head == 20 else packet[8:40]
    return to, addresses, inside[:2], inside[4:8], inside[8:408]


@pytest.fixture(scope="module")
def narrow_world() -> Iterator[tuple[str, DataPlane]]:
    name = f"test-{os.getpid()}-mtu"
    with world(name, _SET_UP) as plane:
        yield name, plane


def answer(plane: DataPlane, case: Case, hook: str) -> str:
    """As the guest's of the same name."""
    plane.reset()
    key = ServiceKey.of(Protocol(case.protocol), VIPS[case.version], 80 if case.protocol == TCP else 53)
    plane.table.add_service(service(key))
    assert SERVERS[case.narrow, case.version] == real(NUMBERS[case.narrow], case.version)
    method = ForwardingMethod.MASQUERADE if case.masqueraded else ForwardingMethod.DIRECT
    plane.table.add_server(key, RealServer(SERVERS[case.narrow, case.version], case.server_port, method))
    plane.freeze_hops()
    far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with far:
        far.bind(("wire-far" if case.narrow == "route" else "arm-far", ETH_P_ALL))
        far.settimeout(10)
        _, after = plane.deliver(hook, WIRE_MAC + GATEWAY_MAC + ETHERTYPES[case.version] + case.packet)
        said = [f"{'server' if after[:6] == real_mac(NUMBERS[case.narrow]) else 'client'} {after[14:].hex()}"]
        if case.version == 4 and said[0].startswith("server") and after[20] & 0x1F | after[21]:
            # a later piece: of those before it clones were sent
            first = next(heard for heard in iter(lambda: far.recv(2000), b"") if heard[:6] == after[:6])
            said.insert(0, f"server {first[14:].hex()}")
    return " and ".join(said)


@pytest.mark.root
@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_packets_and_answers_are_what_ipvs_sends(narrow_world: tuple[str, DataPlane], hook: str) -> None:
    name, plane = narrow_world
    ipvs = recorded()
    with namespaces.inside(name):
        for case in cases():
            ours, theirs = (comparable(said) for said in (answer(plane, case, hook), ipvs[case.name]))
            assert (case.name, ours) == (case.name, theirs)


@pytest.mark.root
@pytest.mark.parametrize("narrow", NUMBERS)
def test_xdp_itself_sends_what_fits_where_the_way_out_takes_frames(
    narrow_world: tuple[str, DataPlane], narrow: str
) -> None:
    name, plane = narrow_world
    with namespaces.inside(name):
        arm = plane.ifindex["arm"] % layout.MAX_DEVICES * layout.DEVICE.size
        layout.DEVICE.pack_into(plane.maps.devices.bytes, arm, flags=layout.DEVICE_REDIRECT)
        try:
            fits, too_big, *_ = (
                case for case in cases() if case.narrow == narrow and case.version == 4 and not case.masqueraded
            )
            answer(plane, fits, "xdp")
            macs = WIRE_MAC + GATEWAY_MAC + ETHERTYPES[4]
            assert plane.verdict_of(plane.xdp, macs + fits.packet)[0] == "forwarded"
            assert plane.verdict_of(plane.xdp, macs + too_big.packet)[0] == "handed_up"
        finally:
            layout.DEVICE.pack_into(plane.maps.devices.bytes, arm, flags=0)


def test_every_case_is_recorded() -> None:
    assert list(recorded()) == [case.name for case in cases()]


@pytest.mark.uml
def test_ipvs_still_does_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    written, console = machine.boot(HERE / "mtu_guest.py")
    assert "transcript.txt" in written, console
    lines = (line.partition(": ") for line in written["transcript.txt"].splitlines())
    again = {case: said for case, _, said in lines}
    for case in cases():
        assert comparable(again[case.name]) == comparable(recorded()[case.name])
