"""What a lab is: the values a lab file stands for."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from directrix.lvs import Address

InterfaceAddress = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

SWITCH = "switch"
"""The host that is always there: the namespace holding every segment's bridge."""


class Role(enum.StrEnum):
    """What a host is in the cluster; the role sets it up as an operator would."""

    CLIENT = "client"
    DIRECTOR = "director"
    REALSERVER = "realserver"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of a host: one end of a veth pair, the other a port of the segment's bridge."""

    name: str
    segment: str
    addresses: tuple[InterfaceAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a host; the default route has the destination 0.0.0.0/0 or ::/0."""

    destination: Network
    gateway: Address


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a lab.

    Attributes:
        role: what it is in the cluster.
        interfaces: its interfaces beside `lo`, in the order of the file.
        routes: beside those its addresses bring.
        vips: the virtual addresses it carries; where, its role decides.
        tunnels: of a real server, the kinds of tunnel in which packets for them come; empty if they come as they are.
        sysctls: kernel parameters, set after its role's own.
        nginx: the ports on which an nginx answers with the host's name; empty for no nginx.
        ipvsadm: lines for `directrix ipvsadm -R`.
        run: commands to run when everything else of the lab is there.
    """

    name: str
    role: Role
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...] = ()
    vips: tuple[Address, ...] = ()
    tunnels: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    nginx: tuple[int, ...] = ()
    ipvsadm: tuple[str, ...] = ()
    run: tuple[tuple[str, ...], ...] = ()

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of its interfaces, without the virtual ones."""
        return tuple(address for interface in self.interfaces for address in interface.addresses)


@dataclass(frozen=True, slots=True)
class Lab:
    """A whole lab.

    Attributes:
        title: one line saying what it shows.
        segments: the names of its layer-2 segments; each is a bridge.
        vips: the virtual addresses of the cluster.
        hosts: in the order of the file.
        keepalived: the keepalived.conf that every director runs, with its own name as the configuration's id; empty
            for directors without a daemon.
    """

    title: str
    segments: tuple[str, ...]
    vips: tuple[Address, ...]
    hosts: tuple[Host, ...]
    keepalived: str = ""

    def host(self, name: str) -> Host:
        """The host of this name.

        Raises:
            KeyError: there is none.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
