"""Firewall marks on the data plane: which packets get one, and what a service by mark does with them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from data_plane import HTTP, VIP, VIP6, DataPlane, number_of
from frames import ACK, CLIENT, SCTP, TCP, UDP, association, packet
from hooks import HOOKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mark_contract import a_rule
from mark_strategies import ADDRESSES, PORTS, rule_sets

from directrix.lvs import Address, Connection, ConnectionFlags, Family, MarkRule, Protocol, ServiceKey
from directrix.lvs.sctp import SctpChunk
from directrix.table.marks import MOST_RULES, MarkRules
from directrix.table.xdp import layout, libbpf

pytestmark = pytest.mark.root

MARK = ServiceKey.mark(5)
MARK6 = ServiceKey.mark(5, Family.INET6)
OTHER = ip_address("10.0.0.77")


def rule(mark: int = 5, network: str = str(VIP), **values: object) -> MarkRule:
    """HTTP to the VIP, if nothing else is said."""
    return a_rule(mark, network=network, **values)


def everything(mark: int = 5, network: str = str(VIP)) -> MarkRule:
    """All protocols and ports of a destination."""
    return rule(mark, network, protocol=None, first=0, last=65535)


def templates(plane: DataPlane) -> list[Connection]:
    """The templates there are."""
    return [c for c in plane.table.connections() if c.flags & ConnectionFlags.TEMPLATE]


def end(plane: DataPlane, hook: str, frame: bytes) -> str:
    """What becomes of a frame."""
    return plane.deliver(hook, frame)[0]


def opening(protocol: int, target: Address, port: int, client_port: int = 1024) -> bytes:
    """A frame that may start a connection."""
    if protocol == SCTP:
        return association(target, port, SctpChunk.INIT, client_port=client_port)
    return packet(protocol, target, port, client_port)


PASSED = ("not_ours", "no_service", "no_connection")


@HOOKS
@pytest.mark.parametrize("address", [VIP, VIP6], ids=str)
@pytest.mark.parametrize("protocol", [TCP, UDP, SCTP])
def test_a_service_by_mark_has_the_packets_of_its_rules_and_no_others(
    plane: DataPlane, address: Address, protocol: int, hook: str
) -> None:
    key = MARK if address.version == 4 else MARK6
    plane.serve(key, 1, 1)
    plane.table.add_mark(rule(network=str(address), protocol=Protocol(protocol), first=80, last=81))
    for place, port in enumerate((80, 81)):
        assert end(plane, hook, opening(protocol, address, port, 3000 + place)) == "forwarded"
    assert end(plane, hook, opening(protocol, address, 79)) in PASSED
    assert end(plane, hook, opening(protocol, address, 82)) in PASSED
    for other in {TCP, UDP, SCTP} - {protocol}:
        assert end(plane, hook, opening(other, address, 80)) in PASSED
    assert end(plane, hook, opening(protocol, address + 1, 80)) in PASSED
    assert [sum(plane.counts(key, number)) for number in (1, 2)] == [1, 1]


@HOOKS
def test_a_mark_goes_before_the_address_and_without_a_service_it_is_none(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.table.add_mark(rule(5))
    assert end(plane, hook, packet(TCP, VIP, 80, 3000)) == "forwarded"
    plane.serve(MARK, 0, 1)
    assert end(plane, hook, packet(TCP, VIP, 80, 3001)) == "forwarded"
    assert (plane.counts(HTTP, 1), plane.counts(MARK, 2)) == ((1, 0), (1, 0))
    plane.table.remove_mark(rule().match)
    assert end(plane, hook, packet(TCP, VIP, 80, 3002)) == "forwarded"
    assert (plane.counts(HTTP, 1), plane.counts(MARK, 2)) == ((2, 0), (1, 0))


@HOOKS
def test_a_mark_of_one_family_is_not_that_of_the_other(plane: DataPlane, hook: str) -> None:
    plane.serve(MARK6, 1)
    plane.table.set_marks([everything(5), everything(6, str(VIP6))])
    assert end(plane, hook, packet(TCP, VIP, 80)) in PASSED
    assert end(plane, hook, packet(TCP, VIP6, 80)) in PASSED


@HOOKS
def test_a_service_by_mark_without_real_servers_answers_port_unreachable(plane: DataPlane, hook: str) -> None:
    plane.serve(MARK)
    plane.serve(HTTP, 1)
    plane.table.add_mark(rule())
    assert end(plane, hook, packet(TCP, VIP, 80)) == "no_server"


@HOOKS
def test_one_template_stands_for_all_protocols_ports_and_addresses_of_a_mark(plane: DataPlane, hook: str) -> None:
    plane.serve(MARK, 1, 1, 1, persistence=100)
    plane.table.set_marks([everything(), everything(network=str(OTHER))])
    for place, (protocol, address, port) in enumerate(
        [(TCP, VIP, 80), (TCP, VIP, 443), (UDP, VIP, 53), (TCP, OTHER, 80), (UDP, OTHER, 1), (SCTP, VIP, 3868)]
    ):
        assert end(plane, hook, opening(protocol, address, port, 3000 + place)) == "forwarded"
    (template,) = templates(plane)
    assert (template.protocol, template.client, template.client_port) == (0, CLIENT, 0)
    assert (template.virtual, template.virtual_port, template.server_port) == (ip_address("0.0.0.5"), 0, 0)
    assert sum(plane.counts(MARK, number_of(template.server))) == 6
    assert end(plane, hook, packet(TCP, VIP, 80, 4000, client=CLIENT + 1)) == "forwarded"
    assert len(templates(plane)) == 2


def test_an_ipv6_template_has_the_mark_in_the_first_word_of_the_address(plane: DataPlane) -> None:
    plane.serve(MARK6, 1, persistence=100, netmask=64)
    plane.table.add_mark(everything(network=str(VIP6)))
    for place, port in enumerate((80, 443)):
        plane.tc(packet(TCP, VIP6, port, 3000 + place))
    (template,) = templates(plane)
    assert template.virtual == ip_address("0:5::")
    assert (template.protocol, template.client) == (0, ip_address("2001:db8::"))


@HOOKS
@pytest.mark.parametrize(("persistence", "shown"), [(0, 8080), (100, 80)])
def test_a_real_servers_own_port_is_shown_where_there_is_no_persistence(
    plane: DataPlane, persistence: int, shown: int, hook: str
) -> None:
    from dataclasses import replace

    plane.serve(MARK, persistence=persistence)
    plane.table.add_server(MARK, replace(plane.real_server(MARK, 1), port=8080))
    plane.freeze_hops()
    plane.table.add_mark(rule())
    assert end(plane, hook, packet(TCP, VIP, 80)) == "forwarded"
    (connection,) = [c for c in plane.table.connections() if not c.flags & ConnectionFlags.TEMPLATE]
    assert (connection.virtual_port, connection.server_port) == (80, shown)


@HOOKS
@pytest.mark.parametrize(
    "covering",
    [rule(), rule(first=1, last=1000), everything(), rule(network="10.0.0.0/24"), rule(network="0.0.0.0/0")],
    ids=str,
)
def test_connections_outlive_their_rule_and_end_with_it_for_the_host(
    plane: DataPlane, covering: MarkRule, hook: str
) -> None:
    plane.serve(MARK, 1)
    plane.table.add_mark(covering)
    assert end(plane, hook, packet(TCP, VIP, 80)) == "forwarded"
    for _ in range(2):  # another change does not hide them
        plane.table.remove_mark(covering.match)
        assert end(plane, hook, packet(TCP, VIP, 80, flags=ACK)) == "forwarded"
        assert end(plane, hook, packet(TCP, VIP, 80, 2000)) in PASSED
        plane.table.add_mark(covering)
    plane.table.set_marks([])
    plane.table.delete_service(MARK)
    plane.serve(HTTP, 1)  # without any service nothing is looked at, as in IPVS
    assert end(plane, hook, packet(TCP, VIP, 80, flags=ACK)) == "server_gone"
    plane.age(2000)
    plane.wait_for(lambda: plane.front("connections") == 0)
    plane.table.delete_service(HTTP)
    assert plane.front("beyond") == 0
    start = layout.FRONT.offsets["index"]
    assert not any(plane.maps.front.bytes[start : start + layout.INDEX_SIZE * 2 + layout.ADDRESS_MARKS])


def test_rules_are_shown_to_packets_only_while_their_mark_has_a_service(plane: DataPlane) -> None:
    start = layout.FRONT.offsets["index"]
    shown = plane.maps.front.bytes[start : start + layout.INDEX_SIZE * 2 + layout.ADDRESS_MARKS]
    plane.table.add_mark(rule(network="0.0.0.0/0"))
    assert not any(shown)
    plane.serve(MARK, 1)
    assert all(shown[layout.INDEX_SIZE * 2 :])
    assert plane.front("beyond") == 1
    plane.table.delete_service(MARK)
    assert not any(shown)
    assert plane.front("beyond") == 0


def test_a_service_that_goes_does_not_hide_the_connections_of_a_rule_at_its_place(plane: DataPlane) -> None:
    plane.serve(MARK, 1)
    plane.table.add_mark(rule())
    plane.serve(HTTP, 1)
    assert end(plane, "tc", packet(TCP, VIP, 80)) == "forwarded"
    plane.table.delete_service(HTTP)
    assert end(plane, "tc", packet(TCP, VIP, 80, flags=ACK)) == "forwarded"
    assert end(plane, "tc", packet(TCP, VIP, 80, 2000)) == "forwarded"


def test_a_datagram_by_mark_is_scheduled_for_itself_and_a_segment_is_not(plane: DataPlane) -> None:
    plane.serve(MARK, 1, 1, one_packet=True)
    plane.table.add_mark(everything())
    for _ in range(4):
        assert end(plane, "xdp", packet(UDP, VIP, 53)) == "forwarded"
    assert list(plane.table.connections()) == []
    assert [plane.state(MARK, number).counters.connections for number in (1, 2)] == [2, 2]
    assert end(plane, "xdp", packet(TCP, VIP, 80)) == "forwarded"
    assert len(list(plane.table.connections())) == 1


def test_thousands_of_rules_lead_each_to_its_service(plane: DataPlane) -> None:
    plane.serve(MARK, 1)
    plane.serve(ServiceKey.mark(6), 0, 1)
    rules = [rule(5 + n % 2, network=f"10.{n >> 8}.{n & 255}.0/24", first=n, last=2 * n) for n in range(MOST_RULES - 1)]
    plane.table.set_marks([*rules, rule(5, network="172.16.0.1")])
    for n in (0, 1, 2, 1023, 4000, 4094):
        address = ip_network(f"10.{n >> 8}.{n & 255}.0/24")[9]
        before = sum(plane.counts(MARK, 1)), sum(plane.counts(ServiceKey.mark(6), 2))
        for port in (n, 2 * n):
            assert end(plane, "tc", packet(TCP, address, port, 3000 + (port == n))) == "forwarded"
        for port in (n - 1, 2 * n + 1):
            assert end(plane, "tc", packet(TCP, address, port % 65536, 3002)) in PASSED
        after = sum(plane.counts(MARK, 1)), sum(plane.counts(ServiceKey.mark(6), 2))
        more = 1 if n == 0 else 2
        assert after == (before[0] + more * (n % 2 == 0), before[1] + more * (n % 2))


def test_a_change_that_was_broken_off_leaves_nothing_behind(plane: DataPlane) -> None:
    plane.serve(MARK, 1)
    plane.table.add_mark(rule())
    trie = plane.maps.fwmark_prefixes
    generation = plane.maps.fwmarks.words[1]
    record = layout.FWMARK_PREFIX.whole
    # the generation to come, half written: what a command that was killed leaves
    stray = record.pack(layout.FWMARK_HEAD_BITS, generation + 1, TCP, 4, 0, bytes(16))
    libbpf.map_update(trie, stray, layout.FWMARK_RUN.whole.pack(0, 65535))
    plane.table.add_mark(rule(5, first=443))
    assert end(plane, "tc", packet(TCP, VIP, 80)) == "forwarded"
    assert end(plane, "tc", packet(TCP, OTHER, 80)) in PASSED
    plane.table.set_marks([])
    plane.table.add_mark(rule(5, first=443))
    generations = {record.unpack(key)[1] for key in libbpf.map_keys(trie, layout.FWMARK_PREFIX.size)}
    assert plane.maps.fwmarks.words[0] in generations
    assert len(generations) <= 2


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule_sets(), st.sampled_from(ADDRESSES), st.sampled_from(Protocol))
def test_the_data_plane_finds_the_mark_of_the_most_specific_rule(
    plane: DataPlane, rules: MarkRules, address: Address, protocol: Protocol
) -> None:
    plane.reset()
    family = Family.INET if address.version == 4 else Family.INET6
    marks = {mark: ServiceKey.mark(mark, family) for mark in range(1, 6)}
    for mark, key in marks.items():
        plane.serve(key, *[0] * (mark - 1), 1)
    plane.table.set_marks(list(rules))
    for place, port in enumerate(PORTS):
        mark = rules.mark_of(protocol, address, port)
        name, after = plane.deliver("tc", opening(protocol, address, port, 3000 + place))
        assert (name in PASSED) == (mark == 0), (port, mark, name)
        if mark:
            assert after[5] == mark
