"""Templates of the memory table: one client, one real server."""

from __future__ import annotations

import pytest
from memory_cluster import CLIENT, DNS, HTTP, VIP, Cluster, real

from directrix.lvs import (
    Address,
    Connection,
    ConnectionFlags,
    Family,
    Protocol,
    RealServer,
    ServiceKey,
    VirtualService,
    parse_address,
)

STICKY = VirtualService(HTTP, "rr", persistence=100)
TEMPLATE = ConnectionFlags.TEMPLATE | ConnectionFlags.NO_OUTPUT | ConnectionFlags.INACTIVE


def template(cluster: Cluster) -> Connection | None:
    """The one template there is."""
    found = [c for c in cluster.table.connections() if c.flags & ConnectionFlags.TEMPLATE]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_client_comes_back_to_its_server_and_another_gets_its_own() -> None:
    cluster = Cluster(STICKY, 1, 1, 1)
    assert [cluster.send(port) for port in range(4)] == [3, 3, 3, 3]
    assert cluster.send(1, client=parse_address("10.0.0.101")) == 2
    assert cluster.send(9) == 3


def test_a_template_is_listed_and_counted_apart() -> None:
    cluster = Cluster(STICKY, 1)
    cluster.send(1024)
    assert template(cluster) == Connection(6, CLIENT, 0, VIP, 80, real(1), 80, "NONE", 100, TEMPLATE)
    state = cluster.state(1)
    assert (state.active, state.inactive, state.persistent) == (1, 0, 1)


def test_a_template_is_assured_by_an_established_connection() -> None:
    cluster = Cluster(STICKY, 1)
    cluster.send(1024, "S", "R")
    assert template(cluster).state == "NONE"
    cluster.send(1024, "A")
    assert template(cluster).state == "ASSURED"


def test_clients_of_one_network_count_as_one() -> None:
    cluster = Cluster(VirtualService(HTTP, "rr", persistence=100, netmask=0xFFFFFF00), 1, 1)
    assert cluster.send(1, client=parse_address("10.0.0.100")) == 2
    assert cluster.send(2, client=parse_address("10.0.0.7")) == 2
    assert cluster.send(3, client=parse_address("10.0.1.7")) == 1
    assert {str(c.client) for c in cluster.table.connections() if c.flags & ConnectionFlags.TEMPLATE} == {
        "10.0.0.0",
        "10.0.1.0",
    }


def test_ipv6_clients_of_one_prefix_count_as_one() -> None:
    vip = parse_address("fd00::1")
    key = ServiceKey.of(Protocol.TCP, vip, 80)
    cluster = Cluster(VirtualService(key, "rr", persistence=100, netmask=64))
    for last in (11, 12):
        cluster.table.add_server(key, RealServer(parse_address(f"fd00::{last}"), 80))

    def server_of(client: str) -> Address:
        verdict = cluster.verdict(1, client=parse_address(client), virtual=vip)
        assert verdict.server is not None
        return verdict.server.address

    assert server_of("fd01::1") == server_of("fd01::2") == parse_address("fd00::12")
    assert server_of("fd01:0:0:1::1") == parse_address("fd00::11")


def test_only_a_new_connection_starts_the_timeout_anew() -> None:
    cluster = Cluster(STICKY, 1)
    cluster.send(1, "S", "A", "R")
    cluster.wait(60)
    cluster.send(2, "S")
    assert template(cluster).expires == 100
    cluster.wait(30)
    cluster.send(2, "A")
    assert template(cluster).expires == 70


def test_a_template_goes_on_by_the_minute_while_connections_depend_on_it() -> None:
    cluster = Cluster(VirtualService(HTTP, "rr", persistence=2), 1)
    cluster.send(1024, "S", "A")
    cluster.wait(4)
    assert template(cluster).expires == 58
    cluster.wait(58)
    assert template(cluster).expires == 60
    cluster.send(1024, "R")
    cluster.wait(59.5)
    assert template(cluster) is not None
    cluster.wait(0.5)
    assert template(cluster) is None
    assert cluster.state(1).persistent == 0


def test_a_template_that_was_put_off_goes_by_the_minute_from_then_on() -> None:
    cluster = Cluster(STICKY, 1)
    cluster.send(1024, "S", "A")
    cluster.wait(110)
    cluster.send(1025, "S")
    assert template(cluster).expires == 60


def test_editing_the_timeout_changes_templates_made_from_then_on() -> None:
    cluster = Cluster(STICKY, 1)
    cluster.send(1, "S")
    cluster.table.edit_service(VirtualService(HTTP, "rr", persistence=500))
    cluster.send(2, "S")
    assert template(cluster).expires == 100


def test_long_after_everything_ended_in_its_order() -> None:
    cluster = Cluster(VirtualService(HTTP, "rr", persistence=2), 1)
    cluster.send(1024, "S", "A")
    cluster.wait(10_000)
    assert list(cluster.table.connections()) == []


def test_a_template_holds_its_client_to_a_quiesced_or_overloaded_server() -> None:
    cluster = Cluster(STICKY)
    cluster.add(1)
    cluster.add(2, upper=1)
    assert cluster.send(1) == 2
    assert cluster.send(2) == 2
    cluster.edit(2, weight=0)
    assert cluster.send(3) == 2


def test_the_template_of_a_removed_server_is_invalid_and_a_new_one_is_made() -> None:
    cluster = Cluster(STICKY, 1, 1)
    assert cluster.send(1) == 2
    cluster.remove(2)
    assert cluster.send(2) == 1
    listed = {
        (c.virtual_port, c.server, c.server_port)
        for c in cluster.table.connections()
        if c.flags & ConnectionFlags.TEMPLATE
    }
    assert listed == {(65535, real(2), 65535), (80, real(1), 80)}
    cluster.add(2)
    assert cluster.send(3) == 1


def test_a_server_that_comes_back_before_the_client_does_keeps_it() -> None:
    cluster = Cluster(STICKY, 1, 1)
    assert cluster.send(1) == 2
    cluster.remove(2)
    cluster.add(2)
    assert cluster.send(2) == 2


def test_a_connection_of_a_template_does_not_start_over() -> None:
    cluster = Cluster(STICKY, 1, 1)
    assert cluster.send(1024, "S", "A", "R") == 2
    assert cluster.connection(1024).state == "CLOSE"
    assert cluster.send(1024, "S") == 2
    assert cluster.connection(1024).state == "SYN_RECV"


@pytest.mark.parametrize(
    ("port", "asked", "template_port", "server_port"),
    [(80, 80, 80, 80), (21, 21, 0, 0), (21, 4000, 0, 0), (0, 443, 0, 0)],
    ids=["ordinary", "FTP", "FTP data", "all ports"],
)
def test_the_ports_of_a_template_tell_what_it_covers(
    port: int, asked: int, template_port: int, server_port: int
) -> None:
    cluster = Cluster(VirtualService(ServiceKey.of(Protocol.TCP, VIP, port), "rr", persistence=60), 1)
    assert cluster.send(1024, port=asked) == 1
    listed = template(cluster)
    assert (listed.virtual_port, listed.server_port) == (template_port, server_port)
    assert cluster.connection(1024).server_port == asked


def test_ftp_data_go_where_the_control_connection_went() -> None:
    cluster = Cluster(VirtualService(ServiceKey.of(Protocol.TCP, VIP, 21), "rr", persistence=60), 1, 1)
    assert cluster.send(1, port=21) == 2
    assert cluster.send(2, port=5000) == 2


@pytest.mark.parametrize(
    ("family", "written"), [(Family.INET, "0.0.0.5"), (Family.INET6, "0:5::")], ids=["IPv4", "IPv6"]
)
def test_one_template_of_a_mark_covers_all_its_ports_and_addresses(family: Family, written: str) -> None:
    key = ServiceKey.mark(5, family)
    v4 = family is Family.INET
    cluster = Cluster(VirtualService(key, "rr", persistence=60, netmask=0xFFFFFFFF if v4 else 128))
    servers = [RealServer(parse_address(f"{'10.0.0.' if v4 else 'fd00::'}{last}"), 0) for last in (11, 12)]
    for server in servers:
        cluster.table.add_server(key, server)
    client = CLIENT if v4 else parse_address("fd01::1")
    vips = ("10.1.0.1", "10.1.0.2") if v4 else ("fd02::1", "fd02::2")
    for client_port, (vip, port) in enumerate([(vips[0], 80), (vips[0], 443), (vips[1], 80)]):
        verdict = cluster.verdict(client_port, client=client, virtual=parse_address(vip), port=port, fwmark=5)
        assert verdict.server == servers[1]
        assert cluster.connection(client_port).server_port in (port, 0)
    listed = template(cluster)
    assert (listed.protocol, str(listed.virtual), listed.virtual_port, listed.server_port) == (0, written, 0, 0)


def test_one_packet_scheduling_with_persistence_leaves_the_template() -> None:
    cluster = Cluster(VirtualService(DNS, "rr", persistence=60, one_packet=True), 1, 1)
    assert [cluster.send(1024, "") for _ in range(3)] == [2, 2, 2]
    assert [c.flags for c in cluster.table.connections()] == [TEMPLATE]
    cluster.wait(60)
    assert list(cluster.table.connections()) == []
