"""The programs with eyes: they do what the plain ones do, and tell of the packets that are asked for."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_plane import (
    DNS,
    HTTP,
    HTTP6,
    VIP,
    VIP6,
    XDP_REDIRECT,
    XDP_TX,
    DataPlane,
    Runner,
    XdpRunner,
    service,
)
from frames import ACK, CLIENT, CLIENT6, FIN, SYN, TCP, UDP, ethernet, ipv4, packet
from mark_contract import a_match
from test_layout import HEADERS, Btf

from directrix.lvs import MarkRule, ServiceKey
from directrix.table.trace import MOST_NETWORKS, MOST_SNAP, Filter, Traced
from directrix.table.xdp import libbpf, loader, trace_layout
from directrix.table.xdp.maps import Shared
from directrix.table.xdp.trace_layout import EVENT, FILTER, NETWORK, STATE, filter_bytes
from directrix.table.xdp.tracing import Tracer
from directrix.trace.words import read_filter

pytestmark = pytest.mark.root
TRACE_OBJECT = Path(loader.TRACE_OBJECT)


def test_filter_state_and_event_are_laid_out_as_in_c() -> None:
    btf = Btf(TRACE_OBJECT)
    for record in (FILTER, STATE, EVENT):
        fields = btf.fields(record.name)
        assert {name: offset for name, (offset, _) in fields.items()} == record.offsets
        assert {name: size for name, (_, size) in fields.items()} == {
            name: struct.calcsize("=" + form) for name, form in record.formats.items()
        }
        assert btf.size(btf.named(record.name, "STRUCT")["id"]) == record.size
    text = (HEADERS / "trace.h").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"^#define (TRACE_\w+)\s+(\d+)\b", text, re.M)}
    assert (numbers["TRACE_NETWORKS"], numbers["TRACE_SNAP"]) == (MOST_NETWORKS, MOST_SNAP)
    assert FILTER.offsets["service"] == MOST_NETWORKS * NETWORK.size
    hooks = re.search(r"enum trace_hook \{ (.*) \}", text)
    assert hooks is not None
    assert [name.removeprefix("TRACE_").lower() for name in hooks[1].split(", ")] == ["xdp", "tc", "tc_behind", "tc_ip"]
    assert len(trace_layout.HOOKS) == 4


class Eyes:
    """The programs with eyes over the plane's table, run without being attached, and what they told."""

    def __init__(self, plane: DataPlane, programs: libbpf.Object) -> None:
        self.plane = plane
        self.filter = Shared(programs.map_fd(".data.trace_filter"), FILTER.size)
        plane.place.write_record({**plane.place.read_record(), "trace": "test"})
        self.tracer = Tracer(plane.place, programs, "test")
        wire = plane.ifindex["wire"]
        skb = bytearray(192)
        struct.pack_into("=II", skb, 36, wire, wire)
        self.xdp = XdpRunner(programs.program("directrix_xdp"), wire)
        self.tc = Runner(programs.program("directrix_tc"), bytes(skb))
        self.behind = Runner(programs.program("directrix_tc_behind"), bytes(skb))

    def look(self, words: str = "", *, rate: int = 100_000, snap: int = 96, wanted: Filter | None = None) -> None:
        """Look for these packets from now on."""
        wanted = read_filter([words]) if wanted is None else wanted
        self.filter.bytes[: FILTER.size] = filter_bytes(wanted, rate, snap)
        STATE.pack_into(self.tracer._state.bytes, 0, full=0)  # the bucket of tokens is full
        self.tracer.stay_awake()
        self.told()

    def send(self, hook: str, frame: bytes) -> tuple[int, bytes]:
        """Run the program at a hook over a frame, and what takes on what it hands up."""
        self.plane.keep_hops()
        result, after = {"xdp": self.xdp, "tc": self.tc}[hook](frame)
        if (hook, result) == ("xdp", XDP_REDIRECT) and after == self.plane.handed_up(frame):
            return self.behind(after)
        return result, after

    def told(self) -> list[Traced]:
        """What was told since the last time."""
        return self.tracer.poll(0)


@pytest.fixture(scope="module")
def _programs(_world: tuple[str, DataPlane]) -> Iterator[libbpf.Object]:
    from directrix.system import namespaces

    name, plane = _world
    hooks = frozenset({"directrix_xdp", "directrix_tc", "directrix_tc_behind"})
    with namespaces.inside(name), loader.traced(plane.place, filter_bytes(Filter(), 1, 0), hooks) as programs:
        yield programs


@pytest.fixture
def eyes(plane: DataPlane, _programs: libbpf.Object) -> Iterator[Eyes]:
    made = Eyes(plane, _programs)
    made.look()
    yield made
    made.tracer.close()


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_a_connections_life_is_told(plane: DataPlane, eyes: Eyes, hook: str) -> None:
    plane.serve(HTTP, 1)
    for flags in (SYN, ACK, FIN | ACK):
        eyes.send(hook, packet(TCP, VIP, 80, 1024, flags))
    syn, ack, fin = eyes.told()
    assert (syn.verdict, syn.new, syn.before, syn.after) == ("forwarded", True, "", "SYN_RECV")
    assert (ack.verdict, ack.new, ack.before, ack.after) == ("forwarded", False, "SYN_RECV", "ESTABLISHED")
    assert (fin.before, fin.after) == ("ESTABLISHED", "FIN_WAIT")
    assert {(p.source, p.source_port, p.target, p.target_port) for p in (syn, ack, fin)} == {(CLIENT, 1024, VIP, 80)}
    assert {p.service for p in (syn, ack, fin)} == {HTTP}
    assert {p.server for p in (syn, ack, fin)} == {(plane.real_server(HTTP, 1).address, 80)}
    assert {(p.interface, p.out, p.hook) for p in (syn, ack, fin)} == {("wire", "wire", hook)}
    assert (syn.length, syn.tcp_flags, round(syn.expires), round(ack.expires)) == (40, SYN, 60, 900)
    assert abs(syn.time - time.time_ns()) < 10**10


def test_the_programs_with_eyes_do_what_the_plain_ones_do(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1, 1)
    plane.serve(HTTP6, 1)
    plane.serve(DNS)
    frames = [packet(TCP, VIP, 80, 1024 + n, flags) for n in range(3) for flags in (SYN, ACK)]
    frames += [packet(TCP, VIP6, 80), packet(UDP, VIP, 53), packet(TCP, VIP, 81), packet(TCP, VIP, 80, 20)]
    with_eyes = [eyes.send("xdp", frame) for frame in frames]
    seen = [p.verdict for p in eyes.told()]
    counted = plane.verdicts()
    plane.reset()
    plane.serve(HTTP, 1, 1)
    plane.serve(HTTP6, 1)
    plane.serve(DNS)
    for frame, (result, after) in zip(frames, with_eyes, strict=True):
        verdict, plain = plane.deliver("xdp", frame)
        assert (plain == after) or verdict == "no_server"
        assert verdict in ("not_ours", "no_connection", "no_server") or result in (XDP_TX, 7)
    assert plane.verdicts() == counted
    assert seen == ["forwarded"] * 7 + ["no_server", "no_connection"]


def test_what_xdp_hands_up_is_told_once_and_as_new(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    plane.table.look_up_hops()
    frame = packet(TCP, VIP, 80)
    for number in plane.numbers():
        plane.set_hop(number, asked=plane.tick() - plane.maps.parameter("hop_ticks") & 0xFFFFFFFF)
    result, after = eyes.xdp(frame)
    assert (result, after) == (XDP_REDIRECT, plane.handed_up(frame))
    assert eyes.told() == []
    eyes.behind(after)
    [told] = eyes.told()
    assert (told.verdict, told.hook, told.new, told.after) == ("forwarded", "tc behind xdp", True, "SYN_RECV")
    assert (told.interface, told.frame) == ("wire", frame)


def test_the_frame_is_told_as_it_came_and_no_more_of_it_than_asked(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    frame = packet(TCP, VIP, 80) + bytes(range(200))
    for hook in ("xdp", "tc"):
        for snap, wanted in ((0, b""), (20, frame[:20]), (MOST_SNAP, frame)):
            eyes.look(snap=snap)
            eyes.send(hook, frame)
            [told] = eyes.told()
            assert (told.frame, told.frame_length) == (wanted, len(frame))


FILTERS: list[tuple[str, list[str]]] = [
    ("", ["http", "refused", "six", "dns", "marked"]),
    ("tcp", ["http", "refused", "six", "marked"]),
    ("udp", ["dns"]),
    ("host 192.0.2.10", ["http", "refused", "dns", "marked", "other port"]),
    ("host 10.0.0.1 tcp port 81", ["other port"]),
    ("net 2001:db8::/32", ["six"]),
    ("net 192.0.2.0/24 net 10.0.0.0/8 port 53", ["dns"]),
    ("net 192.0.2.128/25", []),
    ("service 10.0.0.1:80", ["http"]),
    ("service 10.0.0.1:80 udp", []),
    ("service 10.0.0.1:82", ["refused"]),
    ("service [fd00::1]:80", ["six"]),
    ("mark 7", ["marked"]),
    ("server 10.0.0.12", ["dns", "marked"]),
    ("server 10.0.0.12:53", ["dns"]),
    ("server fd00::11", ["six"]),
    ("verdict no_server", ["refused"]),
    ("verdict not_ours,no_server", ["refused", "other port"]),
    ("new", ["http", "six", "dns", "marked"]),
]


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_every_word_of_a_filter_picks_its_packets(plane: DataPlane, eyes: Eyes, hook: str) -> None:
    mark, empty = ServiceKey.mark(7), ServiceKey.of(HTTP.protocol, VIP, 82)  # type: ignore[arg-type]
    frames = {
        "http": packet(TCP, VIP, 80),
        "refused": packet(TCP, VIP, 82),
        "six": packet(TCP, VIP6, 80),
        "dns": packet(UDP, VIP, 53),
        "marked": packet(TCP, VIP, 8080),
        "other port": packet(TCP, VIP, 81),
    }
    for words, wanted in FILTERS:
        plane.reset()
        plane.serve(HTTP, 1)
        plane.serve(HTTP6, 1)
        plane.serve(empty)
        plane.table.add_service(service(DNS))
        plane.add(DNS, 2)
        plane.table.add_service(service(mark))
        plane.add(mark, 2)
        plane.table.add_mark(MarkRule(a_match(str(VIP), first=8080), 7))
        eyes.look(words)
        for frame in frames.values():
            eyes.send(hook, frame)
        names = {frame: name for name, frame in frames.items()}
        # only a frame's head is what it was where an answer was made of it
        found = [names[told.frame] for told in eyes.told()]
        assert found == wanted, words


def test_whoever_is_known_already_is_not_new(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1, one_packet=True)
    eyes.look("new")
    for flags in (SYN, SYN, ACK):
        eyes.send("tc", packet(TCP, VIP, 80, 1024, flags))
    for _ in range(2):
        eyes.send("tc", packet(UDP, VIP, 53))
    told = eyes.told()
    assert [(p.target_port, p.after) for p in told] == [(80, "SYN_RECV"), (53, ""), (53, "")]
    plane.set_field(plane.slot(1024), status=5)
    eyes.send("tc", packet(TCP, VIP, 80, 1024))
    [again] = eyes.told()
    assert (again.new, again.before, again.after) == (True, "TIME_WAIT", "SYN_RECV")


def test_fragments_other_protocols_and_stumps_are_told_as_far_as_they_can_be_read(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    eyes.look("verdict forwarded,later_fragment,not_ours,malformed,no_connection")
    segment = packet(TCP, VIP, 80)[34:]
    eyes.send("tc", ethernet(ipv4(segment, TCP, CLIENT, VIP, fragment=0x2000), 4))
    eyes.send("tc", ethernet(ipv4(bytes(40), TCP, CLIENT, VIP, fragment=3), 4))
    eyes.send("tc", ethernet(ipv4(b"\x08\x00" + bytes(20), 1, CLIENT, VIP), 4))
    eyes.send("tc", bytes.fromhex("ffffffffffff0200000000fe0806") + bytes(46))
    eyes.send("tc", packet(TCP, VIP, 80)[:40])
    first, later, icmp, arp, stump = eyes.told()
    assert (first.verdict, first.target_port) == ("forwarded", 80)
    assert first.server is not None
    assert (later.verdict, later.target, later.server) == ("later_fragment", VIP, first.server)
    assert (icmp.verdict, icmp.protocol, icmp.source) == ("not_ours", 1, CLIENT)
    assert (arp.verdict, arp.protocol, arp.source) == ("not_ours", 0, None)
    assert (stump.target, stump.target_port) == (VIP, 80)


def test_no_more_than_the_rate_is_told_and_the_rest_is_counted(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    eyes.look("", rate=10)
    before = eyes.tracer.skipped
    for _ in range(50):
        eyes.send("xdp", packet(TCP, VIP, 80))
    told = len(eyes.told())
    assert 1 <= told < 50
    assert eyes.tracer.skipped - before == 50 - told


def test_what_finds_no_room_is_lost_and_counted(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    eyes.look("", snap=MOST_SNAP)
    frame = packet(TCP, VIP, 80) + bytes(1000)
    before, skipped, sent = eyes.tracer.lost, eyes.tracer.skipped, 5000
    for number in range(sent):
        if number % 100 == 0:
            plane.keep_hops()
            eyes.tracer.stay_awake()
        eyes.xdp(frame)
    told = len(eyes.told())
    lost = eyes.tracer.lost - before
    assert lost > 0
    assert told + lost + eyes.tracer.skipped - skipped == sent


def test_without_its_reader_a_program_falls_asleep_and_forwards_on(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1)
    eyes.tracer.stay_awake()
    words = STATE.offsets["until"] // 4
    eyes.tracer._state.words[words] = plane.tick()
    result, _ = eyes.send("xdp", packet(TCP, VIP, 80))
    assert (result, eyes.tracer._ring.poll(0)) == (XDP_TX, [])
    eyes.tracer.stay_awake()
    eyes.send("xdp", packet(TCP, VIP, 80))
    assert len(eyes.told()) == 1


def test_templates_are_told(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP, 1, persistence=100)
    eyes.send("tc", packet(TCP, VIP, 80))
    [told] = eyes.told()
    assert told.by_template


def test_the_other_family_is_told_too(plane: DataPlane, eyes: Eyes) -> None:
    plane.serve(HTTP6, 1)
    eyes.send("xdp", packet(TCP, VIP6, 80))
    [told] = eyes.told()
    assert (told.source, told.target, told.server) == (CLIENT6, VIP6, (plane.real_server(HTTP6, 1).address, 80))
