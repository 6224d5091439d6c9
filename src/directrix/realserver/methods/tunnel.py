"""`tunnel`: as `sysctl`, and packets for the VIP are taken out of the tunnel in which the director sends them.

What comes out was sent by clients, to whom no route by the tunnel's device leads, so there the reverse path filter
has to be loose: any route to the client will do. A program of ours at an interface lets packets come out at that same
interface, and the filter is in the way only if the default route goes by another one.
"""

from __future__ import annotations

from directrix.realserver import decapsulating, segment_size
from directrix.realserver.methods import sysctl
from directrix.realserver.task import Task
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.setting import Setting, of_interface
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip, Whereabouts


def facts(task: Task) -> list[Fact]:
    """What shall be so; the VIP comes last, when it can be reached."""
    quiet = sysctl.facts(task)
    parameters = [fact for fact in quiet if not isinstance(fact, OwnAddress)]
    address = [fact for fact in quiet if isinstance(fact, OwnAddress)]
    return [*parameters, *_receiving(task), *_clamping(task), *address]


def arrival(vip: Vip, host: Whereabouts) -> str:
    """The interface at which tunnels for a VIP arrive: as packets for the VIP would, else that of any default route.

    Raises:
        HostError: it can't be told.
    """
    try:
        return host.interface_of(vip)
    except HostError:
        by_default = [name for version in (4, 6) for name in host.defaults.get(version, ()) if name != "lo"]
        if by_default:
            return by_default[0]
        raise


def _receiving(task: Task) -> list[Fact]:
    kernel = decapsulating.in_the_kernel(task.vip, task.tunnels, _outer(task))
    if kernel is not None and task.kernel_has(kernel.facts):
        return decapsulating.by_the_kernel(task.vip, kernel)
    for interface in task.interfaces:
        kind = next((link.type for link in task.host.links if link.name == interface), "ether")
        if kind != "ether":
            raise HostError(
                f"the kernel can't take packets out of {' and '.join(map(str, task.tunnels))}, and {interface} has no "
                f"Ethernet frames ({kind}), which the BPF program in its place needs",
                "name another --interface, or install the kernel's modules for tunnels",
            )
    wanted = decapsulating.by_program(task.vip, task.tunnels, task.interfaces)
    if task.vip.version == 4:
        elsewhere = [name for name in task.interfaces if name not in task.host.defaults.get(4, ())]
        wanted += [Setting(of_interface("ipv4", name, "rp_filter"), decapsulating.LOOSE) for name in elsewhere]
    return wanted


def _clamping(task: Task) -> list[Fact]:
    if task.clamp is None:
        return []
    size = task.clamp
    if not size:
        mtu = min(link.mtu for link in task.host.links if link.name in task.interfaces)
        overhead = max(tunnel.between for tunnel in task.tunnels) + segment_size.OUTER[max(_outer(task))]
        size = segment_size.segment_size(task.vip, mtu, overhead)
    return segment_size.facts(task.vip, size, task.choose)


def _outer(task: Task) -> list[int]:
    """The versions of IP in which tunnels can come.

    Raises:
        HostError: no interface has an address they could come to.
    """
    here = [own for own in task.host.addresses if own.interface in task.interfaces and own.address.ip != task.vip]
    versions: set[int] = {own.address.version for own in here if not own.address.ip.is_link_local}
    if not versions:
        raise HostError(
            f"{' and '.join(task.interfaces)} has no address for the director to send its tunnel to",
            "give it one, or name another --interface",
        )
    return sorted(versions)
