"""A director in this process's network namespace, to be measured: one device, real servers, a table.

Nothing is on a wire: packets go in by BPF_PROG_TEST_RUN. The neighbours are permanent entries, so
that frames are sent at once.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from bench.report import OUT
from directrix.table.xdp import director, layout, libbpf, loader, pins
from directrix.table.xdp.maps import Maps

COMMAND = (sys.executable, "-m", "directrix")

VIP, VIP6 = "10.0.0.100", "fd00::100"
CLIENT, CLIENT6 = "10.64.0.1", "fd00::64"
DEVICE_MAC = bytes.fromhex("020000000001")
OTHER_MAC = bytes.fromhex("020000000002")
XDP_PASS, XDP_TX = 2, 3
TC_UNSPEC, TC_REDIRECT = 0xFFFFFFFF, 7
SYN, ACK = 0x02, 0x10
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP

_REAL_SERVERS = ("10.0.1.1", "10.0.1.2"), ("fd00::11", "fd00::12")
_DEVICES = f"""
link add wire address {DEVICE_MAC.hex(":")} type veth peer name far
link set lo up
link set wire up
link set far up
addr add 10.0.0.2/8 dev wire
addr add fd00::2/64 dev wire nodad
""" + "".join(
    f"neigh replace {address} lladdr 02:00:00:00:01:{number:02x} dev wire nud permanent\n"
    for addresses in _REAL_SERVERS
    for number, address in enumerate(addresses)
)
RULES = "".join(
    f"-A {kind} {vip}:80 -s rr\n" + "".join(f"-a {kind} {vip}:80 -r {address}:80 -g -w 1\n" for address in addresses)
    for kind, vip, addresses in (
        ("-t", VIP, _REAL_SERVERS[0]),
        ("-u", VIP, _REAL_SERVERS[0]),
        ("-t", f"[{VIP6}]", [f"[{address}]" for address in _REAL_SERVERS[1]]),
    )
)


def ensure_private() -> None:
    """This process must be in a network namespace where nothing is yet.

    Raises:
        SystemExit: it is not.
    """
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        raise SystemExit("bench: this changes the network: run it by scripts/bench, in a namespace of its own")


def frame(
    protocol: int, *, vip: str = VIP, client: str = CLIENT, port: int = 80, flags: int = ACK, mac: bytes = DEVICE_MAC
) -> bytes:
    """A frame from a client to a VIP. Its checksums and source port are for `Director.send` to fill in."""
    destination, source = ip_address(vip), ip_address(client)
    if protocol == TCP:
        transport = struct.pack("!HHIIBBHHH", 1024, port, 1, 1, 0x50, flags, 0xFFFF, 0, 0)
    else:
        transport = struct.pack("!HHHH", 1024, port, 8, 0)
    if destination.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0x4000, 64, protocol, 0)
        kind = b"\x08\x00"
    else:
        header = struct.pack("!IHBB", 0x60000000, len(transport), protocol, 64)
        kind = _IPV6
    return (mac + OTHER_MAC + kind + header + source.packed + destination.packed + transport).ljust(60, b"\0")


@dataclass(frozen=True, slots=True)
class Director:
    """The director under measurement."""

    place: pins.Place
    programs: libbpf.Object
    maps: Maps
    flood: libbpf.Object

    @property
    def connections(self) -> int:
        """How many connections the table holds."""
        return layout.FRONT.get(self.maps.front.bytes, 0, "connections")

    def verdicts(self) -> dict[str, int]:
        """How many packets have come to each end."""
        status = director.status()
        return {verdict.name: count for verdict, count in status.verdicts} if status else {}

    def send(
        self,
        packet: bytes,
        count: int,
        *,
        hook: str = "xdp",
        flows: int = 1,
        first: int = 0,
        through: bool = True,
        attack: int = 0,
        source: int = 0,
    ) -> libbpf.RunResult:
        """Send `count` packets like this one, of `flows` flows in turn, in at the device; what the last met.

        Without `through` they go nowhere: what that takes is to be subtracted. With `attack` one in so many of them is
        a SYN instead, every one from another address, `source` and those after it.
        """
        six = packet[12:14] == _IPV6
        header = packet[14:24] + packet[30:34]
        numbers = (
            first,
            flows,
            _FIRST_CLIENT,
            sum(struct.unpack("=7H", header)),
            six,
            packet[_TCP_FLAGS],
            attack,
            0,
            source,
        )
        plan = packet[:12] + struct.pack("=9I", *numbers)
        libbpf.map_update(self.flood.map_fd(".data.plan"), bytes(4), plan)
        array = self.flood.map_fd(f"{hook}_under_test")
        if through:
            libbpf.map_update(array, bytes(4), self.programs.program(f"directrix_{hook}").to_bytes(4, "little"))
        else:
            libbpf.map_delete(array, bytes(4))
        index = socket.if_nametoindex("wire")
        if hook == "xdp":
            context = struct.pack("=6I", 0, len(packet), 0, index, 0, 0)
        else:
            context = bytes(_SKB_IFINDEX) + struct.pack("=I", index)
        return libbpf.run(self.flood.program(f"flood_{hook}"), packet, context=context, repeat=count)


_TCP_FLAGS = 47
"""Offset of TCP's flags in a frame of IPv4."""

_SKB_IFINDEX = 40
"""Offset of `ifindex` in struct __sk_buff: the device a test run of a tc program gives its packet."""

_IPV6 = b"\x86\xdd"
_FIRST_CLIENT = int(ip_address("10.64.0.1"))


def _load_flood() -> libbpf.Object:
    OUT.mkdir(parents=True, exist_ok=True)
    target = OUT / "flood.bpf.o"
    include = f"-I/usr/include/{os.uname().machine}-linux-gnu"
    source = Path(__file__).with_name("flood.bpf.c")
    subprocess.run(["clang", "-O2", "-g", "-Wall", "-target", "bpf", include, "-c", source, "-o", target], check=True)
    flood = libbpf.Object.open(target)
    flood.load()
    return flood


def directrix(*words: str, rules: str | None = None) -> str:
    """Run the command as a person would; what it said.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    return subprocess.run([*COMMAND, *words], input=rules, text=True, check=True, capture_output=True).stdout


def make_devices() -> None:
    """The director's device and what it knows of its neighbours."""
    ensure_private()
    subprocess.run(["ip", "-batch", "-"], input=_DEVICES, text=True, check=True)


@contextmanager
def running(connections: int) -> Iterator[Director]:
    """A table of this size with the services of RULES; gone afterwards. The devices must be there."""
    director.bring_up(["wire"], "xdp", connections)
    try:
        directrix("ipvsadm", "-R", rules=RULES)
        directrix("status")  # looks the next hops up: XDP leaves packets without one to the kernel
        place = pins.here()
        maps = Maps(place)
        flood = _load_flood()
        try:
            with loader.loaded(place) as programs:
                yield Director(place, programs, maps, flood)
        finally:
            flood.close()
            maps.close()
    finally:
        director.take_down()
