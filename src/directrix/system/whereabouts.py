"""Where a host stands: its addresses, and which interface leads to where a VIP is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from directrix.system import addresses, sysctl
from directrix.system.address import Address
from directrix.system.addresses import AddressHere
from directrix.system.host_error import HostError
from directrix.system.links import Link, links

Vip = Address


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a host has, at one moment.

    Attributes:
        links: its interfaces, by ifindex.
        addresses: all of its addresses, in the kernel's order.
        defaults: the interfaces its default routes go by, by IP version, the preferred one first.
        without_ipv6: the interfaces on which IPv6 is disabled; all, where the kernel has none.
    """

    links: tuple[Link, ...]
    addresses: tuple[AddressHere, ...]
    defaults: dict[int, tuple[str, ...]]
    without_ipv6: frozenset[str] = frozenset()

    def carriers(self, vip: Vip) -> list[AddressHere]:
        """Where this very address is, if it is."""
        return [own for own in self.addresses if own.address.ip == vip]

    def own_address(self, interface: str, version: int, besides: Iterable[Vip] = ()) -> Vip | None:
        """The first address of an interface that is neither link-local nor carried as /32 or /128."""
        for own in self.addresses:
            address = own.address
            if (
                own.interface == interface
                and address.version == version
                and not address.ip.is_link_local
                and address.network.prefixlen < address.max_prefixlen
                and address.ip not in tuple(besides)
            ):
                return address.ip
        return None

    def interface_of(self, vip: Vip) -> str:
        """The interface at which packets to a VIP arrive: the one in its network, else that of the default route.

        Raises:
            HostError: neither tells.
        """
        in_its_network = [
            own
            for own in self.addresses
            if own.interface != "lo" and vip in own.address.network and own.address.ip != vip
        ]
        if in_its_network:
            return max(in_its_network, key=lambda own: own.address.network.prefixlen).interface
        by_default = [name for name in self.defaults.get(vip.version, ()) if name != "lo"]
        if by_default:
            return by_default[0]
        others = [link.name for link in self.links if link.up and link.type != "loopback"]
        if len(others) == 1:
            return others[0]
        raise HostError(
            f"it can't be told at which interface packets to {vip} arrive: none is in its network, and there is no "
            f"default route",
            f"name it with --interface ({', '.join(others) or 'there is none'})",
        )

    def check_interface(self, name: str) -> str:
        """The name, if there is such an interface and it leads to others.

        Raises:
            HostError: not so.
        """
        known = {link.name: link for link in self.links}
        outward = [link.name for link in self.links if link.type != "loopback"]
        if name not in known:
            raise HostError(f"there is no interface {name!r} here", f"there are: {', '.join(outward) or 'none but lo'}")
        if known[name].type == "loopback":
            raise HostError(
                f"{name} leads to nobody", "name the interface at which packets to the VIP arrive from the network"
            )
        return name

    def check_unicast(self, vip: Vip) -> None:
        """Take care that a VIP is no broadcast address of a network we are in, nor the network's own (IPv4 alone).

        Raises:
            HostError: it is one of them; packets to it go to all hosts, or nobody answers for it.
        """
        for own in self.addresses:
            network = own.address.network
            if vip.version == 4 and network.version == 4 and network.prefixlen < 31 and own.interface != "lo":
                what = {network.broadcast_address: "broadcast address", network.network_address: "network address"}.get(
                    vip
                )
                if what is not None:
                    raise HostError(
                        f"{vip} is the {what} of {network} on {own.interface}, and can't be a VIP",
                        "give an address that no host has for its own",
                    )

    def check_ipv6(self, vip: Vip, interface: str) -> None:
        """Take care that an interface can have an IPv6 address, if that is one.

        Raises:
            HostError: it can't.
        """
        if vip.version == 6 and interface in self.without_ipv6:
            raise HostError(
                f"IPv6 is disabled on {interface}, so it can't carry {vip}",
                f"enable it with `sysctl -w net.ipv6.conf.{interface}.disable_ipv6=0`",
            )


def look() -> Whereabouts:
    """Look where this host stands.

    Raises:
        CommandFailed: `ip` is not there or failed.
    """
    found = tuple(links())
    separate = "net/ipv6/conf/{}/disable_ipv6"
    return Whereabouts(
        found,
        tuple(addresses.addresses()),
        {version: tuple(addresses.default_interfaces(version)) for version in (4, 6)},
        frozenset(link.name for link in found if sysctl.read(separate.format(link.name)) != "0"),
    )


def read_vip(text: str) -> Vip:
    """The VIP a person wrote.

    Raises:
        HostError: it is no address, or none that can be a VIP.
    """
    word = text
    for full in ("/32", "/128"):
        if word.endswith(full) and (":" in word) == (full == "/128"):
            word = word.removesuffix(full)
    try:
        vip = ip_address(word)
    except ValueError:
        raise HostError(
            f"{text!r} is not an address", "a VIP is written without port and prefix, like 192.0.2.80 or 2001:db8::80"
        ) from None
    if vip.version == 6 and vip.scope_id:
        raise HostError(f"{text} names an interface", "a VIP is an address that is known beyond one interface")
    if vip.is_multicast or vip.is_unspecified or vip.is_loopback or vip.is_link_local or str(vip) == "255.255.255.255":
        raise HostError(f"{vip} can't be a VIP", "a VIP is an ordinary unicast address")
    if isinstance(vip, IPv6Address) and vip.ipv4_mapped:
        raise HostError(f"{vip} is an IPv4 address in IPv6's clothes", f"write {vip.ipv4_mapped}")
    return vip
