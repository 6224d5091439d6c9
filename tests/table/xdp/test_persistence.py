"""Persistence on the data plane: templates made, followed, restarted, expired while connections live, invalidated."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from data_plane import DNS6, HTTP, HTTP6, VIP, VIP6, DataPlane, number_of
from frames import ACK, CLIENT, FIN, TCP, UDP, packet
from hooks import HOOKS

from directrix.lvs import Address, Connection, ConnectionFlags, Protocol, ServiceKey

pytestmark = pytest.mark.root

ANY = ServiceKey.of(Protocol.TCP, VIP, 0)
FTP = ServiceKey.of(Protocol.TCP, VIP, 21)


def client(number: int) -> Address:
    """One of many clients."""
    return ip_address("192.0.2.0") + number


def templates(plane: DataPlane) -> list[Connection]:
    """The templates there are."""
    return [c for c in plane.table.connections() if c.flags & ConnectionFlags.TEMPLATE]


def server_of(plane: DataPlane, port: int) -> int:
    """Which real server the connection from this client port goes to."""
    (found,) = [c for c in plane.table.connections() if c.client_port == port]
    return number_of(found.server)


@HOOKS
def test_a_client_stays_with_its_server(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1, 1, persistence=360)
    for port in range(1024, 1030):
        getattr(plane, hook)(packet(TCP, VIP, 80, port))
        assert server_of(plane, port) == 3
    getattr(plane, hook)(packet(TCP, VIP, 80, 2000, client=client(99)))
    assert server_of(plane, 2000) == 2
    assert plane.state(HTTP, 3).persistent == plane.state(HTTP, 2).persistent == 1
    assert plane.counts(HTTP, 3) == (6, 0)


@HOOKS
def test_a_template_is_listed_as_it_is(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, persistence=360, netmask=0xFFFFFF00)
    getattr(plane, hook)(packet(TCP, VIP, 80))
    (template,) = templates(plane)
    assert template == Connection(
        TCP,
        ip_address("192.0.2.0"),
        0,
        VIP,
        80,
        template.server,
        80,
        "NONE",
        template.expires,
        ConnectionFlags.TEMPLATE,
    )
    assert number_of(template.server) == 1
    assert 359 <= template.expires <= 360


@pytest.mark.parametrize(
    ("key", "netmask", "clients", "groups"),
    [
        (HTTP, 0xFFFFFFFF, ["192.0.2.1", "192.0.2.2", "192.0.2.1"], [0, 1, 0]),
        (HTTP, 0xFFFFFF00, ["192.0.2.1", "192.0.2.2", "192.0.3.1"], [0, 0, 1]),
        (HTTP, 0x00FF00FF, ["192.0.2.1", "10.0.9.1", "192.0.2.2"], [0, 0, 1]),
        (HTTP6, 128, ["2001:db8::1", "2001:db8::2", "2001:db8::1"], [0, 1, 0]),
        (HTTP6, 64, ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"], [0, 0, 1]),
        (HTTP6, 61, ["2001:db8::1", "2001:db8:0:7::2", "2001:db8:0:8::1"], [0, 0, 1]),
        (DNS6, 1, ["2001:db8::1", "fd00::2", "7fff::1"], [0, 1, 0]),
    ],
)
def test_a_netmask_says_which_clients_are_one(
    plane: DataPlane, key: ServiceKey, netmask: int, clients: list[str], groups: list[int]
) -> None:
    plane.serve(key, 1, 1, 1, 1, persistence=360, netmask=netmask)
    assert key.protocol
    assert key.address
    for place, text in enumerate(clients):
        plane.tc(packet(int(key.protocol), key.address, key.port, 3000 + place, client=ip_address(text)))
    assert [4 - server_of(plane, 3000 + place) for place in range(len(clients))] == groups


@HOOKS
@pytest.mark.parametrize("key", [ANY, ServiceKey.of(Protocol.UDP, VIP6, 0)], ids=str)
def test_a_service_for_all_ports_has_one_server_for_a_client(plane: DataPlane, key: ServiceKey, hook: str) -> None:
    plane.serve(key, 1, 1, persistence=360)
    assert key.protocol
    assert key.address
    for place, port in enumerate((80, 443, 1, 65535)):
        getattr(plane, hook)(packet(int(key.protocol), key.address, port, 3000 + place))
        assert server_of(plane, 3000 + place) == 2
    (template,) = templates(plane)
    assert (template.virtual_port, template.server_port) == (0, 0)
    ports = {c.virtual_port: c.server_port for c in plane.table.connections() if c.client_port}
    assert ports == {80: 80, 443: 443, 1: 1, 65535: 65535}


def test_the_exact_port_comes_before_the_service_for_all_ports(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(ANY, 1, 1, persistence=360)
    for port, client_port in ((80, 3000), (81, 3001)):
        plane.tc(packet(TCP, VIP, port, client_port))
    assert plane.counts(HTTP, 1) == (1, 0)
    assert plane.counts(ANY, 2) == (1, 0)


@HOOKS
def test_ftp_and_its_data_have_one_server(plane: DataPlane, hook: str) -> None:
    plane.serve(FTP, 1, 1, persistence=360)
    for place, port in enumerate((21, 20, 1024, 40000)):
        getattr(plane, hook)(packet(TCP, VIP, port, 3000 + place))
        assert server_of(plane, 3000 + place) == 2
    (template,) = templates(plane)
    assert (template.virtual_port, template.server_port) == (0, 0)
    getattr(plane, hook)(packet(TCP, VIP, 21, 4000, client=client(77)))
    assert server_of(plane, 4000) == 1


def test_ftp_of_another_address_takes_no_ports_here(plane: DataPlane) -> None:
    plane.serve(FTP, 1, persistence=360)
    other = ip_address("10.0.0.99")
    plane.serve(ServiceKey.of(Protocol.TCP, other, 80), 1)
    assert plane.verdict_of(plane.tc, packet(TCP, other, 2000))[0] in ("no_service", "not_ours")


@HOOKS
def test_every_new_connection_restarts_the_templates_time_and_no_other_packet_does(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1, persistence=360)
    run(packet(TCP, VIP, 80))
    plane.age(50)
    run(packet(TCP, VIP, 80, flags=ACK))
    assert templates(plane)[0].expires <= 310
    run(packet(TCP, VIP, 80, 1025))
    assert templates(plane)[0].expires >= 359


@HOOKS
def test_a_template_past_its_time_without_connections_is_over(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1, 1, persistence=100)
    run(packet(TCP, VIP, 80))
    plane.age(61)
    plane.wait_for(lambda: plane.counts(HTTP, 2) == (0, 0))
    plane.age(40)
    plane.wait_for(lambda: plane.front("connections") == 0)
    plane.freeze_hops()
    run(packet(TCP, VIP, 80))
    assert server_of(plane, 1024) == 1
    assert (plane.state(HTTP, 2).persistent, plane.state(HTTP, 1).persistent) == (0, 1)


def test_a_template_past_its_time_goes_on_by_a_minute_while_its_connections_live(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, persistence=100)
    plane.tc(packet(TCP, VIP, 80))
    plane.tc(packet(TCP, VIP, 80, flags=ACK))
    plane.age(101)
    plane.wait_for(lambda: templates(plane) and 57 <= templates(plane)[0].expires <= 60)
    plane.freeze_hops()
    plane.tc(packet(TCP, VIP, 80, 1025))
    assert server_of(plane, 1025) == 2
    assert templates(plane)[0].expires >= 59
    plane.age(900)
    plane.wait_for(lambda: plane.counts(HTTP, 2) == (0, 0))
    plane.age(100)
    plane.wait_for(lambda: not list(plane.slots()))
    assert plane.state(HTTP, 2).persistent == 0
    assert plane.counts(HTTP, 2) == (0, 0)


def test_a_template_is_assured_once_a_connection_of_it_was_established(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, persistence=100)
    plane.tc(packet(TCP, VIP, 80))
    assert templates(plane)[0].state == "NONE"
    plane.tc(packet(TCP, VIP, 80, flags=ACK))
    assert templates(plane)[0].state == "ASSURED"
    plane.tc(packet(TCP, VIP, 80, flags=FIN))
    assert templates(plane)[0].state == "ASSURED"


def test_a_template_is_not_assured_by_udp(plane: DataPlane) -> None:
    plane.serve(DNS6, 1, persistence=100)
    for _ in range(3):
        plane.tc(packet(UDP, VIP6, 53))
    assert templates(plane)[0].state == "NONE"


@HOOKS
@pytest.mark.parametrize("how", ["weight 0", "overloaded"])
def test_a_template_is_followed_also_to_a_server_that_gets_nobody_new(plane: DataPlane, how: str, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1, 1, persistence=100)
    run(packet(TCP, VIP, 80))
    if how == "weight 0":
        plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 0))
    else:
        plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 1, upper=1))
        plane.set_server(next(n for n in plane.numbers() if plane.server(n, "active")), overload=1)
    run(packet(TCP, VIP, 80, 1025))
    assert server_of(plane, 1025) == 2
    run(packet(TCP, VIP, 80, 1026, client=client(3)))
    assert server_of(plane, 1026) == 1


@HOOKS
def test_a_template_of_a_server_that_is_gone_is_made_impossible_and_a_new_one_made(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1, 1, persistence=100)
    run(packet(TCP, VIP, 80))
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 2).address, 80)
    run(packet(TCP, VIP, 80, 1025))
    assert server_of(plane, 1025) == 1
    by_port = {c.virtual_port: (c.client_port, c.server_port, number_of(c.server)) for c in templates(plane)}
    assert by_port == {65535: (0, 65535, 2), 80: (0, 80, 1)}
    plane.add(HTTP, 2)
    run(packet(TCP, VIP, 80, 1026))
    assert server_of(plane, 1026) == 1
    assert plane.state(HTTP, 2).persistent == 1


def test_a_template_of_a_server_that_came_back_in_time_is_followed(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, persistence=100)
    plane.tc(packet(TCP, VIP, 80))
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 2).address, 80)
    plane.add(HTTP, 2)
    plane.tc(packet(TCP, VIP, 80, 1025))
    assert server_of(plane, 1025) == 2


@HOOKS
def test_a_connection_of_a_template_is_not_given_to_another_server_by_a_syn(plane: DataPlane, hook: str) -> None:
    run = getattr(plane, hook)
    plane.serve(HTTP, 1, 1, persistence=100)
    run(packet(TCP, VIP, 80))
    run(packet(TCP, VIP, 80, flags=FIN))
    run(packet(TCP, VIP, 80))
    assert server_of(plane, 1024) == 2
    assert plane.state(HTTP, 2).counters.connections == 1


def test_a_full_table_makes_no_template_without_its_connection(plane: DataPlane) -> None:
    from directrix.table.xdp import layout

    plane.serve(HTTP, 1, persistence=100)
    most = plane.maps.parameter("max_connections")
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=most)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80))[0] == "table_full"
    assert list(plane.table.connections()) == []
    # room for the template alone: it counts nothing, and the next connection follows it
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=most - 1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80))[0] == "table_full"
    assert plane.counts(HTTP, 1) == (0, 0)
    layout.FRONT.pack_into(plane.maps.front.bytes, 0, connections=1)
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, client=CLIENT))[0] == "forwarded"
    assert len(templates(plane)) == 1


def test_persistence_switched_off_leaves_connections_and_schedules_new_ones(plane: DataPlane) -> None:
    from data_plane import service

    plane.serve(HTTP, 1, 1, persistence=100)
    plane.tc(packet(TCP, VIP, 80))
    plane.table.edit_service(service(HTTP))
    for port in (1025, 1026):
        plane.tc(packet(TCP, VIP, 80, port))
    assert sorted(server_of(plane, port) for port in (1025, 1026)) == [1, 2]
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=ACK))[0] == "forwarded"
    assert server_of(plane, 1024) == 2
