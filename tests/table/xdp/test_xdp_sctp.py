"""SCTP through the data plane: every transition of `lvs/sctp.py`, what a packet says, the life of an association."""

from __future__ import annotations

import pytest
from data_plane import DIAMETER, DIAMETER6, DNS, HTTP, VIP, VIP6, DataPlane, number_of
from frames import ACK, CLIENT, CLIENT6, SCTP, TCP, UDP, association, chunk, ethernet, ipv4, ipv6, packet, sctp
from hooks import HOOKS

from directrix.lvs import Connection, ConnectionFlags, Protocol, ServiceKey, Timeouts
from directrix.lvs.sctp import INPUT_ONLY, TIMEOUTS, SctpChunk, SctpEvent, SctpState
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

KEYS = pytest.mark.parametrize("key", [DIAMETER, DIAMETER6], ids=str)
INIT, DATA, ABORT = SctpChunk.INIT, SctpChunk.DATA, SctpChunk.ABORT
ECHO, SHUTDOWN, COMPLETE = SctpChunk.COOKIE_ECHO, SctpChunk.SHUTDOWN, SctpChunk.SHUTDOWN_COMPLETE
COOKIES = pytest.mark.parametrize("cookie", [SctpChunk.COOKIE_ECHO, SctpChunk.COOKIE_ACK], ids=lambda kind: kind.name)

CHUNKS: dict[SctpEvent, list[tuple[int, ...]]] = {
    event: [(SctpChunk[event.name],), (SctpChunk[event.name], DATA)] for event in SctpEvent
}
CHUNKS[SctpEvent.DATA] += [(kind,) for kind in (SctpChunk.SACK, SctpChunk.HEARTBEAT, SctpChunk.CWR, 15, 16, 63, 255)]
CHUNKS[SctpEvent.ABORT] += [(ECHO, ABORT), (SctpChunk.COOKIE_ACK, ABORT)]
CHUNKS[SctpEvent.INIT] += [(INIT, ABORT)]


def only(plane: DataPlane) -> Connection:
    """The one connection there is."""
    (connection,) = plane.table.connections()
    return connection


def send(plane: DataPlane, *kinds: int, hook: str = "tc", key: ServiceKey = DIAMETER, client_port: int = 1024) -> str:
    """A packet of these chunks to a service, and its last verdict."""
    assert key.address
    return plane.deliver(hook, association(key.address, key.port, *kinds, client_port=client_port))[0]


def put_into(plane: DataPlane, state: SctpState, key: ServiceKey) -> None:
    """A connection in this state, with the counts and the deadline it has there."""
    send(plane, INIT, key=key)
    plane.set_field(
        plane.slot(1024, SCTP),
        status=layout.SCTP_STATES + state | (layout.CONNECTION_ACTIVE if state.active else 0),
        expires=(plane.tick() + plane.ticks.from_seconds(TIMEOUTS[state])) & 0xFFFFFFFF,
    )
    if state.active:
        plane.set_server(plane.numbers()[0], active=1, inactive=0)


@HOOKS
@KEYS
@pytest.mark.parametrize("event", SctpEvent, ids=lambda event: event.name)
@pytest.mark.parametrize("state", SctpState, ids=lambda state: state.name)
def test_a_packet_moves_a_connection_as_the_table_of_sctp_says(
    plane: DataPlane, state: SctpState, event: SctpEvent, key: ServiceKey, hook: str
) -> None:
    for kinds in CHUNKS[event]:
        plane.reset()
        plane.serve(key, 1)
        put_into(plane, state, key)
        assert send(plane, *kinds, hook=hook, key=key) == "forwarded"
        starts_over = state is SctpState.CLOSED and event is SctpEvent.INIT
        wanted = SctpState.INIT1 if starts_over else INPUT_ONLY[event][state]
        connection = only(plane)
        assert connection.state == wanted.label
        assert bool(connection.flags & ConnectionFlags.INACTIVE) is not wanted.active
        assert plane.counts(key, 1) == ((1, 0) if wanted.active else (0, 1))
        assert TIMEOUTS[wanted] - 1 <= connection.expires <= TIMEOUTS[wanted]


# -- what a packet says


@HOOKS
@KEYS
@COOKIES
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 100, 201, 1000, 1400])
def test_an_abort_behind_a_cookie_of_any_size_counts(
    plane: DataPlane, cookie: SctpChunk, size: int, key: ServiceKey, hook: str
) -> None:
    assert key.address
    plane.serve(key, 1)
    send(plane, INIT, key=key)
    payload = sctp(1024, key.port, chunk(cookie, bytes(size)), chunk(ABORT))
    frame = ethernet(
        ipv4(payload, SCTP, CLIENT, VIP) if key is DIAMETER else ipv6(payload, SCTP, CLIENT6, VIP6), key.address.version
    )
    assert plane.deliver(hook, frame)[0] == "forwarded"
    assert only(plane).state == "CLOSED"


@HOOKS
@pytest.mark.parametrize("length", [0, 3, 9, 20, 21, 24, 100, 65532, 65535])
def test_a_cookie_that_lies_about_its_length_hides_what_is_behind_it(plane: DataPlane, length: int, hook: str) -> None:
    """20 bytes of cookie, an abort, four bytes that do not belong to the packet."""
    plane.serve(DIAMETER, 1)
    send(plane, INIT)
    lying = chunk(ECHO, bytes(16), length) + chunk(ABORT)
    frame = ethernet(ipv4(sctp(1024, DIAMETER.port, lying), SCTP, CLIENT, VIP), 4) + chunk(ABORT)
    assert plane.deliver(hook, frame)[0] == "forwarded"
    assert only(plane).state == ("CLOSED" if length == 20 else "ESTABLISHED")


@HOOKS
@pytest.mark.parametrize("headers", [(0,), (60, 43), (0, 60, 43, 60)])
def test_chunks_are_found_behind_extension_headers(plane: DataPlane, headers: tuple[int, ...], hook: str) -> None:
    plane.serve(DIAMETER6, 1)
    for chunks, state in (((INIT,), "INIT1"), ((ECHO, DATA), "ESTABLISHED"), ((ECHO, ABORT), "CLOSED")):
        payload, following = sctp(1024, DIAMETER6.port, *(chunk(kind, bytes(60)) for kind in chunks)), SCTP
        for header in reversed(headers):
            payload, following = bytes([following, 0, 1, 4, 0, 0, 0, 0]) + payload, header
        assert plane.deliver(hook, ethernet(ipv6(payload, following, CLIENT6, VIP6), 6))[0] == "forwarded"
        assert only(plane).state == state


@HOOKS
def test_chunks_are_found_behind_ip_options_and_tags(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    init = ipv4(sctp(1024, DIAMETER.port, chunk(INIT)), SCTP, CLIENT, VIP, options=bytes([1]) * 40)
    assert plane.deliver(hook, ethernet(init, 4))[0] == "forwarded"
    payload = sctp(1024, DIAMETER.port, chunk(ECHO, bytes(9)), chunk(ABORT))
    assert plane.deliver(hook, ethernet(ipv4(payload, SCTP, CLIENT, VIP, options=bytes([1]) * 12), 4))[0] == "forwarded"
    assert only(plane).state == "CLOSED"


@HOOKS
@KEYS
def test_a_packet_without_a_whole_chunk_header_is_malformed(plane: DataPlane, key: ServiceKey, hook: str) -> None:
    assert key.address
    plane.serve(key, 1)
    make = ipv4 if key is DIAMETER else ipv6
    ends = (CLIENT, VIP) if key is DIAMETER else (CLIENT6, VIP6)
    whole = sctp(1024, key.port, chunk(INIT, bytes(16)))
    for size in range(4, len(whole) + 1):
        frame = ethernet(make(whole[:size], SCTP, *ends), key.address.version)
        name, _, after = plane.verdict_of(getattr(plane, hook), frame)
        assert name == ("malformed" if size < 16 else "forwarded")
        assert name == "forwarded" or after == frame
    # what lies behind the packet's end is no chunk of it
    frame = ethernet(make(whole[:12], SCTP, *ends), key.address.version) + chunk(INIT, bytes(16))
    assert plane.verdict_of(getattr(plane, hook), frame)[0] == "malformed"


@HOOKS
def test_an_ip_header_of_sctp_is_checked_as_others_are(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    good = association(VIP, DIAMETER.port, INIT)
    payload = sctp(1024, DIAMETER.port, chunk(INIT))
    cases = {
        good[:24] + b"\xde\xad" + good[26:]: "malformed",
        good[:-1]: "malformed",
        ethernet(ipv4(payload, SCTP, CLIENT, VIP, fragment=0x2000), 4): "forwarded",
        ethernet(ipv4(payload, SCTP, CLIENT, VIP, fragment=0x10), 4): "later_fragment",
        good[:6] + good[6:12] + good[12:]: "forwarded",
        bytes.fromhex("020000000199") + good[6:]: "other_host",
    }
    for frame, wanted in cases.items():
        assert plane.verdict_of(getattr(plane, hook), frame)[0] == wanted


# -- beginning


@HOOKS
@KEYS
@pytest.mark.parametrize("kind", [*SctpChunk, 15, 200])
def test_only_init_begins_an_association(plane: DataPlane, kind: int, key: ServiceKey, hook: str) -> None:
    plane.serve(key, 1)
    assert send(plane, kind, hook=hook, key=key) == ("forwarded" if kind == INIT else "no_connection")
    assert [connection.state for connection in plane.table.connections()] == (["INIT1"] if kind == INIT else [])


@HOOKS
@KEYS
def test_an_association_is_listed_as_it_is(plane: DataPlane, key: ServiceKey, hook: str) -> None:
    assert key.address
    plane.serve(key, 1)
    send(plane, INIT, hook=hook, key=key, client_port=4711)
    connection = only(plane)
    assert connection == Connection(
        SCTP,
        CLIENT if key is DIAMETER else CLIENT6,
        4711,
        key.address,
        key.port,
        connection.server,
        key.port,
        "INIT1",
        connection.expires,
        ConnectionFlags.NO_OUTPUT | ConnectionFlags.INACTIVE,
    )
    assert number_of(connection.server) == 1
    assert connection.expires in (3, 4)


@HOOKS
def test_services_of_three_protocols_share_a_port(plane: DataPlane, hook: str) -> None:
    for number, protocol in enumerate((Protocol.TCP, Protocol.UDP, Protocol.SCTP), start=1):
        key = ServiceKey.of(protocol, VIP, 80)
        plane.serve(key)
        plane.add(key, number)
    for frame in (packet(TCP, VIP, 80), packet(UDP, VIP, 80), association(VIP, 80, INIT)):
        assert plane.deliver(hook, frame)[0] == "forwarded"
    assert {c.protocol: number_of(c.server) for c in plane.table.connections()} == {TCP: 1, UDP: 2, SCTP: 3}


@HOOKS
def test_where_sctp_is_not_served_it_is_the_hosts(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    for port in (80, 53, 3868):
        frame = association(VIP, port, INIT)
        assert plane.verdict_of(getattr(plane, hook), frame)[0] == "not_ours"


def test_one_packet_scheduling_means_nothing_to_sctp(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1, one_packet=True)
    send(plane, INIT, hook="xdp")
    assert plane.counts(DIAMETER, 1) == (0, 1)


def test_without_a_server_the_client_is_answered_port_unreachable(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 0)
    name, after = plane.deliver("xdp", association(VIP, DIAMETER.port, INIT))
    assert name == "no_server"
    # IPv4, protocol ICMP, type 3 code 3, the packet quoted
    assert (after[23], after[34:36], after[42 + 9]) == (1, b"\x03\x03", SCTP)


# -- the life of an association


@HOOKS
def test_the_life_of_an_association(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    life = []
    for kinds in ((INIT,), (ECHO, DATA), (DATA,), (SctpChunk.SACK,), (SHUTDOWN,), (COMPLETE,)):
        send(plane, *kinds, hook=hook)
        life.append((only(plane).state, plane.counts(DIAMETER, 1)))
    assert life == [
        ("INIT1", (0, 1)), ("ESTABLISHED", (1, 0)), ("ESTABLISHED", (1, 0)), ("ESTABLISHED", (1, 0)),
        ("S-RECEIVED", (0, 1)), ("CLOSED", (0, 1)),
    ]  # fmt: skip


def test_an_init_that_xdp_hands_up_counts_once(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1)
    for port, wanted in ((1, "INIT1"), (2, "INIT1"), (2, "INIT")):
        plane.set_hop(plane.numbers()[0], asked=plane.tick() - plane.maps.parameter("hop_ticks") & 0xFFFFFFFF)
        frame = association(VIP, DIAMETER.port, INIT, client_port=port)
        name, _, after = plane.verdict_of(plane.xdp, frame)
        assert name == "handed_up"
        assert plane.verdict_of(plane.behind, after)[0] == "forwarded"
        assert {c.client_port: c.state for c in plane.table.connections()}[port] == wanted


def test_set_changes_no_timeout_of_sctp(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1)
    plane.table.set_timeouts(Timeouts(50, 40, 30))
    send(plane, INIT)
    assert only(plane).expires in (3, 4)
    send(plane, ECHO)
    assert only(plane).expires in (899, 900)


@HOOKS
def test_packets_refresh_an_association(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    send(plane, INIT, hook=hook)
    send(plane, ECHO, hook=hook)
    plane.age(600)
    assert only(plane).expires <= 300
    send(plane, DATA, hook=hook)
    assert only(plane).expires >= 899


@HOOKS
def test_an_init_on_an_association_that_is_over_goes_to_the_next_server(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    send(plane, INIT, hook=hook)
    send(plane, ABORT, hook=hook)
    plane.add(DIAMETER, 2)
    assert send(plane, DATA, hook=hook) == "forwarded"
    assert number_of(only(plane).server) == 1
    send(plane, INIT, hook=hook)
    assert (number_of(only(plane).server), only(plane).state) == (2, "INIT1")
    assert (plane.counts(DIAMETER, 1), plane.counts(DIAMETER, 2)) == ((0, 0), (0, 1))


@HOOKS
def test_under_persistence_an_association_is_never_over_and_its_template_assured_once_established(
    plane: DataPlane, hook: str
) -> None:
    plane.serve(DIAMETER, 1, 1, persistence=100)
    states = []
    for kind in (INIT, ABORT, INIT):
        send(plane, kind, hook=hook)
        states.append(sorted(c.state for c in plane.table.connections()))
    assert states == [["INIT1", "NONE"], ["CLOSED", "NONE"], ["INIT", "NONE"]]
    send(plane, ECHO, hook=hook)
    assert sorted(c.state for c in plane.table.connections()) == ["ASSURED", "ESTABLISHED"]
    for port in range(2000, 2010):
        send(plane, INIT, hook=hook, client_port=port)
    assert len({c.server for c in plane.table.connections()}) == 1


@HOOKS
def test_packets_to_a_server_removed_are_dropped(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    send(plane, INIT, hook=hook)
    plane.table.delete_server(DIAMETER, plane.real_server(DIAMETER, 1).address, DIAMETER.port)
    assert send(plane, ECHO, hook=hook) == "server_gone"
    plane.add(DIAMETER, 1)
    assert send(plane, ECHO, hook=hook) == "forwarded"


def test_an_association_is_gone_when_its_time_is_over(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1)
    send(plane, INIT)
    plane.age(5)
    assert list(plane.table.connections()) == []
    assert send(plane, ECHO) == "no_connection"
    plane.wait_for(lambda: plane.counts(DIAMETER, 1) == (0, 0))


@HOOKS
def test_any_port_of_an_address_is_served_with_persistence(plane: DataPlane, hook: str) -> None:
    key = ServiceKey.of(Protocol.SCTP, VIP, 0)
    plane.serve(key, 1, 1, persistence=100)
    for port in (20, 21, 80, 5000):
        assert plane.deliver(hook, association(VIP, port, INIT, client_port=3000))[0] == "forwarded"
    assert len({c.server for c in plane.table.connections()}) == 1
    assert {c.virtual_port for c in plane.table.connections()} == {0, 20, 21, 80, 5000}


# -- sysctls


@HOOKS
@KEYS
@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ((INIT,), "INIT1"),
        ((INIT, ABORT), "INIT1"),
        ((DATA,), "ESTABLISHED"),
        ((DATA, ABORT), "ESTABLISHED"),
        ((200,), "ESTABLISHED"),
        ((SctpChunk.INIT_ACK,), "C-ECHOED"),
        ((ECHO, DATA), "ESTABLISHED"),
        ((ECHO, ABORT), "CLOSED"),
        ((SctpChunk.COOKIE_ACK, ABORT), "CLOSED"),
        ((SHUTDOWN,), "S-RECEIVED"),
        ((COMPLETE,), "CLOSED"),
        ((ABORT,), None),
        ((ABORT, ECHO), None),
    ],
)
def test_sloppy_sctp_takes_associations_over_in_the_middle(
    plane: DataPlane, kinds: tuple[int, ...], state: str | None, key: ServiceKey, hook: str
) -> None:
    plane.serve(key, 1)
    plane.table.set_sysctls({"sloppy_sctp": 1})
    assert send(plane, *kinds, hook=hook, key=key) == ("forwarded" if state else "no_connection")
    assert [connection.state for connection in plane.table.connections()] == ([state] if state else [])
    active, inactive = plane.counts(key, 1)
    assert (active, inactive) == (state == "ESTABLISHED", state not in ("ESTABLISHED", None))


@HOOKS
def test_each_protocol_has_a_sloppiness_of_its_own(plane: DataPlane, hook: str) -> None:
    plane.serve(DIAMETER, 1)
    plane.serve(HTTP, 1)
    ack = packet(TCP, VIP, 80, flags=ACK)
    plane.table.set_sysctls({"sloppy_tcp": 1})
    assert send(plane, DATA, hook=hook) == "no_connection"
    plane.table.set_sysctls({"sloppy_tcp": 0, "sloppy_sctp": 1})
    assert plane.deliver(hook, ack)[0] == "no_connection"
    assert send(plane, DATA, hook=hook) == "forwarded"


@HOOKS
@pytest.mark.parametrize(("mode", "server"), [(0, 1), (1, 2), (2, 2), (4, 2)])
def test_any_conn_reuse_mode_but_zero_has_a_closed_association_over(
    plane: DataPlane, mode: int, server: int, hook: str
) -> None:
    plane.table.set_sysctls({"conn_reuse_mode": mode})
    plane.serve(DIAMETER, 1)
    for kind in (INIT, ABORT):
        send(plane, kind, hook=hook)
    for kind in (INIT, ECHO, SHUTDOWN):
        send(plane, kind, hook=hook, client_port=1025)
    plane.add(DIAMETER, 2)
    for port in (1024, 1025):
        send(plane, INIT, hook=hook, client_port=port)
    assert {c.client_port: number_of(c.server) for c in plane.table.connections()} == {1024: server, 1025: 1}


@HOOKS
@pytest.mark.parametrize("begun", [(INIT,), (INIT, INIT), (INIT, ECHO), (INIT, ABORT)])
def test_an_init_on_an_association_whose_server_was_removed_starts_a_new_one(
    plane: DataPlane, begun: tuple[int, ...], hook: str
) -> None:
    plane.serve(DIAMETER, 1)
    for kind in begun:
        send(plane, kind, hook=hook)
    plane.add(DIAMETER, 2)
    plane.table.delete_server(DIAMETER, plane.real_server(DIAMETER, 1).address, DIAMETER.port)
    assert send(plane, DATA, hook=hook) == "server_gone"
    assert send(plane, INIT, hook=hook) == "forwarded"
    assert (number_of(only(plane).server), only(plane).state) == (2, "INIT1")


@HOOKS
def test_with_expire_nodest_conn_an_init_leaves_weight_zero_and_nothing_else_does(plane: DataPlane, hook: str) -> None:
    plane.table.set_sysctls({"expire_nodest_conn": 1, "conn_reuse_mode": 0})
    plane.serve(DIAMETER, 1)
    for kind in (INIT, ECHO):
        send(plane, kind, hook=hook)
    plane.add(DIAMETER, 2)
    plane.table.edit_server(DIAMETER, plane.real_server(DIAMETER, 1, 0))
    plane.freeze_hops()
    assert send(plane, DATA, hook=hook) == "forwarded"
    assert number_of(only(plane).server) == 1
    assert send(plane, INIT, hook=hook) == "forwarded"
    assert (number_of(only(plane).server), only(plane).state) == (2, "INIT1")


@pytest.mark.parametrize(
    ("kinds", "idle", "spared"),
    [
        ((INIT,), 0, False),
        ((INIT, INIT), 0, False),
        ((INIT, ECHO), 0, True),
        ((INIT, ECHO), 70, False),
        ((INIT, ECHO, *[DATA] * 7), 70, True),
        ((INIT, ECHO, SHUTDOWN), 30, True),
    ],
)
def test_drop_entry_ends_associations_begun_and_idle_ones_of_few_packets(
    plane: DataPlane, kinds: tuple[int, ...], idle: int, spared: bool
) -> None:
    plane.set_timeout(layout.SCTP_STATES + SctpState.INIT1, plane.ticks.from_seconds(60))
    plane.serve(DIAMETER, 1)
    plane.table.set_sysctls({"drop_entry": 1})
    ports = range(1001, 1301)
    for port in ports:
        for kind in kinds:
            send(plane, kind, client_port=port)
    plane.age(idle)
    plane.table.set_sysctls({"drop_entry": 3})
    if spared:
        start = plane.front("now")
        plane.wait_for(lambda: plane.front("now") - start >= plane.ticks.from_seconds(1.5))
        assert len(list(plane.table.connections())) == len(ports)
    else:
        plane.wait_for(lambda: len(list(plane.table.connections())) < len(ports))
        plane.table.set_sysctls({"drop_entry": 0})
        left = len(list(plane.table.connections()))
        assert 0 < left < len(ports)
        assert sum(plane.counts(DIAMETER, 1)) == left
