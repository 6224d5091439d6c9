"""The ways in which a lab can be broken: what goes wrong in direct-routing clusters, each made on purpose."""

from __future__ import annotations

import json
import random
from ipaddress import IPv4Address

from directrix.lab import directing, state
from directrix.lab.breaking import Break, Scene
from directrix.lab.definition import Role
from directrix.lab.errors import LabError
from directrix.lab.masquerade_breaks import MASQUERADE_BREAKS
from directrix.lab.plumbing import as_director
from directrix.lab.reading import suggest
from directrix.lab.vrrp_breaks import VRRP_BREAKS
from directrix.lvs import Address
from directrix.realserver import preparing
from directrix.realserver.decapsulating import TUNNELS
from directrix.system import frames, namespaces
from directrix.system.facts.address import OwnAddress
from directrix.system.wire import Wire

_NOBODY = "02:00:de:ad:00:01"
_TABLE = "lab_break"
_REDIRECTIONS = "directrix_doctor"
_SMALL_TABLE = 1000
_SYSTEM_TABLE = 1_000_000


def _arp_leak(scene: Scene) -> None:
    for which in ("all", _device(scene)):
        scene.set_sysctl(f"net/ipv4/conf/{which}/arp_ignore", "0")
        scene.set_sysctl(f"net/ipv4/conf/{which}/arp_announce", "0")


def _no_vip(scene: Scene) -> None:
    for vip in scene.vips:
        scene.do(f"ip address del {_single(vip)} dev lo", f"ip address replace {_carried(vip)}")


def _wide_vip(scene: Scene) -> None:
    vip = _vip(scene, 4)
    wide = f"{vip}/{scene.addresses()[0].network.prefixlen}"
    scene.do(f"ip address add {wide} dev lo", f"ip address del {wide} dev lo 2>/dev/null || true")
    scene.do(f"ip address del {_single(vip)} dev lo", f"ip address replace {_carried(vip)}")


def _wrong_bind(scene: Scene) -> None:
    own = {address.version: address.ip for address in scene.addresses()}
    edits = "".join(
        f"s/listen {where}\\([0-9]*\\) /listen {address}:\\1 /;"
        for where, address in (("", own.get(4)), (r"\[::\]:", f"[{own[6]}]" if 6 in own else None))
        if address
    )
    _edit_nginx(scene, edits)


def _wrong_port(scene: Scene) -> None:
    _edit_nginx(scene, r"s/listen \(\[::\]:\)\{0,1\}80 /listen \18080 /")


def _edit_nginx(scene: Scene, edits: str) -> None:
    """Have a host's nginx run with an edited configuration; undone, with the one it had."""
    place = state.directory(scene.lab.name) / scene.host.name
    if not (place / "nginx.conf").exists():
        raise LabError(f"{scene.host.name} has no nginx", "choose another host with --host")
    nginx = f"nginx -p {place}/ -c nginx.conf -e error.log"
    # nginx is gone when its pid file is.
    stop = f"{nginx} -s quit && timeout 20 sh -c 'while [ -e {place}/nginx.pid ]; do sleep 0.02; done'"
    file, before = place / "nginx.conf", place / "nginx.conf.before"
    forget = f"for family in ip ip6; do nft delete table $family {_REDIRECTIONS} 2>/dev/null || true; done"
    scene.do(f"cp {file} {before}", f"rm -f {before}; {forget}")
    scene.do(f"{stop}; sed -i '{edits}' {file} && {nginx}", f"{stop}; cp {before} {file} && {nginx}")


def _rp_filter(scene: Scene) -> None:
    """A second interface by which answers leave, and the strict filter at the one by which requests come."""
    client = next((each for each in scene.lab.hosts if each.role == Role.CLIENT), None)
    towards = scene.neighbour_address(client, 4) if client else None
    if client is None or towards is None:
        raise LabError(f"no client is on a wire of {scene.host.name}", "use a lab like one-segment")
    device = scene.device_of(towards.ip)
    port, own = f"{scene.host.name}.back", scene.addresses()[0]
    switch = next(each for each in scene.lab.hosts if each.name == "switch")
    bridge = json.loads(scene.ask("ip -json link show type veth", switch))
    segment = next(entry["master"] for entry in bridge if entry["ifname"] == f"{scene.host.name}.{device}")
    scene.do(
        f"ip link add {port} type veth peer name back netns {scene.host.namespace} && "
        f"ip link set {port} master {segment} up",
        f"ip link del {port} 2>/dev/null || true",
        switch,
    )
    other = IPv4Address(int(own.network.broadcast_address) + 11) if own.version == 4 else IPv4Address("10.255.0.11")
    scene.do(
        f"ip address add {other}/24 dev back && ip link set back up && ip route add {towards.ip} dev back",
        "true",  # they go with the interface
    )
    scene.set_sysctl(f"net/ipv4/conf/{device}/rp_filter", "1")


def _firewall(scene: Scene) -> None:
    rules = " ".join(f"{'ip' if vip.version == 4 else 'ip6'} daddr {vip} tcp dport 80 drop;" for vip in scene.vips)
    scene.do(
        f"nft 'table inet {_TABLE} {{ chain input {{ type filter hook input priority filter; {rules} }}; }}'",
        f"nft delete table inet {_TABLE} 2>/dev/null || true",
    )


def _dup_vip(scene: Scene) -> None:
    vip = _vip(scene, 4)
    device = scene.device_of(vip)
    scene.do(
        f"ip address add {_single(vip)} dev {device}",
        f"ip address del {_single(vip)} dev {device} 2>/dev/null || true",
    )


def _mtu(scene: Scene) -> None:
    for device in json.loads(scene.ask("ip -json link show type veth")):
        name, before = device["ifname"], device["mtu"]
        scene.do(f"ip link set {name} mtu 1400", f"ip link set {name} mtu {before}")


def _no_decapsulation(scene: Scene) -> None:
    """What takes packets out is gone, of whatever make it was; the VIP stays."""
    with namespaces.inside(scene.host.namespace):
        known = preparing.book().read()
    if not any(notes.get("tunnels") for notes in known.holders.values()):
        raise LabError(f"packets for {scene.host.name} come in no tunnel", "use a lab like tunnel")
    vips = " ".join(str(vip) for vip in scene.vips)
    programs = "; ".join(
        f"tc qdisc del dev {device['ifname']} clsact 2>/dev/null"
        for device in json.loads(scene.ask("ip -json link show type veth"))
    )
    devices = "; ".join(f"ip link set {name} down 2>/dev/null" for name in sorted(TUNNELS))
    scene.do(f"{programs}; {devices}; true", f"directrix realserver start --vip {vips}")


def _wrong_gateway(scene: Scene) -> None:
    director = scene.of_role(Role.DIRECTOR)
    for version in (4, 6):
        address = scene.neighbour_address(director, version)
        if address is None:
            continue
        before = scene.ask(f"ip -{version} route show default")
        undo = f"ip -{version} route del default 2>/dev/null || true"
        if before:
            undo = f"ip -{version} route replace {before.splitlines()[0].strip()}"
        scene.do(f"ip -{version} route replace default via {address.ip}", undo)


def _no_neighbour(scene: Scene) -> None:
    server = scene.of_role(Role.REALSERVER)
    for version in (4, 6):
        address = scene.neighbour_address(server, version)
        if address is not None:
            device = scene.device_of(address.ip)
            entry = f"{address.ip} dev {device}"
            scene.do(
                f"ip neighbour replace {entry} lladdr {_NOBODY} nud permanent",
                f"ip neighbour del {entry} 2>/dev/null || true",
            )


def _without_daemon(scene: Scene) -> None:
    """Take care that no daemon looks after the director, and would put right or be confused by what is broken."""
    if directing.has_daemon(scene.lab.name, scene.host.name):
        raise LabError(f"{scene.host.name} is looked after by `directrix run`", "use a lab like one-segment")


def _director_no_vip(scene: Scene) -> None:
    _without_daemon(scene)
    for vip in scene.vips:
        device = scene.device_of(vip)
        scene.do(f"ip address del {_single(vip)} dev {device}", f"ip address replace {as_director(vip, device)}")


def _only_vip(scene: Scene) -> None:
    """The VIP, with the network's prefix, in place of the director's own address."""
    _without_daemon(scene)
    vip = _vip(scene, 4)
    own = next((each for each in scene.addresses() if vip in each.network), None)
    if own is None:
        raise LabError(f"{scene.host.name} has no address in the network of {vip}")
    device, wide = scene.device_of(vip), f"{vip}/{own.network.prefixlen}"
    scene.do(
        f"ip address del {own} dev {device}; ip address del {_single(vip)} dev {device}; "
        f"ip address add {wide} dev {device}",
        f"ip -4 address flush dev {device}; ip address add {own} dev {device}; "
        f"ip address add {_single(vip)} dev {device}",
    )


def _detached(scene: Scene) -> None:
    for device in json.loads(scene.ask("ip -json link show type veth")):
        scene.do(f"tc qdisc del dev {device['ifname']} clsact", "directrix up --quiet")


def _table_full(scene: Scene) -> None:
    """A table with little room, and as many connections in it as it takes."""
    _without_daemon(scene)
    made_anew = (
        "services=$(directrix ipvsadm -S -n) && directrix down --quiet; "
        'directrix up --quiet --connections {size} && echo "$services" | directrix ipvsadm -R'
    )
    vip = _vip(scene, 4)
    client = scene.of_role(Role.CLIENT)
    device, own = scene.device_of(vip), next(each for each in scene.addresses() if each.version == 4)
    target = json.loads(scene.ask(f"ip -json link show {device}"))[0]["address"]
    scene.do(made_anew.format(size=_SMALL_TABLE), made_anew.format(size=_SYSTEM_TABLE))
    if scene.neighbour_address(client, 4) is None:
        raise LabError(f"no client is on a wire of {scene.host.name}", "use a lab like one-segment")
    with namespaces.inside(client.namespace):
        _open_connections(scene.device_of(own.ip, client), bytes.fromhex(target.replace(":", "")), vip)


def _open_connections(device: str, mac: bytes, vip: Address) -> None:
    """Connections from addresses for benchmarks (RFC 2544): a SYN and an ACK each is what the director sees."""
    chosen = random.Random(1)
    with Wire(device) as wire:
        for number in range(3 * _SMALL_TABLE):
            source = IPv4Address(int(IPv4Address("198.18.0.0")) + chosen.randrange(1 << 17))
            route = frames.Route(bytes.fromhex("020000000001"), mac, source, vip)
            port = 1024 + number
            wire.send(frames.tcp(route, port, 80, frames.SYN, sequence=1))
            wire.send(frames.tcp(route, port, 80, frames.ACK, sequence=2, acknowledged=1))


def _device(scene: Scene) -> str:
    return scene.device_of(scene.addresses()[0].ip)


def _vip(scene: Scene, version: int) -> Address:
    for vip in scene.vips:
        if vip.version == version:
            return vip
    raise LabError(f"lab {scene.lab.name!r} has no IPv{version} VIP")


def _carried(vip: Address) -> str:
    """A VIP as `directrix realserver start` gives it to lo."""
    return " ".join(OwnAddress(str(vip), "lo", "host").boot_words()[3:])


def _single(vip: Address) -> str:
    return f"{vip}/{vip.max_prefixlen}"


BREAKS = {
    each.name: each
    for each in (
        Break(
            "arp-leak",
            "a real server answers ARP for the VIP (arp_ignore and arp_announce are 0)",
            "now and then a client talks to this real server alone",
            Role.REALSERVER,
            _arp_leak,
        ),
        Break("no-vip", "a real server does not carry the VIP", "its connections time out", Role.REALSERVER, _no_vip),
        Break(
            "wide-vip",
            "a real server carries the VIP on lo with the network's prefix instead of /32",
            "it takes all its neighbours for itself and vanishes",
            Role.REALSERVER,
            _wide_vip,
        ),
        Break(
            "wrong-bind",
            "a real server's nginx listens on its own address only",
            "its connections are refused",
            Role.REALSERVER,
            _wrong_bind,
        ),
        Break(
            "wrong-port",
            "a real server's nginx listens at port 8080 instead of 80",
            "its connections are refused",
            Role.REALSERVER,
            _wrong_port,
        ),
        Break(
            "rp-filter",
            "a real server's answers leave by a second interface, and strict reverse-path filtering is on",
            "its connections time out, though the director reaches it",
            Role.REALSERVER,
            _rp_filter,
        ),
        Break(
            "firewall",
            "a real server's rules drop what comes for the VIP",
            "its connections time out",
            Role.REALSERVER,
            _firewall,
        ),
        Break(
            "no-decapsulation",
            "a real server takes packets out of its tunnel no more",
            "its connections are refused or time out, though the real server answers for itself",
            Role.REALSERVER,
            _no_decapsulation,
        ),
        Break(
            "wrong-gateway",
            "a real server's default route leads to the director",
            "clients beyond the segment get no answers from it",
            Role.REALSERVER,
            _wrong_gateway,
        ),
        Break(
            "dup-vip",
            "a client carries the VIP too, and answers for it",
            "others sometimes reach the client instead of the cluster",
            Role.CLIENT,
            _dup_vip,
        ),
        Break(
            "mtu",
            "the director's interfaces take shorter packets (1400) than clients and real servers send",
            "pages come, uploads stand still",
            Role.DIRECTOR,
            _mtu,
        ),
        Break(
            "no-neighbour",
            "the director's neighbour table has a wrong permanent entry for a real server",
            "its connections time out",
            Role.DIRECTOR,
            _no_neighbour,
        ),
        Break(
            "director-no-vip",
            "the director does not carry the VIP",
            "nobody answers when clients ask for it",
            Role.DIRECTOR,
            _director_no_vip,
        ),
        Break(
            "only-vip",
            "the director has no other address than the VIP",
            "as soon as it has to ask for a real server, that one does not answer",
            Role.DIRECTOR,
            _only_vip,
        ),
        Break(
            "detached",
            "the data plane is off the director's interfaces",
            "connections are refused",
            Role.DIRECTOR,
            _detached,
        ),
        Break(
            "table-full",
            "the connection table is small, and full of connections",
            "new connections time out; those there are go on",
            Role.DIRECTOR,
            _table_full,
        ),
        *MASQUERADE_BREAKS,
        *VRRP_BREAKS,
    )
}
"""By the name `directrix lab break` takes."""


def find_break(name: str) -> Break:
    """The break of a name.

    Raises:
        LabError: there is none.
    """
    if name not in BREAKS:
        raise LabError(
            f"nothing is called {name!r} that could be broken{suggest(name, BREAKS)}",
            "`directrix lab break` lists what can be",
        )
    return BREAKS[name]
