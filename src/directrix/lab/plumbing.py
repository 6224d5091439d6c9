"""What has to be told to the kernel to make a lab: `ip` commands and kernel parameters, as plain lists.

A lab named `web` with the host `rs1` has the namespaces `dx-web-rs1` and `dx-web-switch`. The
switch holds one bridge for each segment; a host's `eth0` is a veth whose other end is the bridge
port `rs1.eth0`. Nothing is made outside these namespaces, and a namespace takes everything in
it along when it goes.

What a role does:

- *director*: carries the VIPs on the interface whose network they belong to (else on its first).
- *realserver*: carries the VIPs on `lo`, keeps quiet about them, and takes packets for them out of tunnels if they come
  in some. `directrix realserver start` does it, so what is there can be looked at and undone by the same command.
- *router*: forwards.
- *client*: nothing.
"""

from __future__ import annotations

from directrix.lab.definition import SWITCH, Host, Interface, Lab, Role
from directrix.lvs import Address

SEPARATOR = "-"

FIRST_SYSCTLS = {
    # IPv4 settings of a new namespace are copied from the machine's; a lab starts from the
    # kernel's defaults wherever it is built.
    "net.ipv4.ip_forward": "0",
    **{
        f"net.ipv4.conf.{which}.{key}": "0"
        for which in ("all", "default")
        for key in ("rp_filter", "arp_ignore", "arp_announce", "arp_filter")
    },
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    # Without duplicate address detection IPv6 addresses can be used at once.
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    # A thousand connections at the same moment must fit into the listening sockets.
    "net.core.somaxconn": "4096",
    "net.ipv4.tcp_max_syn_backlog": "4096",
}
"""Kernel parameters of every host, to be set before it has interfaces: they inherit some."""

_OF_ROLE = {
    Role.CLIENT: {},
    Role.DIRECTOR: {},
    Role.REALSERVER: {},
    Role.ROUTER: {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"},
}


def namespace(lab_name: str, host_name: str) -> str:
    """The name of the network namespace of a host. No host's name has a dash, so it can't be two labs'."""
    return SEPARATOR.join(("dx", lab_name, host_name))


def namespaces(lab: Lab, lab_name: str) -> tuple[str, ...]:
    """The names of all namespaces of a lab, the switch's first."""
    return tuple(namespace(lab_name, name) for name in (SWITCH, *(host.name for host in lab.hosts)))


def namespace_commands(names: tuple[str, ...]) -> list[str]:
    """`ip` commands, for outside, that make namespaces."""
    return [f"netns add {name}" for name in names]


def switch_commands(lab: Lab, lab_name: str) -> list[str]:
    """`ip` commands, for inside the switch, that make the bridges and plug the hosts in."""
    # Snooping would hold back IPv6 neighbour discovery until it has learned who listens.
    commands = [f"link add name {segment} up type bridge mcast_snooping 0" for segment in lab.segments]
    for host in lab.hosts:
        for interface in host.interfaces:
            port, there = port_name(host, interface), namespace(lab_name, host.name)
            commands.append(f"link add name {port} type veth peer name {interface.name} netns {there}")
            commands.append(f"link set dev {port} master {interface.segment} up")
    return commands


def host_commands(host: Host) -> list[str]:
    """`ip` commands, for inside a host, that give it its addresses and routes."""
    commands = ["link set dev lo up"]
    for interface in host.interfaces:
        commands += [f"address add {address} dev {interface.name}" for address in interface.addresses]
    if host.role is Role.DIRECTOR:
        commands += [f"address add {as_director(vip, vip_device(host, vip))}" for vip in host.vips]
    commands += [f"link set dev {interface.name} up" for interface in host.interfaces]
    commands += [f"route add {route.destination} via {route.gateway}" for route in host.routes]
    return commands


def as_director(vip: Address, device: str) -> str:
    """A VIP as a director carries it, for `ip address`; over IPv6 it must be told not to begin connections with it."""
    return f"{vip}/{vip.max_prefixlen} dev {device}" + (" preferred_lft 0" if vip.version == 6 else "")


def host_sysctls(host: Host) -> list[tuple[str, str]]:
    """Kernel parameters of one host, to be set when its interfaces are there: its role's, then its own."""
    return [*_OF_ROLE[host.role].items(), *host.sysctls]


def port_name(host: Host, interface: Interface) -> str:
    """The name of the bridge port at the other end of a host's interface."""
    return f"{host.name}.{interface.name}"


def vip_device(host: Host, vip: Address) -> str:
    """The interface on which a director carries a VIP."""
    for interface in host.interfaces:
        if any(vip in address.network for address in interface.addresses):
            return interface.name
    return host.interfaces[0].name
