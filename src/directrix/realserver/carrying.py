"""Whether a host can carry a VIP as a real server does."""

from __future__ import annotations

from directrix.realserver.decapsulating import TUNNELS
from directrix.realserver.task import Task
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip, Whereabouts


def check_loopback(task: Task) -> None:
    """Take care that lo can carry the VIP.

    Raises:
        HostError: not so.
    """
    task.host.check_ipv6(task.vip, "lo")
    if any(link.name == "lo" and not link.up for link in task.host.links):
        raise HostError("lo is down", "set it up with `ip link set lo up`")
    for own in task.host.carriers(task.vip):
        if own.address.network.prefixlen != task.vip.max_prefixlen:
            raise HostError(
                f"lo has {own.address}, and so takes all of {own.address.network} for its own",
                f"remove it with `ip address del {own.address} dev lo`, then start again",
            )


def check_nowhere_else(vip: Vip, host: Whereabouts) -> None:
    """Take care that the VIP is on no interface where the network would hear of it.

    Raises:
        HostError: it is.
    """
    for own in host.carriers(vip):
        if own.interface == "lo" or own.interface in TUNNELS:
            continue
        if any(link.name == own.interface and link.kind == "dummy" for link in host.links):
            raise HostError(
                f"{vip} stands on the dummy device {own.interface}, as some real servers have it; here it goes on lo",
                f"remove it with `ip address del {own.address} dev {own.interface}`, then start again; or leave it "
                "there, and see with `directrix doctor` whether this host is quiet about it",
            )
        others = [
            other
            for other in host.addresses
            if other.interface == own.interface and other.address.version == vip.version and other != own
        ]
        alone = not any(not other.address.ip.is_link_local for other in others)
        if own.address.network.prefixlen < vip.max_prefixlen or alone:
            raise HostError(
                f"{vip} is this host's own address on {own.interface} ({own.address}), and no VIP",
                "give the VIP that clients ask",
            )
        raise HostError(
            f"{own.interface} carries {vip}, and answers whoever asks for it, as a director does",
            f"if this host shall be a real server, remove it with `ip address del {own.address} dev {own.interface}`, "
            f"then start again",
        )
