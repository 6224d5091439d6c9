"""XDP in the driver of network cards: VLANs above them, bonds of them. Runs where stock_kernel.CARDS are."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import pytest
from hosts import VIP, VIP6, Cluster, Host, be_real_server, service, until
from stock_kernel import CARDS
from traffic import Load, ask, ask_udp, serve, upload

pytestmark = pytest.mark.root

HOSTS = {"client": 50, "director": 1, "rs1": 11, "rs2": 12}


def take_card(host: Host, mac: str, name: str) -> None:
    """Move a card from where it is to this host."""

    def there() -> bool:
        links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout)
        found = [link["ifname"] for link in links if mac in (link.get("permaddr", link["address"]), link["address"])]
        if found:
            subprocess.run(
                ["ip", "link", "set", found[0], "netns", host.namespace, "name", name, "address", mac], check=True
            )
        return bool(found)

    until(f"card {mac} is back from the test before", there, 30)
    host.ip(f"link set {name} up")


def wired(cluster: Cluster, cards: int) -> None:
    """Client and real servers on a bridge, the director at it with so many cards, not yet ports of the bridge."""
    switch, director = cluster.host("switch"), cluster.host("director")
    ports = {f"p-{name}": (cluster.host(name), "eth0") for name in HOSTS if name != "director"}
    cluster.segment(switch, "br0", ports)
    for number in range(cards):
        here, there = CARDS[number]
        take_card(director, here, f"eth{number}")
        take_card(switch, there, f"s{number}")


def vlan(host: Host, below: str, number: int, protocol: str = "802.1Q") -> str:
    device = f"{below}.{number}"
    host.ip(f"link add link {below} name {device} type vlan proto {protocol} id {number}; link set {device} up")
    return device


def on(host: Host, device: str, tags: tuple[int, ...]) -> str:
    """The device behind these tags, the outer one first."""
    for place, tag in enumerate(tags):
        device = vlan(host, device, tag, "802.1ad" if len(tags) == 2 and place == 0 else "802.1Q")
    return device


def lan(cluster: Cluster, device: str, clients: tuple[int, ...] = (), servers: tuple[int, ...] = ()) -> str:
    """Addresses: clients and VIP behind the tags `clients`, servers behind `servers`; `device` is the director's.

    Answers the number of the servers' network.
    """
    net = "0" if clients == servers else "2"
    for name, number in HOSTS.items():
        host = cluster[name]
        front = on(host, device if name == "director" else "eth0", clients)
        host.ip(f"addr add 10.0.0.{number}/24 dev {front}; addr add fd00::{number}/64 dev {front} nodad")
        if name == "director":
            host.ip(f"addr add {VIP}/32 dev {front}; addr add {VIP6}/128 dev {front} nodad")
        if name != "client" and net != "0":
            back = on(host, device if name == "director" else "eth0", servers)
            host.ip(f"addr add 10.0.2.{number}/24 dev {back}; addr add fd00:2::{number}/64 dev {back} nodad")
        if name.startswith("rs"):
            be_real_server(host, VIP, VIP6)
    return net


def works(cluster: Cluster) -> None:
    """All of it through the service of hosts.service()."""
    client = cluster["client"]
    for question, vip in ((ask, VIP), (ask, VIP6), (ask_udp, VIP)):
        assert len(Counter(question(client, vip) for _ in range(2))) == 2
    assert upload(client, 1 << 20, VIP6)


def started(cluster: Cluster, net: str) -> list[tuple[str, str]]:
    """Serve, and have the director up by itself; answers its devices and their hooks."""
    serve(cluster)
    director = cluster["director"]
    director.up()
    director.restore(service(net=net))
    return [(i["name"], i["hook"]) for i in director.status()["interfaces"]]


def ways(cluster: Cluster, megabytes: int = 1) -> tuple[int, int]:
    """Of an upload's packets: how many XDP sent on, how many it handed up."""
    before = cluster["director"].verdicts()
    assert upload(cluster["client"], megabytes << 20)
    after = cluster["director"].verdicts()
    sent, handed = (after.get(name, 0) - before.get(name, 0) for name in ("forwarded", "handed_up"))
    return sent - handed, handed


@pytest.mark.parametrize(
    ("clients", "servers", "by_xdp"),
    [
        ((10,), (10,), True),
        ((10, 20), (10, 20), True),
        ((10,), (30,), False),
        ((10,), (), False),
        ((), (30,), False),
    ],
    ids=["a VLAN kept", "QinQ kept", "from VLAN to VLAN", "tag taken off", "tag put on"],
)
def test_a_card_below_vlans(cluster: Cluster, clients: tuple[int, ...], servers: tuple[int, ...], by_xdp: bool) -> None:
    """One hook at the card serves all VLANs above it; tags that stay as they are stay with XDP."""
    wired(cluster, 1)
    cluster["switch"].ip("link set s0 master br0")
    net = lan(cluster, "eth0", clients, servers)
    assert started(cluster, net) == [("eth0", "xdp")]
    works(cluster)
    sent, handed = ways(cluster)
    assert sent > 20 * handed if by_xdp else handed > 20 * sent


def test_in_by_one_card_and_out_by_another(cluster: Cluster) -> None:
    """Real servers have a segment of their own towards the director, and answer clients past it."""
    wired(cluster, 2)
    switch, director = cluster["switch"], cluster["director"]
    switch.ip("link set s0 master br0")
    lan(cluster, "eth0")
    cluster.segment(switch, "br1", {f"b-{name}": (cluster[name], "eth1") for name in ("rs1", "rs2")})
    switch.ip("link set s1 master br1")
    for name in ("director", "rs1", "rs2"):
        cluster[name].ip(f"addr add 10.0.2.{HOSTS[name]}/24 dev eth1; addr add fd00:2::{HOSTS[name]}/64 dev eth1 nodad")
    assert started(cluster, "2") == [("eth0", "xdp"), ("eth1", "xdp")]
    works(cluster)
    sent, handed = ways(cluster)
    assert sent > 20 * handed
    assert {hop["interface"] for hop in director.hops().values()} == {"eth1"}


def pull(cluster: Cluster, number: int) -> None:
    """Both ends of a cable go down."""
    cluster["director"].ip(f"link set eth{number} down")
    cluster["switch"].ip(f"link set s{number} down")


def plug(cluster: Cluster, number: int) -> None:
    cluster["director"].ip(f"link set eth{number} up")
    cluster["switch"].ip(f"link set s{number} up")


@pytest.mark.parametrize(("mode", "tags"), [("active-backup", ()), ("802.3ad", (10,))], ids=lambda value: str(value))
def test_a_bond_of_cards_loses_one_and_no_connection(cluster: Cluster, mode: str, tags: tuple[int, ...]) -> None:
    wired(cluster, 2)
    director, switch = cluster["director"], cluster["switch"]
    options = f"mode {mode} miimon 20" + (" lacp_rate fast" if mode == "802.3ad" else "")
    director.ip(f"link add bond0 type bond {options}")
    for number in range(2):
        director.ip(f"link set eth{number} down; link set eth{number} master bond0; link set eth{number} up")
    director.ip("link set bond0 up")
    if mode == "802.3ad":
        switch.ip(f"link add lag type bond {options}")
        for number in range(2):
            switch.ip(f"link set s{number} down; link set s{number} master lag; link set s{number} up")
        switch.ip("link set lag up; link set lag master br0")
    else:
        switch.ip("link set s0 master br0; link set s1 master br0")
    net = lan(cluster, "bond0", tags, tags)
    assert started(cluster, net) == [("bond0", "xdp")]
    works(cluster)
    sent, handed = ways(cluster)
    assert sent > 20 * handed
    load = Load(cluster["client"], echoes=4, shorts=1).start()
    for number in (0, 1):
        before = load.echoed
        until("the load runs", lambda before=before: load.echoed > before + 50, 30)
        pull(cluster, number)
        before = load.echoed
        until("echoes come back by the other card", lambda before=before: load.echoed > before + 50, 30)
        plug(cluster, number)
        until("the card is back in the bond", lambda number=number: back_in(director, number, mode), 60)
    load.stop()
    assert load.mishaps == []
    print(f"\n{mode} {tags}: {load.echoed} echoes, longest wait {load.longest * 1000:.0f} ms")


def back_in(director: Host, number: int, mode: str) -> bool:
    """Whether the bond uses a card again."""
    [link] = json.loads(director.run("ip", "-json", "-details", "link", "show", "dev", f"eth{number}").stdout)
    told = link["linkinfo"]["info_slave_data"]
    return told["mii_status"] == "UP" and (mode != "802.3ad" or "distributing" in told["ad_actor_oper_port_state_str"])
