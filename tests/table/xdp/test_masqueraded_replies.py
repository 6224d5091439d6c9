"""Replies of masqueraded real servers: which packets are, whose they are, and how long they are known by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from data_plane import DNS, HTTP, REPLY_KIND, VIP, DataPlane, real, service
from frames import ACK, CLIENT, RST, SYN, TCP, UDP, packet
from hooks import HOOKS, VERSIONS
from mark_contract import a_rule
from masquerading import (
    CLIENT_PORT,
    IP_AT,
    SERVER_PORT,
    connect,
    key_of,
    masqueraded,
    packet_of,
    passes,
    reply,
    request,
    serve,
)

from directrix.lvs import RealServer, ServiceKey
from directrix.table.xdp import layout

pytestmark = pytest.mark.root

PROTOCOLS = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["TCP", "UDP"])


# -- what is no reply


@HOOKS
@PROTOCOLS
@VERSIONS
def test_what_else_a_masqueraded_server_sends_is_the_hosts(
    plane: DataPlane, protocol: int, version: int, hook: str
) -> None:
    connect(plane, protocol, version)
    genuine = reply(protocol, version)
    for other in (
        replace(genuine, source_port=22),
        replace(genuine, target_port=CLIENT_PORT + 1),
        replace(genuine, target=genuine.target + 1),
        replace(genuine, protocol=UDP if protocol == TCP else TCP),
        reply(protocol, version, number=2),
        reply(protocol, version, flags=SYN, target_port=CLIENT_PORT + 1),
    ):
        assert passes(plane, hook, other.frame())


def test_a_reply_that_is_not_addressed_to_this_host_is_somebody_elses(plane: DataPlane) -> None:
    """At XDP: at tc the kernel has seen to that."""
    connect(plane)
    assert passes(plane, "xdp", reply().frame(to=bytes.fromhex("0200000000aa")))


@HOOKS
def test_a_reply_with_a_wrong_header_is_the_hosts(plane: DataPlane, hook: str) -> None:
    connect(plane)
    frame = bytearray(reply().frame())
    frame[IP_AT + 1] ^= 4
    assert passes(plane, hook, bytes(frame))


@HOOKS
def test_without_masqueraded_servers_nobody_asks_for_replies(plane: DataPlane, hook: str) -> None:
    connect(plane)
    assert plane.front("beyond") == layout.BEYOND_REPLIES
    plane.table.delete_service(HTTP)
    plane.table.add_service(service(DNS))
    assert plane.front("beyond") == layout.BEYOND_REPLIES, "a connection of the removed server is left"
    plane.age(1000)
    plane.wait_for(lambda: not list(plane.slots()), 5)
    plane.table.delete_service(DNS)
    assert plane.front("beyond") == 0
    assert plane.front("plain") != 0
    assert not any(plane.maps.front.bytes[layout.FRONT.offsets["address_mark"] :][: layout.ADDRESS_MARKS])


@HOOKS
def test_a_datagram_of_a_one_packet_service_is_rewritten_and_its_reply_is_the_hosts(
    plane: DataPlane, hook: str
) -> None:
    """As in IPVS: there is no connection that could tell where the reply belongs."""
    serve(plane, key_of(UDP, 4), one_packet=True)
    name, after = plane.deliver(hook, request(UDP).frame())
    assert name == "forwarded"
    assert packet_of(after) == replace(request(UDP), target=real(1), target_port=SERVER_PORT, ttl=63).packet()
    assert passes(plane, hook, reply(UDP).frame())


@HOOKS
def test_a_server_of_another_method_is_none_whose_replies_are_looked_for(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.deliver(hook, packet(TCP, VIP, 80))
    assert passes(plane, hook, reply(source_port=80).frame())
    assert plane.front("beyond") == 0


# -- replies that the index takes for something else


@HOOKS
@VERSIONS
def test_a_reply_is_found_where_its_client_looks_virtual_to_the_index(
    plane: DataPlane, version: int, hook: str
) -> None:
    connect(plane, TCP, version)
    plane.deliver(hook, reply(TCP, version).frame())
    plane.maps.front.bytes[layout.FRONT.offsets["index"] :][: 2 * layout.INDEX_SIZE] = b"\xff" * 2 * layout.INDEX_SIZE
    assert plane.deliver(hook, reply(TCP, version).frame())[0] == "replied"
    assert plane.deliver(hook, reply(TCP, version, flags=SYN | ACK).frame())[0] == "replied"


@HOOKS
def test_a_mark_rule_that_covers_clients_takes_no_reply_for_a_request(plane: DataPlane, hook: str) -> None:
    connect(plane)
    plane.table.add_mark(a_rule(7, network="0.0.0.0/0", first=0, last=65535))
    plane.table.add_service(service(ServiceKey.mark(7)))
    plane.table.add_server(ServiceKey.mark(7), RealServer(real(2), 0))
    plane.freeze_hops()
    assert plane.deliver(hook, reply(flags=SYN | ACK).frame())[0] == "replied"
    assert plane.deliver(hook, reply(flags=ACK).frame())[0] == "replied"
    assert plane.deliver(hook, reply(flags=SYN, target_port=9).frame())[0] == "forwarded"


# -- whose replies


@HOOKS
def test_replies_reach_the_client_whose_they_are(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP, 1, 2)
    for offset in range(20):
        client = {"source": CLIENT + offset % 5, "source_port": 2000 + offset}
        _, out = plane.deliver(hook, request(flags=SYN, **client).frame())
        server = out[IP_AT + 16 : IP_AT + 20]
        number = next(n for n in (1, 2) if real(n).packed == server)
        back = reply(number=number, target=client["source"], target_port=client["source_port"])
        name, after = plane.deliver(hook, back.frame())
        assert name == "replied"
        assert packet_of(after) == replace(back, source=VIP, source_port=80, ttl=63).packet()
        assert passes(plane, hook, replace(back, source=real(3 - number)).frame())


@HOOKS
def test_of_two_connections_that_only_the_server_could_tell_apart_the_later_has_the_replies(
    plane: DataPlane, hook: str
) -> None:
    serve(plane, HTTP)
    other = ServiceKey.of(HTTP.protocol, VIP, 81)  # type: ignore[arg-type]
    serve(plane, other)
    for port in (80, 81, 80):
        plane.deliver(hook, request(flags=SYN, target_port=port).frame())
    back = plane.deliver(hook, reply().frame())[1]
    assert packet_of(back) == replace(reply(), source=VIP, source_port=81, ttl=63).packet()
    assert plane.front("connections") == 3  # one key for both


@HOOKS
def test_a_client_that_starts_over_on_another_server_has_its_replies_from_there(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP, 1, 2)
    assert packet_of(plane.deliver(hook, request(flags=SYN).frame())[1])[16:20] == real(2).packed
    plane.deliver(hook, reply(number=2, flags=RST | ACK).frame())  # CLOSE: over
    assert packet_of(plane.deliver(hook, request(flags=SYN).frame())[1])[16:20] == real(1).packed
    assert plane.deliver(hook, reply(number=1, flags=SYN | ACK).frame())[0] == "replied"
    assert passes(plane, hook, reply(number=2).frame())


@HOOKS
def test_a_removed_servers_replies_still_go_through_and_count_at_nobody(plane: DataPlane, hook: str) -> None:
    connect(plane)
    plane.table.delete_server(HTTP, real(1), SERVER_PORT)
    assert plane.deliver(hook, request().frame())[0] == "server_gone"
    assert plane.deliver(hook, reply().frame())[0] == "replied"
    plane.table.add_server(HTTP, masqueraded(1))
    plane.freeze_hops()
    assert plane.state(HTTP, 1).counters.out_packets == 0
    assert plane.deliver(hook, request().frame())[0] == "forwarded"
    assert plane.deliver(hook, reply().frame())[0] == "replied"
    assert plane.state(HTTP, 1).counters.out_packets == 1


# -- the life of a reply's key


def test_the_key_of_replies_lives_as_long_as_its_connection(plane: DataPlane) -> None:
    connect(plane)
    plane.tc(request(flags=ACK).frame())
    keys = [at for at, raw in plane.slots() if raw[4] == REPLY_KIND]
    assert len(keys) == 1
    assert len(list(plane.table.connections())) == 1
    plane.age(61)
    plane.wait_for(lambda: plane.field(keys[0], "expires") - plane.tick() > plane.ticks.from_seconds(50), 5)
    assert plane.deliver("tc", reply().frame())[0] == "replied"
    plane.age(1000)
    plane.wait_for(lambda: plane.front("connections") == 0, 5)
    assert not list(plane.slots())


def test_the_key_of_a_handshake_that_came_to_nothing_is_gone_in_seconds(plane: DataPlane) -> None:
    connect(plane)
    plane.set_field(plane.slot(CLIENT_PORT), expires=plane.tick())
    plane.age(5)
    plane.wait_for(lambda: plane.front("connections") == 0, 5)


@HOOKS
def test_a_connection_that_finds_no_room_for_its_replies_key_is_refused(plane: DataPlane, hook: str) -> None:
    serve(plane, HTTP)
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=plane.maps.parameter("max_connections") - 1)
    assert plane.deliver(hook, request(flags=SYN).frame())[0] == "table_full"
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=1)
    assert plane.deliver(hook, request(flags=SYN).frame())[0] == "forwarded"
    assert plane.deliver(hook, reply(flags=SYN | ACK).frame())[0] == "replied"


def test_a_first_packet_that_can_not_be_sent_on_leaves_no_key_of_replies(plane: DataPlane) -> None:
    serve(plane, key_of(UDP, 4))
    assert plane.deliver("tc", request(UDP, data=bytes(1500), options=bytes([1] * 4)).frame())[0] == "too_big"
    assert passes(plane, "tc", reply(UDP).frame())
