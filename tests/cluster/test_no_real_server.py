"""A service nobody can serve is refused at once; clients on odd hosts are served as IPVS serves them."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter

import pytest
from hosts import VIP, VIP6, Cluster, service
from traffic import Server, ask, ask_udp, open_socket, serve
from wire import watching

pytestmark = pytest.mark.root
FAMILIES = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])


def empty(cluster: Cluster, hook: str = "auto") -> None:
    cluster["director"].up("--hook", hook)
    cluster["director"].restore(service(servers=()))


@FAMILIES
def test_without_a_real_server_a_client_is_refused_at_once(one: Cluster, vip: str) -> None:
    empty(one)
    with watching((one["client"], "eth0")) as (seen,):
        with pytest.raises(ConnectionRefusedError):
            ask(one["client"], vip)
        with pytest.raises(ConnectionRefusedError):
            ask_udp(one["client"], vip)
        asked = Counter(frame.protocol for frame in seen.frames(vip) if frame.sent)
    # Over IPv6 Linux's client overlooks an answer that comes while it is still in connect(), and tries again after 1 s.
    assert asked[17] == 1
    assert asked[6] in ((1,) if vip == VIP else (1, 2))
    url = f"http://[{vip}]/" if ":" in vip else f"http://{vip}/"
    done = one["client"].run("curl", "-sS", "-m", "5", url, check=False)
    assert done.returncode == 7
    assert "refused" in done.stderr or "connect" in done.stderr
    assert one["director"].verdicts()["no_server"] >= 3


@FAMILIES
def test_all_weights_zero_is_refused_too_and_a_new_weight_ends_it(one: Cluster, vip: str) -> None:
    serve(one)
    empty(one)
    director = one["director"]
    service_, server = (f"[{vip}]:80", "[fd00::11]:80") if ":" in vip else (f"{vip}:80", "10.0.0.11:80")
    director.ipvsadm(f"-a -t {service_} -r {server} -g -w 0")
    with pytest.raises(ConnectionRefusedError):
        ask(one["client"], vip)
    director.ipvsadm(f"-e -t {service_} -r {server} -g -w 1")
    assert ask(one["client"], vip) == "rs1"


@FAMILIES
def test_the_refusal_is_a_correct_port_unreachable_that_quotes_what_was_sent(one: Cluster, vip: str) -> None:
    empty(one)
    with watching((one["client"], "eth0")) as (seen,), open_socket(one["client"], vip, socket.SOCK_DGRAM) as s:
        s.connect((vip, 80))
        s.send(b"x" * 801)
        with pytest.raises(ConnectionRefusedError):
            s.recv(1)
        [sent] = [f for f in seen.frames(vip) if f.sent]
        [answer] = [
            f
            for f in seen.frames()
            if f.source_address == vip and f.data[34 if vip == VIP else 54] in (1, 3) and not f.sent
        ]
    assert answer.to == one["client"].mac()
    assert answer.source == one["director"].mac()
    head = 34 if answer.version == 4 else 54
    assert answer.data[head : head + 2] == (b"\x03\x03" if answer.version == 4 else b"\x01\x04")
    quoted = answer.data[head + 8 :]
    assert len(quoted) >= 500
    upto = head + 6  # the checksum of the datagram is the sender's device's business, and comes later
    assert quoted[: upto - 14] == sent.data[14:upto]
    assert len(answer.data) - 14 == int.from_bytes(
        answer.data[16:18] if answer.version == 4 else answer.data[18:20], "big"
    ) + (0 if answer.version == 4 else 40)


def test_refusals_do_not_count_as_connections(one: Cluster) -> None:
    empty(one)
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            ask(one["client"])
    assert one["director"].status()["connections"]["used"] == 0
    assert one["director"].ipvsadm("-Lnc").splitlines()[2:] == []


def test_a_client_on_a_real_server_reaches_itself(one: Cluster) -> None:
    """It has the VIP on lo: its own packets never leave it, with or without a director."""
    serve(one)
    one["director"].up()
    one["director"].restore(service())
    for vip in (VIP, VIP6):
        assert [ask(one["rs1"], vip) for _ in range(3)] == ["rs1"] * 3


def test_the_directors_own_clients_meet_its_own_stack(one: Cluster) -> None:
    """Packets that never arrive by an interface do not meet the hook: only what listens locally answers."""
    serve(one)
    director = one["director"]
    director.up()
    director.restore(service())
    for vip in (VIP, VIP6):
        with pytest.raises(ConnectionRefusedError):
            ask(director, vip)
    Server(one, director)
    for vip in (VIP, VIP6):
        assert ask(director, vip) == "director"
        assert ask(one["client"], vip) in ("rs1", "rs2")


def test_refusals_are_rationed_and_the_director_lives_on(one: Cluster) -> None:
    """Thousands of datagrams nobody takes: some thousand answers a second at most, and other traffic goes on."""
    empty(one)
    with watching((one["switch"], "p-director")) as (seen,):
        payload = struct.pack("!HHHH", 5000, 80, 8 + 4, 0) + b"spam"
        with one["client"].entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            for _ in range(20000):
                raw.sendto(payload, (VIP, 0))
        time.sleep(0.1)
        asked = [f for f in seen.frames(VIP) if f.sent]
        answers = [f for f in seen.frames() if f.source_address == VIP and f.protocol == 1]
    print(f"\n{len(asked)} datagrams for a service without servers: {len(answers)} answers")
    assert 0 < len(answers) < len(asked)
    Server(one, one["director"], port=22, addresses=("10.0.0.1",))
    assert ask(one["client"], "10.0.0.1", 22) == "director"
