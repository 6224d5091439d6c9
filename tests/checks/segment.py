"""A segment of direct routing in network namespaces: the director with the VIP, real servers with the VIP on lo."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

VIP, VIP6 = ip_address("10.0.0.100"), ip_address("fd00::100")
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

Address = IPv4Address | IPv6Address


class Segment:
    """Director 10.0.0.1, rs1 10.0.0.11, rs2 10.0.0.12; the same behind fd00::; a bridge between them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.servers: list[Server] = []

    def build(self) -> None:
        for name in ("switch", "director", "rs1", "rs2"):
            subprocess.run(["ip", "netns", "add", self.name(name)], check=True)
            self.ip(name, "link set lo up")
            self.set(name, "ipv6/conf/all/accept_dad", 0)
            self.set(name, "ipv6/conf/default/accept_dad", 0)
            self.set(name, "ipv4/conf/all/rp_filter", 0)
            self.set(name, "ipv4/conf/default/rp_filter", 0)
        self.ip("switch", "link add br0 type bridge mcast_snooping 0", "link set br0 up")
        for name, number in (("director", 1), ("rs1", 11), ("rs2", 12)):
            self.ip(
                name,
                f"link add eth0 type veth peer name {name} netns {self.name('switch')}",
                "link set eth0 up",
                f"addr add 10.0.0.{number}/24 dev eth0",
                f"addr add fd00::{number}/64 dev eth0 nodad",
            )
            self.ip("switch", f"link set {name} master br0", f"link set {name} up")
            if name != "director":
                self.set(name, "ipv4/conf/all/arp_ignore", 1)
                self.set(name, "ipv4/conf/all/arp_announce", 2)
                self.ip(name, f"addr add {VIP}/32 dev lo", f"addr add {VIP6}/128 dev lo nodad")
        self.ip("director", f"addr add {VIP}/32 dev eth0", f"addr add {VIP6}/128 dev eth0 nodad")

    def name(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def ip(self, host: str, *lines: str) -> None:
        batch = "\n".join(lines) + "\n"
        subprocess.run(["ip", "-netns", self.name(host), "-batch", "-"], input=batch, text=True, check=True)

    def set(self, host: str, path: str, value: int) -> None:
        with self.inside(host), open(f"/proc/sys/net/{path}", "w") as file:
            file.write(str(value))

    def count(self, host: str, counter: str) -> int:
        """A counter of /proc/net/netstat or snmp6."""
        with self.inside(host):
            for file in ("/proc/thread-self/net/netstat", "/proc/thread-self/net/snmp"):
                with open(file) as opened:
                    lines = opened.read().splitlines()
                for names, values in zip(lines[::2], lines[1::2], strict=True):
                    told = dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
                    if counter in told:
                        return told[counter]
        raise KeyError(counter)

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """The calling thread is in a host's network meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name(host)}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)
        finally:
            os.close(there)
            os.close(home)

    def serve(self, host: str, address: Address | str, answer: bytes = b"", port: int = 80) -> Server:
        """A TCP server in a host; with `answer` it answers each request with that and closes."""
        with self.inside(host):
            server = Server(str(address), port, answer)
        self.servers.append(server)
        return server

    def close(self) -> None:
        for server in self.servers:
            server.close()
        for name in ("director", "rs1", "rs2", "switch"):
            subprocess.run(["ip", "netns", "del", self.name(name)], capture_output=True, check=False)


class Server:
    """A TCP server of threads. It counts the connections that its service got to see."""

    def __init__(self, address: str, port: int, answer: bytes) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.accepted = 0
        self._answer = answer
        self._listening = socket.socket(family)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self._listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._listening.bind((address, port))
        self._listening.listen(64)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.accepted += 1
            with connection, suppress(OSError):
                if self._answer:
                    connection.settimeout(10)
                    connection.recv(4096)
                    connection.sendall(self._answer)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
