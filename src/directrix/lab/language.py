"""The lab file language: from TOML to a `Lab`, or to a list of everything that is wrong.

    title = "One line saying what the lab shows"
    segments = ["lan"]                          # layer-2 segments; each becomes a bridge
    vips = ["10.0.0.100", "fd00::100"]          # the cluster's virtual addresses
    keepalived = '''…'''                      # the keepalived.conf its directors run; `@d1` in it is host d1's alone

    [hosts.rs1]                                 # a host; `rs1` is its name
    role = "realserver"                         # client, director, realserver or router
    interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.11/24", "fd00::11/64"] }
    routes = ["default via 10.0.0.1"]
    vips = []                                   # which VIPs it carries; all, if left out
    tunnels = ["ipip"]                          # real servers: in what packets for them come; as they are, if left out
    sysctl = { "net.ipv4.tcp_tw_reuse" = 1 }
    nginx = [80]                                # ports on which nginx answers with the host's name
    ipvsadm = ["-A -t 10.0.0.100:80 -s rr"]     # directors: lines as `ipvsadm -S` prints them
    run = ["ip neigh flush all"]                # commands to run when all the rest is there

What a role does is told in `plumbing`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from directrix.keepalived import FaultyConfiguration, Severity, loads
from directrix.lab.definition import (
    SWITCH,
    Host,
    Interface,
    InterfaceAddress,
    Lab,
    Role,
    Route,
)
from directrix.lab.reading import Document, Node, load, suggest
from directrix.lvs import Address
from directrix.realserver.encapsulation import read_encapsulation
from directrix.system.host_error import HostError

_LAB_KEYS = ("title", "segments", "vips", "keepalived", "hosts")
_HOST_KEYS = ("role", "interfaces", "routes", "vips", "tunnels", "sysctl", "nginx", "ipvsadm", "run")
_INTERFACE_KEYS = ("segment", "addresses")

_NAME = re.compile(r"[a-z][a-z0-9]*")
_NAME_RULE = "use small letters and digits, a letter first"
_INTERFACE_NAME_LENGTH = 15
"""Linux's IFNAMSIZ without the final zero."""


def read_lab(path: Path) -> Lab:
    """The lab a file describes.

    Raises:
        FaultyFile: with every mistake and its place.
        LabError: the file can't be read.
    """
    return parse(load(path), str(path))


def parse(text: str, source: str) -> Lab:
    """The lab a text describes; `source` is what errors call it.

    Raises:
        FaultyFile: with every mistake and its place.
    """
    document = Document(text, source)
    lab = _lab(document.root)
    document.check()
    return lab


def _lab(root: Node) -> Lab:
    entries = root.table(_LAB_KEYS)
    title = (entries["title"].text() or "") if "title" in entries else ""
    segments = _segments(entries.get("segments"), root)
    vips = _vips(entries.get("vips"))
    keepalived = (entries["keepalived"].text() or "") if "keepalived" in entries else ""
    hosts: list[Host] = []
    if "hosts" in entries:
        used: dict[Address, str] = dict.fromkeys(vips, "a VIP")
        for node in entries["hosts"].table().values():
            hosts.append(_host(node, segments, vips, used, daemon=bool(keepalived)))
        if not hosts and isinstance(entries["hosts"].value, dict):
            entries["hosts"].key_fault("there are no hosts; add a table [hosts.NAME] for each")
    else:
        root.key_fault("there are no hosts; add a table [hosts.NAME] for each")
    if keepalived:
        _check_keepalived(
            entries["keepalived"], keepalived, [host.name for host in hosts if host.role is Role.DIRECTOR]
        )
    return Lab(title, segments, vips, tuple(hosts), keepalived)


def _check_keepalived(node: Node, text: str, directors: list[str]) -> None:
    """Read the configuration as each director will; its mistakes are the lab file's."""
    if not directors:
        node.key_fault('no host has role = "director", and nobody else runs it')
    found = set()
    for name in directors:
        try:
            loads(text, "keepalived.conf", name)
        except FaultyConfiguration as faulty:
            found |= {fault for fault in faulty.faults if fault.severity is Severity.ERROR}
    for fault in found:
        node.fault_inside(fault.place.line, fault.place.column, fault.reason)


def _segments(node: Node | None, root: Node) -> tuple[str, ...]:
    if node is None:
        root.key_fault('there are no segments; add, say, segments = ["lan"]')
        return ()
    names: list[str] = []
    items = node.items()
    for item in items:
        name = item.text()
        if name is None:
            continue
        if not _NAME.fullmatch(name) or len(name) > _INTERFACE_NAME_LENGTH or name == "lo":
            item.fault(f"{name!r} can't name a segment; {_NAME_RULE}, at most {_INTERFACE_NAME_LENGTH}, not `lo`")
        elif name in names:
            item.fault(f"segment {name!r} is there already; name each once")
        names.append(name)
    if not items and node.value == []:
        node.fault('there are no segments; add, say, segments = ["lan"]')
    return tuple(names)


def _vips(node: Node | None, known: tuple[Address, ...] | None = None) -> tuple[Address, ...]:
    """A list of virtual addresses; those of a host must be `known` ones of the lab."""
    vips: list[Address] = []
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        try:
            vip = ip_address(text)
        except ValueError:
            item.fault(f"{text!r} is not an address; a VIP is written without a prefix, like 10.0.0.100 or fd00::100")
            continue
        if vip.is_multicast or vip.is_unspecified or vip.is_loopback or vip.is_link_local:
            item.fault(f"{vip} can't be a VIP; it must be an ordinary unicast address")
        elif vip in vips:
            item.fault(f"{vip} is there already; name each VIP once")
        elif known is not None and vip not in known:
            item.fault(f"{vip} is no VIP of this lab; add it to `vips` at the top of the file")
        else:
            vips.append(vip)
    return tuple(vips)


def _host(
    node: Node, segments: tuple[str, ...], vips: tuple[Address, ...], used: dict[Address, str], *, daemon: bool
) -> Host:
    if not _NAME.fullmatch(node.name):
        node.key_fault(f"{node.name!r} can't name a host; {_NAME_RULE}")
    elif node.name == SWITCH:
        node.key_fault(f"{SWITCH!r} can't name a host; it is the one that holds the segments' bridges")
    entries = node.table(_HOST_KEYS)
    interfaces = _interfaces(entries.get("interfaces"), node, segments, used)
    role = _role(entries.get("role"), node)
    if "ipvsadm" in entries and role not in (None, Role.DIRECTOR):
        entries["ipvsadm"].key_fault(f'{node.name!r} is a {role}; only a host with role = "director" has `ipvsadm`')
    elif "ipvsadm" in entries and daemon:
        entries["ipvsadm"].key_fault(
            "the table is made by what `keepalived` at the top of the file says; leave this out"
        )
    # Which director carries VIPs is for VRRP to say, where a daemon runs.
    carried = vips if role is Role.REALSERVER or (role is Role.DIRECTOR and not daemon) else ()
    if "vips" in entries:
        carried = _vips(entries["vips"], vips)
        if role in (Role.CLIENT, Role.ROUTER):
            entries["vips"].key_fault(f"{node.name!r} is a {role}; only a director or a realserver carries VIPs")
    return Host(
        name=node.name,
        role=role or Role.CLIENT,
        interfaces=interfaces,
        routes=_routes(entries.get("routes"), interfaces),
        vips=carried,
        tunnels=_tunnels(entries.get("tunnels"), node.name, role),
        sysctls=_sysctls(entries.get("sysctl")),
        nginx=_ports(entries.get("nginx")),
        ipvsadm=_rules(entries.get("ipvsadm")),
        run=_commands(entries.get("run")),
    )


def _tunnels(node: Node | None, host: str, role: Role | None) -> tuple[str, ...]:
    if node is not None and role not in (None, Role.REALSERVER):
        node.key_fault(f'{host!r} is a {role}; only a host with role = "realserver" gets packets in tunnels')
    tunnels = []
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        try:
            tunnels.append(str(read_encapsulation(text)))
        except HostError as error:
            item.fault(str(error))
    return tuple(tunnels)


def _role(node: Node | None, host: Node) -> Role | None:
    roles = [role.value for role in Role]
    if node is None:
        if isinstance(host.value, dict):
            host.key_fault(f"{host.name!r} has no role; add role = {' or '.join(repr(role) for role in roles)}")
        return None
    text = node.text()
    if text is None:
        return None
    if text not in roles:
        node.fault(f"there is no role {text!r}{suggest(text, roles)}; roles are: {', '.join(roles)}")
        return None
    return Role(text)


def _interfaces(
    node: Node | None, host: Node, segments: tuple[str, ...], used: dict[Address, str]
) -> tuple[Interface, ...]:
    example = 'interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.11/24"] }'
    if node is None:
        if isinstance(host.value, dict):
            host.key_fault(f"{host.name!r} has no interface; add, say, {example}")
        return ()
    interfaces = []
    for entry in node.table().values():
        if not _NAME.fullmatch(entry.name) or entry.name == "lo":
            entry.key_fault(f"{entry.name!r} can't name an interface; {_NAME_RULE}, not `lo`")
        port = f"{host.name}.{entry.name}"
        if len(port) > _INTERFACE_NAME_LENGTH:
            entry.key_fault(
                f"{port!r}, the name of the bridge port of this interface, is too long; host and interface name "
                f"may have {_INTERFACE_NAME_LENGTH - 1} characters together"
            )
        keys = entry.table(_INTERFACE_KEYS)
        segment = keys["segment"].text() if "segment" in keys else None
        if "segment" not in keys and isinstance(entry.value, dict):
            entry.key_fault(f"{entry.name!r} is on no segment; write, say, {example}")
        elif segment is not None and segment not in segments:
            keys["segment"].fault(
                f"there is no segment {segment!r}{suggest(segment, segments)}; add it to `segments` at the top"
            )
        addresses = tuple(_addresses(keys.get("addresses"), f"{host.name} {entry.name}", used))
        interfaces.append(Interface(entry.name, segment or "", addresses))
    if node.value == {}:
        node.key_fault(f"{host.name!r} has no interface; add, say, {example}")
    return tuple(interfaces)


def _addresses(node: Node | None, owner: str, used: dict[Address, str]) -> list[InterfaceAddress]:
    addresses = []
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        try:
            address = ip_interface(text)
        except ValueError:
            item.fault(f"{text!r} is not an address; write it with its prefix, like 10.0.0.11/24 or fd00::11/64")
            continue
        network = address.network
        if "/" not in text:
            item.fault(f"{text!r} has no prefix length; write, say, {text}/{24 if address.version == 4 else 64}")
        elif address.ip.is_multicast or address.ip.is_unspecified or address.ip.is_loopback:
            item.fault(f"{address.ip} can't be a host's address; it must be an ordinary unicast address")
        elif network.num_addresses > 2 and address.ip == network.network_address:
            item.fault(f"{text} is the address of the network itself; choose another one in {network}")
        elif network.num_addresses > 2 and address.version == 4 and address.ip == network.broadcast_address:
            item.fault(f"{text} is the network's broadcast address; choose another one in {network}")
        elif address.ip in used:
            item.fault(f"{address.ip} is taken: it is {used[address.ip]}; every address may be there once")
        else:
            used[address.ip] = f"the address of {owner}"
            addresses.append(address)
    return addresses


def _routes(node: Node | None, interfaces: tuple[Interface, ...]) -> tuple[Route, ...]:
    routes: list[Route] = []
    networks = [address.network for interface in interfaces for address in interface.addresses]
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        words = text.split()
        if len(words) != 3 or words[1] != "via":
            item.fault(f"{text!r} is not a route; write 'default via GATEWAY' or 'NETWORK via GATEWAY'")
            continue
        try:
            gateway = ip_address(words[2])
        except ValueError:
            item.fault(f"{words[2]!r} is not an address; a gateway is written without a prefix, like 10.0.0.1")
            continue
        everything = "0.0.0.0/0" if gateway.version == 4 else "::/0"
        try:
            destination = ip_network(everything if words[0] == "default" else words[0])
        except ValueError as error:
            item.fault(f"{words[0]!r} is not a network: {error}; write 'default' or, say, 10.0.0.0/24")
            continue
        if destination.version != gateway.version:
            item.fault(f"{destination} can't be reached via {gateway}: one is IPv4, the other IPv6")
        elif not any(gateway in network for network in networks):
            item.fault(
                f"{gateway} is on no network of this host; a gateway must be in the network of an address it has"
            )
        elif any(route.destination == destination for route in routes):
            item.fault(f"there is a route to {words[0]} already; every destination may have one")
        else:
            routes.append(Route(destination, gateway))
    return tuple(routes)


def _sysctls(node: Node | None) -> tuple[tuple[str, str], ...]:
    sysctls = []
    for entry in _leaves(node.table().values()) if node else []:
        key = ".".join(str(part) for part in entry.path[entry.path.index("sysctl") + 1 :])
        if not re.fullmatch(r"net[./][a-z0-9_./-]+", key) or ".." in key:
            entry.key_fault(f"{key!r} is not a parameter of a host's network; write, say, net.ipv4.tcp_syncookies")
        elif isinstance(entry.value, bool) or not isinstance(entry.value, int | str) or entry.value == "":
            entry.fault(f"the value of {key} must be a number or a text")
        else:
            sysctls.append((key, str(entry.value)))
    return tuple(sysctls)


def _leaves(nodes: Iterable[Node]) -> Iterator[Node]:
    """What is no table, at any depth: TOML reads an unquoted net.ipv4.ip_forward as nested tables."""
    for node in nodes:
        if isinstance(node.value, dict):
            yield from _leaves(node.table().values())
        else:
            yield node


def _ports(node: Node | None) -> tuple[int, ...]:
    ports: list[int] = []
    for item in node.items() if node else []:
        port = item.integer(1, 65535)
        if port in ports:
            item.fault(f"port {port} is there already; name each once")
        elif port is not None:
            ports.append(port)
    return tuple(ports)


def _commands(node: Node | None) -> tuple[tuple[str, ...], ...]:
    """Command lines, split into words as a shell does."""
    commands = []
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            item.fault(f"{text!r} is not a command line: {str(error).lower()}")
        else:
            commands.append(words)
    return tuple(commands)


def _rules(node: Node | None) -> tuple[str, ...]:
    """Lines for `ipvsadm -R`, which judges them itself."""
    rules = []
    for item in node.items() if node else []:
        text = item.text()
        if text is None:
            continue
        if not text.startswith("-") or "\n" in text:
            item.fault(f"{text!r} is no line for `ipvsadm -R`; write one line's options, like -A -t VIP:PORT -s rr")
        else:
            rules.append(text)
    return tuple(rules)
