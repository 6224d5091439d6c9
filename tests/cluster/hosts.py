"""Hosts for black-box tests: plain network namespaces, made with `ip` alone.

Nothing of the product is used here but its command, called as a user calls it. Sockets of other namespaces are opened
by the test's own thread, which steps into the namespace and back: a socket stays where it was born.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DIRECTRIX = [sys.executable, "-m", "directrix"]
VIP, VIP6 = "10.0.0.100", "fd00::100"
SMALL = "10000"
"""Connections in the tables of most tests, so that many of them cost no memory."""

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


@contextmanager
def _namespace(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _enter(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def until(what: str, condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Wait until something is the case; answers how long it took, in seconds.

    It is looked at once more after the time is up: a look may have taken long on a busy machine.
    """
    start, over = time.monotonic(), False
    while not condition():
        assert not over, f"waited {seconds} s in vain until {what}"
        time.sleep(0.005)
        over = time.monotonic() - start >= seconds
    return time.monotonic() - start


@dataclass(slots=True)
class Host:
    """One network namespace."""

    name: str
    namespace: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    may_have_table: bool = False

    @property
    def path(self) -> str:
        return f"/run/netns/{self.namespace}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in this namespace meanwhile."""
        with _namespace("/proc/thread-self/ns/net") as home, _namespace(self.path) as here:
            _enter(here)
            try:
                yield
            finally:
                _enter(home)

    def run(self, *words: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command here by nsenter, which leaves the mount namespace as it is."""
        self._note(words)
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *words], capture_output=True, text=True, timeout=60, **options
        )
        assert not check or done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stderr or done.stdout}"
        return done

    def _note(self, words: tuple[str, ...]) -> None:
        """The product makes a table where it is called, by whatever name."""
        self.may_have_table |= any(name in str(word) for word in words for name in ("directrix", "ipvsadm"))

    def ip(self, words: str) -> None:
        """Several `ip` commands, separated by semicolons."""
        batch = "\n".join(part.strip() for part in words.split(";"))
        self.run("ip", "-batch", "-", input=batch)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a process here; it ends with the cluster."""
        self._note(words)
        process = subprocess.Popen(["nsenter", f"--net={self.path}", *words], text=True, **options)
        self.processes.append(process)
        return process

    def set(self, path: str, value: str | int) -> None:
        """Set a sysctl below net/."""
        with self.entered():
            Path("/proc/sys/net", path).write_text(str(value))

    def get(self, path: str) -> str:
        with self.entered():
            return Path("/proc/sys/net", path).read_text().strip()

    def mac(self, device: str = "eth0") -> str:
        [link] = json.loads(self.run("ip", "-json", "link", "show", "dev", device).stdout)
        return str(link["address"])

    # The product, as a user calls it.

    def directrix(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(*DIRECTRIX, *words, check=check)

    def ipvsadm(self, words: str, check: bool = True) -> str:
        """One ipvsadm command; answers its standard output."""
        return self.directrix("ipvsadm", *words.split(), check=check).stdout

    def restore(self, rules: str) -> None:
        """Several at once."""
        self.run(*DIRECTRIX, "ipvsadm", "-R", input="\n".join(part.strip() for part in rules.split(";")) + "\n")

    def up(self, *words: str) -> None:
        self.directrix("up", "-q", "-c", SMALL, *words)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.directrix("status", "--json").stdout)
        return status

    def verdicts(self) -> dict[str, int]:
        return {name: told["packets"] for name, told in self.status()["verdicts"].items() if told["packets"]}

    def hops(self) -> dict[str, dict[str, str]]:
        """Next hops by real server address without port."""
        return {hop["server"].rsplit(":", 1)[0].strip("[]"): hop for hop in self.status()["next_hops"]}


class Cluster:
    """Hosts and the wires between them. Everything is deleted by `close`."""

    def __init__(self) -> None:
        self.prefix = f"dxc{os.getpid()}x{next(_numbers)}"
        self.hosts: dict[str, Host] = {}
        self.closing: list[Callable[[], object]] = []

    def host(self, name: str) -> Host:
        host = Host(name, f"{self.prefix}-{name}")
        subprocess.run(["ip", "netns", "add", host.namespace], check=True)
        self.hosts[name] = host
        for family in ("ipv4", "ipv6"):
            for scope in ("all", "default"):
                if family == "ipv6":
                    host.set(f"ipv6/conf/{scope}/accept_dad", 0)
                    host.set(f"ipv6/conf/{scope}/accept_ra", 0)
                else:
                    host.set(f"ipv4/conf/{scope}/rp_filter", 0)
        host.ip("link set lo up")
        return host

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def wire(self, one: Host, device: str, other: Host, far: str) -> None:
        """A plain veth pair, offloads as they come."""
        one.ip(f"link add {device} type veth peer name {far} netns {other.namespace}; link set {device} up")
        other.ip(f"link set {far} up")

    def segment(self, switch: Host, bridge: str, ports: dict[str, tuple[Host, str]]) -> None:
        """A bridge in `switch` and a wire to each host: port name -> host and device."""
        switch.ip(f"link add {bridge} type bridge mcast_snooping 0 stp_state 0 forward_delay 0; link set {bridge} up")
        for port, (host, device) in ports.items():
            self.wire(host, device, switch, port)
            switch.ip(f"link set {port} master {bridge}")

    def close(self) -> None:
        for close in reversed(self.closing):
            with suppress(OSError):
                close()
        for host in self.hosts.values():
            for process in host.processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream:
                        stream.close()
        down = [
            subprocess.Popen(
                ["nsenter", f"--net={host.path}", *DIRECTRIX, "down", "-q"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for host in self.hosts.values()
            if host.may_have_table and Path(host.path).exists()
        ]
        for process in down:
            process.wait()
        for host in self.hosts.values():
            subprocess.run(["ip", "netns", "del", host.namespace], capture_output=True, check=False)


def be_real_server(host: Host, *vips: str) -> None:
    """The VIPs on lo, silent in ARP."""
    host.set("ipv4/conf/all/arp_ignore", 1)
    host.set("ipv4/conf/all/arp_announce", 2)
    host.ip(
        "; ".join(f"addr add {vip}/128 dev lo nodad" if ":" in vip else f"addr add {vip}/32 dev lo" for vip in vips)
    )


def one_armed(cluster: Cluster, servers: int = 2, extra: tuple[str, ...] = ()) -> Cluster:
    """Client, director and real servers on one segment: 10.0.0.0/24, fd00::/64; rs1 is .11, rs2 .12 …"""
    switch = cluster.host("switch")
    numbers = {"client": 50, "director": 1} | {f"rs{n}": 10 + n for n in range(1, servers + 1)}
    numbers |= {name: 200 + place for place, name in enumerate(extra)}
    ports = {f"p-{name}": (cluster.host(name), "eth0") for name in numbers}
    cluster.segment(switch, "br0", ports)
    for name, number in numbers.items():
        host = cluster[name]
        host.ip(f"addr add 10.0.0.{number}/24 dev eth0; addr add fd00::{number}/64 dev eth0 nodad")
        if name.startswith("rs"):
            be_real_server(host, VIP, VIP6)
    cluster["director"].ip(f"addr add {VIP}/32 dev eth0; addr add {VIP6}/128 dev eth0 nodad")
    return cluster


def two_armed(cluster: Cluster, servers: int = 2) -> Cluster:
    """Clients behind a gateway, real servers on another segment than the VIP, answers through the gateway.

    client 10.9.0.50 - gateway - 10.0.0.0/24 (director eth0, VIP) ; director eth1 - 10.0.2.0/24 (rs, gateway eth2)
    """
    switch, client, gateway, director = (cluster.host(name) for name in ("switch", "client", "gateway", "director"))
    back = {f"rs{n}": cluster.host(f"rs{n}") for n in range(1, servers + 1)}
    cluster.wire(client, "eth0", gateway, "eth0")
    cluster.segment(switch, "front", {"p-gateway": (gateway, "eth1"), "p-director": (director, "eth0")})
    cluster.segment(
        switch,
        "back",
        {"b-gateway": (gateway, "eth2"), "b-director": (director, "eth1")}
        | {f"b-{name}": (host, "eth0") for name, host in back.items()},
    )
    _address(client, "eth0", "9", 50)
    _address(gateway, "eth0", "9", 254)
    _address(gateway, "eth1", "0", 254)
    _address(gateway, "eth2", "2", 254)
    _address(director, "eth0", "0", 1)
    _address(director, "eth1", "2", 1)
    for number, host in enumerate(back.values(), 1):
        _address(host, "eth0", "2", 10 + number)
        be_real_server(host, VIP, VIP6)
        _default_route(host, "2")
    _default_route(client, "9")
    _default_route(director, "0")
    gateway.set("ipv4/ip_forward", 1)
    gateway.set("ipv6/conf/all/forwarding", 1)
    director.ip(f"addr add {VIP}/32 dev eth0; addr add {VIP6}/128 dev eth0 nodad")
    return cluster


def network6(net: str) -> str:
    return "fd00::" if net == "0" else f"fd00:{net}::"


def _address(host: Host, device: str, net: str, number: int) -> None:
    host.ip(
        f"addr add 10.0.{net}.{number}/24 dev {device}" if net != "9" else f"addr add 10.9.0.{number}/24 dev {device}"
    )
    host.ip(f"addr add {network6(net)}{number}/64 dev {device} nodad")


def _default_route(host: Host, net: str) -> None:
    host.ip(f"route add default via {'10.9.0' if net == '9' else f'10.0.{net}'}.254")
    host.run("ip", "-6", "route", "add", "default", "via", f"{network6(net)}254")


def service(scheduler: str = "rr", port: int = 80, servers: tuple[int, ...] = (1, 2), net: str = "0") -> str:
    """Rules for TCP and UDP, both families, real servers by number."""
    rules = []
    for kind in ("-t", "-u"):
        rules.append(f"-A {kind} {VIP}:{port} -s {scheduler}")
        rules.append(f"-A {kind} [{VIP6}]:{port} -s {scheduler}")
        for n in servers:
            rules.append(f"-a {kind} {VIP}:{port} -r 10.0.{net}.{10 + n}:{port} -g -w 1")
            rules.append(f"-a {kind} [{VIP6}]:{port} -r [{network6(net)}{10 + n}]:{port} -g -w 1")
    return "; ".join(rules)
