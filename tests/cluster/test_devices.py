"""Directors on every kind of device that carries IP over Ethernet."""

from __future__ import annotations

from collections import Counter

import pytest
from hosts import VIP, VIP6, Cluster, Host, be_real_server, service
from traffic import ask, ask_udp, download, serve, upload
from wire import watching

pytestmark = pytest.mark.root


def needs(host: Host, kind: str, *below: str) -> None:
    """Skip where this kernel has no such device."""
    done = host.run("ip", "link", "add", "probe", *below, "type", *kind.split(), check=False)
    if done.returncode:
        pytest.skip(f"this kernel makes no {kind.split()[0]} device: {done.stderr.strip()}")
    host.run("ip", "link", "del", "probe")


def works(cluster: Cluster, servers: int = 2) -> None:
    """All of it through the service of hosts.service()."""
    client = cluster["client"]
    for vip in (VIP, VIP6):
        for question in (ask, ask_udp):
            assert len(Counter(question(client, vip) for _ in range(2 * servers))) == servers
        assert upload(client, 3 << 20, vip)
        assert download(client, 3 << 20, vip)


def lan(cluster: Cluster, hosts: dict[str, str]) -> None:
    """Addresses on the devices named, on the one segment's networks; real servers get the VIPs."""
    numbers = {"client": 50, "director": 1, "rs1": 11, "rs2": 12}
    for name, device in hosts.items():
        host = cluster[name]
        host.ip(
            f"addr add 10.0.0.{numbers[name]}/24 dev {device}; addr add fd00::{numbers[name]}/64 dev {device} nodad"
        )
        if name.startswith("rs"):
            be_real_server(host, VIP, VIP6)
        if name == "director":
            host.ip(f"addr add {VIP}/32 dev {device}; addr add {VIP6}/128 dev {device} nodad")


def bare(cluster: Cluster) -> None:
    """Four hosts on a switch, without addresses."""
    hosts = {f"p-{name}": (cluster.host(name), "eth0") for name in ("client", "director", "rs1", "rs2")}
    cluster.segment(cluster.host("switch"), "br0", hosts)


def vlan(host: Host, below: str, number: int, protocol: str = "802.1Q") -> str:
    device = f"{below}.{number}"
    host.ip(f"link add link {below} name {device} type vlan proto {protocol} id {number}; link set {device} up")
    return device


@pytest.mark.parametrize("tags", [(10,), (10, 20)], ids=["one tag", "QinQ"])
def test_one_armed_on_a_vlan(cluster: Cluster, tags: tuple[int, ...]) -> None:
    bare(cluster)
    needs(cluster["director"], "vlan id 5", "link", "eth0")
    devices = {}
    for name in ("client", "director", "rs1", "rs2"):
        devices[name] = "eth0"
        for place, tag in enumerate(tags):
            outer = len(tags) == 2 and place == 0
            devices[name] = vlan(cluster[name], devices[name], tag, "802.1ad" if outer else "802.1Q")
    lan(cluster, devices)
    serve(cluster)
    cluster["director"].up()
    cluster["director"].restore(service())
    works(cluster)


def test_clients_on_one_vlan_and_servers_on_another(cluster: Cluster) -> None:
    bare(cluster)
    needs(cluster["director"], "vlan id 5", "link", "eth0")
    director, client = cluster["director"], cluster["client"]
    lan(cluster, {"client": vlan(client, "eth0", 10), "director": vlan(director, "eth0", 10)})
    device = vlan(director, "eth0", 30)
    director.ip(f"addr add 10.0.2.1/24 dev {device}; addr add fd00:2::1/64 dev {device} nodad")
    for number, name in ((11, "rs1"), (12, "rs2")):
        server = cluster[name]
        device, direct = vlan(server, "eth0", 30), vlan(server, "eth0", 10)
        server.ip(f"addr add 10.0.2.{number}/24 dev {device}; addr add fd00:2::{number}/64 dev {device} nodad")
        server.ip(f"addr add 10.0.0.{number}/24 dev {direct}; addr add fd00::{number}/64 dev {direct} nodad")
        be_real_server(server, VIP, VIP6)
    serve(cluster)
    director.up()
    director.restore(service(net="2"))
    works(cluster)


def test_a_macvlan_device_serves(cluster: Cluster) -> None:
    bare(cluster)
    needs(cluster["director"], "macvlan", "link", "eth0")
    cluster["director"].ip("link add mv0 link eth0 type macvlan mode bridge; link set mv0 up")
    lan(cluster, {"client": "eth0", "director": "mv0", "rs1": "eth0", "rs2": "eth0"})
    serve(cluster)
    cluster["director"].up()
    cluster["director"].restore(service())
    works(cluster)


def test_a_bridge_of_the_directors_own_serves_and_its_ports_are_left_alone(cluster: Cluster) -> None:
    """The director is the switch: every host hangs on its bridge, and the bridge has the VIP."""
    director = cluster.host("director")
    ports = {f"p-{name}": (cluster.host(name), "eth0") for name in ("client", "rs1", "rs2")}
    cluster.segment(director, "br0", ports)
    lan(cluster, {"client": "eth0", "director": "br0", "rs1": "eth0", "rs2": "eth0"})
    serve(cluster)
    director.up()
    director.restore(service())
    assert [i["name"] for i in director.status()["interfaces"]] == ["br0"]
    works(cluster)
    with watching((director, "p-rs1"), (director, "p-rs2")) as watches:
        asked = [ask(cluster["client"]) for _ in range(2)]
        starts = [f for w in watches for f in w.frames(VIP) if f.sent and f.protocol == 6 and f.data[47] == 0x02]
    assert sorted(asked) == ["rs1", "rs2"]
    assert len(starts) == 2  # each SYN once, at its server alone


def test_a_bond_serves(cluster: Cluster) -> None:
    bare(cluster)
    director = cluster["director"]
    needs(director, "bond mode active-backup")
    director.ip("link add bond0 type bond mode active-backup; link set eth0 down; link set eth0 master bond0")
    director.ip("link set bond0 up; link set eth0 up")
    lan(cluster, {"client": "eth0", "director": "bond0", "rs1": "eth0", "rs2": "eth0"})
    serve(cluster)
    director.up()
    director.restore(service())
    assert [i["name"] for i in director.status()["interfaces"]] == ["bond0"]
    works(cluster)
