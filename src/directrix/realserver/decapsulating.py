"""What takes a VIP's packets out of tunnels: the kernel's own devices where it has them all, else a program of ours.

A device of the kernel takes all packets of its kind out, whoever they are for; but of GRE those with checksums or those
without, and the one that need not be made those without. The program takes out packets for the VIP alone, but it
can't put fragments of outer packets together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from zlib import crc32

from directrix.lvs import TunnelType
from directrix.realserver.encapsulation import Encapsulation
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.ingress import Clsact, IngressProgram, pack
from directrix.system.facts.setting import Setting, of_interface
from directrix.system.facts.tunnel_devices import FouPort, TunnelDevice, TunnelMode
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip

LOOSE = "2"
"""The value of rp_filter that takes a packet from where any route leads. Of `all` and an interface the kernel takes the
greater, so nothing undoes it."""

PREFERENCE = {4: 6401, 6: 6601}
"""Where programs stand in tc's ingress, by the VIP's version of IP."""

_PLACEHOLDER = struct.Struct("<16s4s")
_OBJECT = "decapsulate.bpf.o"
_TYPES = {TunnelType.IPIP: 1, TunnelType.GUE: 2, TunnelType.GRE: 4}
"""As bpf/decapsulate.bpf.c numbers them."""

_IPIP = {
    (4, 4): TunnelDevice("tunl0", "ipip"),
    (4, 6): TunnelDevice("sit0", "sit"),
    (6, 4): TunnelDevice("ip6tnl0", "ip6_tunnel"),
    (6, 6): TunnelDevice("ip6tnl0", "ip6_tunnel"),
}
"""By the IP versions outside and inside; GUE's, too, once the kernel has taken its header off."""

_ANY = TunnelMode("ip6tnl0", "any")

_GRE = {4: TunnelDevice("gre0", "ip_gre"), 6: TunnelDevice("ip6gre0", "ip6_gre")}

TUNNELS = frozenset(device.name for device in (*_IPIP.values(), *_GRE.values()))
"""The names of the kernel's devices that take packets out of tunnels, whoever sent them."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What there is in the kernel's way: devices, and what their modules are called."""

    devices: tuple[TunnelDevice, ...]
    ports: tuple[FouPort, ...]

    @property
    def facts(self) -> tuple[TunnelDevice | FouPort, ...]:
        """All of it."""
        return (*self.devices, *self.ports)


def in_the_kernel(vip: Vip, tunnels: Iterable[Encapsulation], outer: Sequence[int]) -> Kernel | None:
    """What the kernel needs to take a VIP's packets out of tunnels over these versions of IP; None if it can't."""
    devices, ports = [], []
    for tunnel in tunnels:
        if tunnel.checksum:
            return None
        for version in outer:
            if tunnel.type is TunnelType.GRE:
                devices.append(_GRE[version])
                continue
            devices.append(_IPIP[version, vip.version])
            if tunnel.type is TunnelType.GUE:
                ports.append(FouPort(tunnel.port, version))
    return Kernel(tuple(dict.fromkeys(devices)), tuple(ports))


def by_the_kernel(vip: Vip, kernel: Kernel) -> list[Fact]:
    """The devices are up. What they take out comes from clients to whom other interfaces lead.

    A device without an address of its own takes no packet whose sender another interface leads to, however loose its
    reverse path filter: hence the VIP on it, too. It has no ARP.
    """
    facts: list[Fact] = []
    for device in kernel.devices:
        facts.append(device)
        if device.name == _ANY.name:
            facts.append(_ANY)
        if vip.version == 4:
            facts.append(OwnAddress(str(vip), device.name, "host"))
            facts.append(Setting(of_interface("ipv4", device.name, "rp_filter"), LOOSE))
    return [*facts, *kernel.ports]


def by_program(
    vip: Vip, tunnels: Sequence[Encapsulation], interfaces: Iterable[str], read: Callable[[], bytes] | None = None
) -> list[Fact]:
    """A program at each interface.

    Raises:
        HostError: GUE shall come at several ports, of which the program knows one; or it was not compiled.
    """
    packed = pack(program(vip, tunnels, (read or _object)()))
    purpose = f"packets for {vip} are taken out of {', '.join(map(str, tunnels))}"
    handle = int(vip) if vip.version == 4 else crc32(vip.packed) or 1
    facts: list[Fact] = []
    for interface in interfaces:
        name = f"directrix-{vip}"
        facts.append(Clsact(interface))
        facts.append(IngressProgram(interface, purpose, name, PREFERENCE[vip.version], handle, packed))
    return facts


def program(vip: Vip, tunnels: Sequence[Encapsulation], compiled: bytes) -> bytes:
    """The object of bpf/decapsulate.bpf.c with a VIP and its tunnels in it.

    Raises:
        HostError: GUE at several ports.
    """
    ports = sorted({tunnel.port for tunnel in tunnels if tunnel.port})
    if len(ports) > 1:
        several = " and ".join(map(str, ports))
        raise HostError(
            f"the kernel has no GUE here, and the BPF program in its place knows one port, not {several}",
            "let all directors send to one port",
        )
    port = ports[0] if ports else 0
    kinds = sum(_TYPES[kind] for kind in {tunnel.type for tunnel in tunnels})
    blank = _PLACEHOLDER.pack(b"virtual address!", b"\xff" * 4)
    told = _PLACEHOLDER.pack(vip.packed, struct.pack(">HBB", port, vip.version, kinds))
    if compiled.count(blank) != 1:
        raise ValueError(f"{_OBJECT} has no place for the VIP")
    return compiled.replace(blank, told)


def _object() -> bytes:
    try:
        return resources.files("directrix.realserver").joinpath(_OBJECT).read_bytes()
    except FileNotFoundError:
        raise HostError(
            "the BPF program that takes packets out of tunnels is not compiled", "run scripts/build-bpf"
        ) from None
