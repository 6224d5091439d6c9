"""Packets of a trace as lines, as JSON, and as a capture that others read."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP  # type: ignore[import-untyped]
from scapy.layers.l2 import Ether  # type: ignore[import-untyped]
from scapy.utils import RawPcapNgReader, rdpcap  # type: ignore[import-untyped]

from directrix.lvs import Protocol, ServiceKey
from directrix.lvs.tcp import TcpFlags
from directrix.table.trace import Traced
from directrix.trace import lines, pcapng

_MACS = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:fe")
FRAME = bytes(_MACS / IP(src="192.0.2.9", dst="10.0.0.1") / TCP(dport=80))
SYN = Traced(
    time=1_700_000_000_123_456_789,
    verdict="forwarded",
    hook="xdp",
    interface="eth0",
    protocol=6,
    source=ip_address("192.0.2.9"),
    source_port=1024,
    target=ip_address("10.0.0.1"),
    target_port=80,
    tcp_flags=TcpFlags.SYN,
    length=40,
    service=ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80),
    server=(ip_address("10.0.0.11"), 80),
    after="SYN_RECV",
    expires=60.2,
    new=True,
    out="eth1",
    frame=FRAME,
    frame_length=len(FRAME),
)
ACK = replace(SYN, tcp_flags=TcpFlags.ACK, before="SYN_RECV", after="ESTABLISHED", expires=900.0, new=False)
FLOODED = replace(SYN, after="")
REPLY = replace(
    ACK,
    verdict="replied",
    interface="eth1",
    source=ip_address("10.0.0.11"),
    source_port=8080,
    target=ip_address("192.0.2.9"),
    target_port=1024,
    server=(ip_address("10.0.0.11"), 8080),
    out="",
)
REFUSED = replace(SYN, verdict="no_server", server=None, after="", new=False, out="")


def told(packet: Traced) -> str:
    """The line without its time, which depends on where we are."""
    return lines.line(packet).split(" ", 1)[1]


def test_a_line_says_verdict_packet_real_server_and_connection() -> None:
    head = "forwarded     eth0 TCP 192.0.2.9:1024 > 10.0.0.1:80"
    assert told(SYN) == f"{head} S 40 bytes -> 10.0.0.11:80 by eth1, new SYN_RECV 60 s"
    assert told(ACK) == f"{head} . 40 bytes -> 10.0.0.11:80 by eth1, SYN_RECV>ESTABLISHED 900 s"
    assert told(FLOODED) == f"{head} S 40 bytes -> 10.0.0.11:80 by eth1, without an entry: under flood"
    flow = "eth1 TCP 10.0.0.11:8080 > 192.0.2.9:1024 . 40 bytes"
    assert told(REPLY) == f"replied       {flow} as TCP 10.0.0.1:80, SYN_RECV>ESTABLISHED 900 s"
    assert lines.line(SYN).split(" ")[0].endswith(":20.123456")


def test_a_packet_without_a_real_server_shows_its_service() -> None:
    assert told(REFUSED).startswith("no_server     eth0 TCP")
    assert told(REFUSED).endswith("S 40 bytes (service TCP 10.0.0.1:80)")
    assert told(replace(REFUSED, service=None)).endswith("S 40 bytes")


def test_marks_templates_single_datagrams_and_what_is_no_ip_have_their_words() -> None:
    marked = replace(SYN, service=ServiceKey.mark(7), by_template=True)
    assert told(marked).endswith("-> 10.0.0.11:80 by eth1 (FWM 7), new SYN_RECV 60 s, by its template")
    datagram = replace(SYN, protocol=17, tcp_flags=TcpFlags.NONE, after="", expires=0.0)
    assert told(datagram).endswith("UDP 192.0.2.9:1024 > 10.0.0.1:80 40 bytes -> 10.0.0.11:80 by eth1, one packet")
    arp = replace(REFUSED, verdict="not_ours", protocol=0, source=None, target=None, service=None)
    assert told(arp) == f"not_ours      eth0 no IP, {len(FRAME)} bytes"
    icmp = replace(REFUSED, protocol=1, service=None, tcp_flags=TcpFlags.NONE)
    assert told(icmp) == "no_server     eth0 protocol 1 192.0.2.9 > 10.0.0.1 40 bytes"


def test_json_has_the_same_and_the_frame() -> None:
    plain = json.loads(json.dumps(lines.as_json(ACK)))
    assert plain["server"] == "10.0.0.11:80"
    assert plain["connection"] == {
        "new": False,
        "before": "SYN_RECV",
        "after": "ESTABLISHED",
        "expires": 900.0,
        "by_template": False,
    }
    assert bytes.fromhex(plain["frame"]) == FRAME
    assert json.loads(json.dumps(lines.as_json(REFUSED)))["server"] is None


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture of three packets from two interfaces, one of them without Ethernet."""
    made = pcapng.Capture(96)
    raw = replace(ACK, interface="wg0", raw=True, frame=FRAME[14:], frame_length=len(FRAME) - 14)
    blocks = [pcapng.header("directrix"), *map(made.packet, (SYN, REFUSED, raw))]
    file = tmp_path / "capture.pcapng"
    file.write_bytes(b"".join(blocks))
    return file


def test_a_capture_can_be_read_with_its_times(capture: Path) -> None:
    packets = rdpcap(str(capture))
    assert [bytes(packet) for packet in packets] == [FRAME, FRAME, FRAME[14:]]
    assert abs(float(packets[0].time) - 1_700_000_000.123456789) < 1e-6
    links = [meta.linktype for _, meta in RawPcapNgReader(str(capture))]
    assert links == [1, 1, 101]


def test_a_packets_comment_tells_what_became_of_it(capture: Path) -> None:
    assert b"forwarded -> 10.0.0.11:80 by eth1, new SYN_RECV 60 s" in capture.read_bytes()
    assert b"no_server (service TCP 10.0.0.1:80)" in capture.read_bytes()


def test_a_frame_cut_short_says_how_long_it_was(tmp_path: Path) -> None:
    made = pcapng.Capture(20)
    file = tmp_path / "short.pcapng"
    file.write_bytes(pcapng.header("directrix") + made.packet(replace(SYN, frame=FRAME[:20])))
    [(data, meta)] = list(RawPcapNgReader(str(file)))
    assert (len(data), meta.wirelen) == (20, len(FRAME))


def test_tcpdump_reads_it(capture: Path) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    # one kind of link layer a file is all that tcpdump takes
    made = pcapng.Capture(96)
    capture.write_bytes(pcapng.header("directrix") + made.packet(SYN) + made.packet(ACK))
    run = subprocess.run(["tcpdump", "-n", "-r", str(capture)], capture_output=True, text=True, check=True)
    assert run.stdout.count("192.0.2.9.20 > 10.0.0.1.80") == 2
