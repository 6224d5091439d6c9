"""The masquerading cluster at work, by each hook: nginx and curl, and what is not TCP to the VIP."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laboratory import COMMAND, inside, lab, until
from test_labs_for_real import without_virtual_services

from directrix.lab import state

pytestmark = pytest.mark.root

VIP, VIP6 = "192.0.2.100", "2001:db8::100"

ECHO = """
import socket, sys
with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
    print("ready", flush=True)
    while True:
        with listener.accept()[0] as s:
            while part := s.recv(1 << 16):
                s.sendall(part)
"""
"""What a real server sends back is what it got: so a client sees what became of both directions."""

EXCHANGE = """
import random, socket, sys, threading
sent = random.Random(7).randbytes(1 << 20)
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as s:
    def send():
        s.sendall(sent)
        s.shutdown(socket.SHUT_WR)
    threading.Thread(target=send, daemon=True).start()
    came = b"".join(iter(lambda: s.recv(1 << 16), b""))
print("the same" if came == sent else f"{len(came)} bytes, others")
"""

KEEP = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 20)
s.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
print(s.recv(4096).decode().splitlines()[-1], flush=True)
sys.stdin.readline()
"""

REFUSED = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((sys.argv[1], 5300))
s.send(b"x")
try:
    print(s.recv(9))
except OSError as error:
    print(error.strerror or "no answer")
"""

PING = """
import socket, sys
IPV4, IPV6 = (socket.AF_INET, socket.IPPROTO_ICMP, 8, 0), (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129)
family, protocol, request, reply = IPV6 if ":" in sys.argv[1] else IPV4
message = bytes([request, 0]) + bytes(2) + b"\\x13\\x37\\x00\\x01" + bytes(48)
if family == socket.AF_INET:
    total = sum(int.from_bytes(message[at:at + 2], "big") for at in range(0, len(message), 2))
    total = (total & 0xFFFF) + (total >> 16)
    message = message[:2] + (~(total + (total >> 16)) & 0xFFFF).to_bytes(2, "big") + message[4:]
s = socket.socket(family, socket.SOCK_RAW, protocol)
s.settimeout(10)
s.sendto(message, (sys.argv[1], 0))
while True:
    packet, (source, *_) = s.recvfrom(9000)
    heard = packet[20:] if family == socket.AF_INET else packet
    if heard[0] == reply and heard[4:8] == message[4:8]:
        print(source)
        break
"""


def offloads_off(name: str, host: str, *devices: str) -> None:
    """Have a host's kernel write checksums itself, and cut what is large, before packets leave."""
    for device in devices:
        inside(name, host, "ethtool", "-K", device, "tx", "off")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("tc", marks=pytest.mark.slow),  # which tests/cluster looks at
        "xdp-generic",
    ],
)
def nat(request: pytest.FixtureRequest) -> Iterator[str]:
    """The lab with one of the hooks, for all tests that take it.

    Under tc hosts send large packets without checksums; those are written, and looked at, behind the director. Under
    XDP every packet comes as on a wire.
    """
    name = f"nat-{os.getpid()}"
    try:
        assert lab("up", "nat", "--name", name).returncode == 0
        offloads_off(name, "director", "front", "back")
        if request.param != "tc":
            for host in ("client", "rs1", "rs2"):
                offloads_off(name, host, "eth0")
        both = ("--interface", "front", "--interface", "back")
        inside(name, "director", "directrix", "up", "-q", *both, "--hook", request.param)
        status = json.loads(inside(name, "director", "directrix", "status", "--json"))
        assert {each["hook"] for each in status["interfaces"]} == {request.param}
        yield name
    finally:
        lab("down", name)


def python(name: str, host: str, program: str, *words: str) -> str:
    return inside(name, host, "python3", "-c", program, *words).strip()


def connections(name: str) -> list[list[str]]:
    """The lines of the connection list: protocol, time, state, source, virtual, destination."""
    return [line.split() for line in inside(name, "director", "directrix", "ipvsadm", "-Lcn").splitlines()[2:]]


def verdicts(name: str) -> dict[str, int]:
    told = json.loads(inside(name, "director", "directrix", "status", "--json"))["verdicts"]
    return {verdict: each["packets"] for verdict, each in told.items() if each["packets"]}


def test_connections_go_both_ways_with_their_port_mapped(nat: str) -> None:
    for vip in (VIP, f"[{VIP6}]"):
        answers = [inside(nat, "client", "curl", "-s", "-m", "10", f"http://{vip}/").strip() for _ in range(4)]
        assert Counter(answers) == {"rs1": 2, "rs2": 2}
    words = ("curl", "-s", "-m", "30", "-r", "0-20000000", "-o", "/dev/null", "-w", "%{size_download}")
    assert inside(nat, "client", *words, f"http://{VIP}/large") == "20000001"
    over = {(line[2], line[4]) for line in connections(nat)}
    assert {("TIME_WAIT", f"{VIP}:80"), ("TIME_WAIT", f"[{VIP6}]:80")} <= over
    rules = [f"-a -t {vip}:9 -r {rip}:9000 -m" for vip, rip in ((VIP, "10.0.2.11"), (f"[{VIP6}]", "[fd00:2::11]"))]
    rules[:0] = [f"-A -t {vip}:9 -s rr" for vip in (VIP, f"[{VIP6}]")]
    for rule in rules:
        inside(nat, "director", "directrix", "ipvsadm", *rule.split())
    listen = [*COMMAND, "exec", "--lab", nat, "rs1", "python3", "-c", ECHO, "9000"]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        try:
            for vip in (VIP, VIP6):
                assert python(nat, "client", EXCHANGE, vip, "9") == "the same"
        finally:
            server.kill()

    def counted() -> bool:
        stats = inside(nat, "director", "directrix", "ipvsadm", "-Ln", "--stats", "--exact", "-t", f"{VIP}:9")
        found = re.search(rf"^TCP +{VIP}:9 +1 +\d+ +\d+ +(\d+) +(\d+)$", stats, re.MULTILINE)
        return found is not None and all(int(size) > 1 << 20 for size in found.groups())

    until("the megabyte is counted in both directions", counted)
    assert not {"malformed", "no_route", "busy", "table_full"} & set(verdicts(nat))


def test_a_connection_is_established_by_both_sides_and_over_with_the_first_fin(nat: str) -> None:
    keep = [*COMMAND, "exec", "--lab", nat, "client", "python3", "-c", KEEP, VIP]
    with subprocess.Popen(keep, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        server = client.stdout.readline().strip()
        [line] = [line for line in connections(nat) if line[2] == "ESTABLISHED"]
        assert line[4:] == [f"{VIP}:80", f"10.0.2.1{server[-1]}:8080"]
        assert line[1].startswith(("14:", "15:"))
        client.communicate("\n")
    until(
        "both sides have ended it",
        lambda: [each[2] for each in connections(nat) if each[3] == line[3]] == ["TIME_WAIT"],
    )


def test_what_is_not_of_the_service_goes_as_through_any_router(nat: str) -> None:
    before = {line[3] for line in connections(nat)}
    for rip in ("10.0.2.11", "[fd00:2::11]"):
        assert inside(nat, "client", "curl", "-s", "-m", "10", f"http://{rip}:8080/") == "rs1\n"
    listen = [*COMMAND, "exec", "--lab", nat, "client", "python3", "-c", ECHO, "7777"]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdout
        assert outside.stdout.readline() == "ready\n"
        try:
            for address in ("192.0.2.10", "2001:db8::10"):
                assert python(nat, "rs1", EXCHANGE, address, "7777") == "the same"
        finally:
            outside.kill()
    for address in (VIP, VIP6, "10.0.2.11", "fd00:2::11"):
        assert python(nat, "client", PING, address) == address
    assert python(nat, "rs1", PING, "192.0.2.10") == "192.0.2.10"
    assert {line[3] for line in connections(nat)} <= before


SEEN = """
import socket
with socket.create_server(("", 7777)) as listener:
    print("ready", flush=True)
    with listener.accept()[0] as s:
        print(s.getpeername()[0], flush=True)
"""

CONNECT = "import socket; socket.create_connection(('192.0.2.10', 7777), 10).close()"


def test_rules_for_what_real_servers_send_themselves_leave_the_service_alone(name: str) -> None:
    lab("up", "nat", "--name", name)
    outgoing = 'ip saddr 10.0.2.0/24 oifname "front" masquerade'
    chain = f"chain postrouting {{ type nat hook postrouting priority srcnat; {outgoing}; }}"
    inside(name, "director", "nft", f"table ip outgoing {{ {chain}; }}")
    listen = [*COMMAND, "exec", "--lab", name, "client", "python3", "-c", SEEN]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdout
        assert outside.stdout.readline() == "ready\n"
        try:
            python(name, "rs1", CONNECT)
            assert outside.stdout.readline() == "192.0.2.1\n"
        finally:
            outside.kill()
    answers = [inside(name, "client", "curl", "-s", "-m", "10", f"http://{VIP}/").strip() for _ in range(2)]
    assert sorted(answers) == ["rs1", "rs2"]


def test_a_real_servers_port_unreachable_reaches_the_client_in_the_name_of_the_service(nat: str) -> None:
    for vip, rip in ((VIP, "10.0.2.11"), (f"[{VIP6}]", "[fd00:2::11]")):
        for rule in (f"-A -u {vip}:5300 -s rr", f"-a -u {vip}:5300 -r {rip}:53 -m"):
            inside(nat, "director", "directrix", "ipvsadm", *rule.split())
        # A socket that is connected hears errors about its own packets alone, from whom it sent them to.
        assert python(nat, "client", REFUSED, vip.strip("[]")) == "Connection refused"


KEEPALIVED = """
keepalived = '''
virtual_server 192.0.2.100 80 {
    delay_loop 0.2
    lvs_sched rr
    protocol TCP
    real_server 10.0.2.11 8080 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
    real_server 10.0.2.12 8080 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
'''
"""
"""Without a word on how packets are forwarded: by NAT, then."""


def test_a_daemon_masquerades_by_default_and_takes_out_who_fails(name: str, tmp_path: Path) -> None:
    lines = without_virtual_services(lab("show", "nat").stdout.splitlines())
    text = "\n".join(lines).replace("[hosts.client]", f"{KEEPALIVED}\n[hosts.client]")
    file = tmp_path / "nat.toml"
    file.write_text(text.replace('role = "director"', f'role = "director"\nvips = ["{VIP}", "{VIP6}"]'))
    done = lab("up", str(file), "--name", name)
    assert (done.returncode, done.stderr) == (0, "")

    def answering() -> set[str]:
        command = ("curl", "-s", "-m", "2", f"http://{VIP}/")
        return {lab("exec", "--lab", name, "client", *command).stdout.strip() for _ in range(2)}

    until("both are in", lambda: answering() == {"rs1", "rs2"}, 30)
    listed = inside(name, "director", "directrix", "ipvsadm", "-Ln")
    assert re.findall(r"-> (\S+) +Masq +1", listed) == ["10.0.2.11:8080", "10.0.2.12:8080"]
    inside(name, "rs1", "sh", "-c", f"kill $(cat {state.directory(name)}/rs1/nginx.pid)")
    until("rs1 is out", lambda: answering() == {"rs2"}, 30)


def test_requests_and_replies_are_explained_and_traced(name: str) -> None:
    lab("up", "nat", "--name", name)
    trace = [*COMMAND, "exec", "--lab", name, "director", "directrix", "trace", "verdict", "replied", "-c", "1"]
    with subprocess.Popen(trace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stdout
        assert tracing.stderr
        assert tracing.stderr.readline() == "tracing; Ctrl-C ends it\n"
        port = "4567"
        server = inside(name, "client", "curl", "-s", "-m", "10", "--local-port", port, f"http://{VIP}/").strip()
        real = f"10.0.2.1{server[-1]}:8080"
        line = tracing.stdout.readline()
        tracing.communicate()
    assert f"replied       back TCP {real} > 192.0.2.10:{port} S. 60 bytes as TCP {VIP}:80, SYN_RECV" in line

    def explained(*words: str) -> Any:
        return json.loads(inside(name, "director", "directrix", "explain", "tcp", *words, "--flags", "ACK", "--json"))

    until("it is over", lambda: [line[2] for line in connections(name)] == ["TIME_WAIT"])
    request = explained(f"192.0.2.10:{port}", f"{VIP}:80")
    assert (request["verdict"], request["rewritten"]) == ("forwarded", real)
    reply = explained(real, f"192.0.2.10:{port}")
    assert (reply["verdict"], reply["rewritten"], reply["server"]) == ("replied", f"{VIP}:80", real)
    assert reply["next_hop"]["interface"] == "front"
