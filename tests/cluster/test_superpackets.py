"""Packets of up to 64 KB, as GSO and GRO make them, whose checksums and cuts are left for later, through tc.

Direct routing shows the director what clients send, so the load is uploads.
"""

from __future__ import annotations

import hashlib
import random
import socket
import struct
from collections.abc import Callable

import pytest
from hosts import VIP, VIP6, Cluster, Host, one_armed, service, two_armed, until
from traffic import connect, open_socket, serve

pytestmark = pytest.mark.root

SOL_UDP, UDP_SEGMENT, SO_RCVBUFFORCE = 17, 103, 33
SEGMENT = 1400
SEGMENTS = 44
"""What a super-packet of UDP is cut into."""
MEGABYTES = 100
_BLOCK = random.Random(3).randbytes(1 << 20)


def lost(s: socket.socket) -> int:
    """Segments sent again because the first did not arrive.

    Of Linux's struct tcp_info: tcpi_total_retrans less tcpi_dsack_dups. On a busy machine a sender also sends
    again what is only late to be acknowledged; the receiver then says that it has it twice.
    """
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 220)
    return int(struct.unpack_from("=I", info, 100)[0] - struct.unpack_from("=I", info, 216)[0])


def put(host: Host, megabytes: int, address: str) -> bool:
    """Send so much over one connection: did it arrive right, every segment at its first sending?"""
    digest = hashlib.sha256()
    with connect(host, address) as s:
        s.sendall(f"put {megabytes << 20}\n".encode())
        for number in range(megabytes):
            block = number.to_bytes(8, "big") + _BLOCK[8:]
            digest.update(block)
            s.sendall(block)
        right = s.recv(64).decode() == digest.hexdigest()
        until("the sender knows that nothing was lost", lambda: lost(s) <= 0, 2)
        return right


def bytes_a_packet(director: Host, address: str, sent: int) -> float:
    """On the average, of a service that was sent so many bytes; counted by packets as they come by the director."""
    counted = [0, 0]

    def taken_down() -> bool:
        at = f"[{address}]:80" if ":" in address else f"{address}:80"
        for line in director.ipvsadm(f"-Ln -t {at} --stats --exact").splitlines():
            if at in line:
                _, packets, _, octets, *_ = line.split()[2:]
                counted[:] = int(packets), int(octets)
        return counted[1] >= sent

    until("the estimator has taken them down", taken_down)
    return counted[1] / counted[0]


@pytest.mark.parametrize(
    "build",
    [pytest.param(one_armed, marks=pytest.mark.slow), two_armed],
    ids=["one interface", "in by one, out by another"],
)
def test_tcp_arrives_whole_and_nothing_is_lost(cluster: Cluster, build: Callable[[Cluster], Cluster]) -> None:
    build(cluster)
    serve(cluster)
    director = cluster["director"]
    director.up()
    director.restore(service(net="0" if build is one_armed else "2"))
    for address in (VIP, VIP6):
        assert put(cluster["client"], MEGABYTES, address)
        assert bytes_a_packet(director, address, MEGABYTES << 20) > 4000, "no super-packets came by"


@pytest.mark.parametrize("address", [VIP, pytest.param(VIP6, marks=pytest.mark.slow)])
def test_a_super_packet_of_udp_is_cut_into_its_datagrams_behind_the_director(one: Cluster, address: str) -> None:
    director, server = one["director"], one["rs1"]
    director.up()
    director.restore(service(servers=(1,)))
    with open_socket(server, address, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        receiver.bind((address, 80))
        with open_socket(one["client"], address, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
            sender.connect((address, 80))
            for turn in range(200):
                sent = b"".join(
                    struct.pack(">I", turn * SEGMENTS + n) + _BLOCK[n : n + SEGMENT - 4] for n in range(SEGMENTS)
                )
                assert sender.send(sent) == len(sent)
                got = [receiver.recv(65536) for _ in range(SEGMENTS)]
                assert b"".join(got) == sent
                assert {len(datagram) for datagram in got} == {SEGMENT}
    assert sum(director.verdicts().values()) >= 200
    assert director.verdicts()["forwarded"] < 2 * 200, "they came by as single datagrams"
