"""The cluster a scenario plays on: hosts in nameless network namespaces on one segment.

    client ---+--- switch ---+--- director (the VIPs)
                             +--- rs1, rs2, rs3 (the VIPs on lo, silent in ARP)

The namespaces have no names: this process holds them open, and they are gone with it, however it
ends. Made with `ip` alone, in as few calls as can be, for a spawned process costs tens of
milliseconds in User Mode Linux.

Behind the client lie the networks 10.1.0.0/16 and fd01::/64: nobody lives there, so raw packets
can be sent from their addresses, and no TCP of the client's answers what comes back.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VIPS = ("10.0.0.100", "10.0.0.101", "fd00::100")
REAL_SERVERS = ("rs1", "rs2", "rs3")
NUMBERS = {"client": 50, "director": 2, "rs1": 11, "rs2": 12, "rs3": 13}
"""Last part of each host's addresses in 10.0.0.0/24 and fd00::/64."""
MORE_CLIENTS = ("10.0.0.51/24", "10.0.0.52/24", "fd00::51/64")

SILENT = ("10.0.0.99", "fd00::99")

LONGEST = 9000

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def _check(status: int, what: str) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), what)


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace, open as `descriptor`, with one interface, eth0."""

    name: str
    descriptor: int

    @property
    def mac(self) -> bytes:
        return bytes((2, 0, 0, 0, 0, NUMBERS[self.name]))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process is in the namespace meanwhile; sockets made there stay there."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            _check(_LIBC.setns(self.descriptor, _CLONE_NEWNET), f"enter {self.name}")
            yield
        finally:
            _check(_LIBC.setns(home, _CLONE_NEWNET), "leave")
            os.close(home)

    def ip(self, *commands: str) -> None:
        with self.entered():
            _ip(*commands)

    def set(self, **values: int) -> None:
        """Set sysctls of IPv4: `all_rp_filter=0` is conf/all/rp_filter, `ip_…` and `tcp_…` are ipv4/…"""
        with self.entered():
            for name, value in values.items():
                scope, _, rest = name.partition("_")
                path = name if scope not in ("all", "default") else f"conf/{scope}/{rest}"
                Path("/proc/sys/net/ipv4", path).write_text(str(value))


def build() -> dict[str, Host]:
    """The cluster, ready for packets. The calling process lives in the switch from now on."""
    hosts = {name: Host(name, _new_namespace()) for name in NUMBERS}
    os.close(_new_namespace())
    ports = [
        f"link add {name} type veth peer name eth0 address {host.mac.hex(':')} netns /proc/self/fd/{host.descriptor}"
        for name, host in hosts.items()
    ]
    _ip(
        "link set lo up",
        "link add bridge type bridge mcast_snooping 0 stp_state 0 forward_delay 0",
        "link set bridge up",
        *ports,
        *(f"link set {name} master bridge up" for name in hosts),
    )
    for name, host in hosts.items():
        host.set(all_rp_filter=0, default_rp_filter=0)
        commands = ["link set lo up"]
        commands += [f"addr add {address} dev eth0" for address in _addresses(name)]
        commands += ["link set eth0 up"]
        if name in REAL_SERVERS:
            host.set(all_arp_ignore=1, all_arp_announce=2)
            commands += [f"addr add {vip}{' nodad' * (':' in vip)} dev lo" for vip in VIPS]
        host.set(icmp_ratelimit=0)
        with host.entered():
            Path("/proc/sys/net/ipv6/icmp/ratelimit").write_text("0")
        if name == "client":
            host.set(tcp_tw_reuse=1)
            commands += ["route add blackhole fd01::/64"]  # else it would say that it has no route
        else:
            commands += ["route add 10.1.0.0/16 via 10.0.0.50", "route add fd01::/64 via fd00::50"]
        host.ip(*commands)
    for one, other in (
        *_pairs("client", "director"),
        *(pair for name in REAL_SERVERS for pair in _pairs(name, *NUMBERS)),
    ):
        _knock(hosts[one], NUMBERS[other])
    return hosts


def widen(hosts: dict[str, Host]) -> None:
    """Let packets be as long as Ethernet carries them anywhere."""
    _ip(*(f"link set {name} mtu {LONGEST}" for name in hosts), f"link set bridge mtu {LONGEST}")
    for host in hosts.values():
        host.ip(f"link set eth0 mtu {LONGEST}")


def through_director(hosts: dict[str, Host]) -> None:
    """Have the real servers send to clients by way of the director, which forwards: what masquerading needs.

    And give rs3 addresses that nobody answers at: frames for SILENT arrive there and no more.
    """
    director = hosts["director"]
    director.set(ip_forward=1, all_send_redirects=0, default_send_redirects=0)
    with director.entered():
        Path("/proc/sys/net/ipv4/conf/eth0/send_redirects").write_text("0")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    silent = [f"neigh replace {address} lladdr {hosts['rs3'].mac.hex(':')} dev eth0" for address in SILENT]
    director.ip(*silent)
    clients = ["10.1.0.0/16", "fd01::/64", *(f"{address.partition('/')[0]}" for address in _addresses("client"))]
    for name in REAL_SERVERS:
        with hosts[name].entered():  # IPv6 has no way to ask a router not to send them
            Path("/proc/sys/net/ipv6/conf/eth0/accept_redirects").write_text("0")
        hosts[name].ip(*(f"route replace {to} via {'fd00::2' if ':' in to else '10.0.0.2'}" for to in clients))


def _pairs(one: str, *others: str) -> list[tuple[str, str]]:
    return [pair for other in others if other != one for pair in ((one, other), (other, one))]


def _knock(host: Host, number: int) -> None:
    """Make a host known to another: the first packets of a scenario shall not wait for neighbours to be found."""
    with host.entered():
        for family, address in ((socket.AF_INET, f"10.0.0.{number}"), (socket.AF_INET6, f"fd00::{number}")):
            with socket.socket(family, socket.SOCK_DGRAM) as knocking:
                knocking.settimeout(0.1)
                knocking.connect((address, 9))
                for _ in range(50):
                    try:
                        knocking.send(b"?")
                        knocking.recv(1)
                    except ConnectionRefusedError:
                        break
                    except TimeoutError:
                        continue
                else:
                    raise RuntimeError(f"{host.name} can't reach {address}")


def _addresses(name: str) -> list[str]:
    number = NUMBERS[name]
    addresses = [f"10.0.0.{number}/24", f"fd00::{number}/64"]
    if name == "director":
        # Deprecated, so that the director never speaks as the VIP to a real server, which would answer itself.
        addresses += [f"{vip} preferred_lft 0" for vip in VIPS]
    if name == "client":
        addresses += MORE_CLIENTS
    return [f"{address} nodad" if ":" in address else address for address in addresses]


def _new_namespace() -> int:
    """Move this process into a new network namespace; a descriptor of it."""
    _check(_LIBC.unshare(_CLONE_NEWNET), "a new network namespace")
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(descriptor, True)  # for `ip`, which is told of it by number
    return descriptor


def _ip(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True, close_fds=False)
